//! The diamond: ten steps, 1 → 4 → 4 → 1, where each layer needs all of the one before.

/// The layers of steps.
const LAYERS: [&[&str]; 4] = [&["first"], &["a1", "a2", "a3", "a4"], &["b1", "b2", "b3", "b4"], &["last"]];

/// How many pods one diamond makes.
pub const PODS: usize = 10;

/// Each step with the steps that it needs.
pub fn steps() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let before = std::iter::once([].as_slice()).chain(LAYERS);
    before.zip(LAYERS).flat_map(|(needs, layer)| layer.iter().map(move |step| (*step, needs)))
}

/// What a step needs.
#[must_use]
pub fn needs(step: &str) -> &'static [&'static str] {
    steps().find(|(name, _)| *name == step).map_or(&[], |(_, needs)| needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_steps_with_joins_of_all_to_all() {
        assert_eq!(steps().count(), PODS);
        assert!(needs("first").is_empty());
        assert_eq!(needs("a3"), ["first"]);
        assert_eq!(needs("b1"), ["a1", "a2", "a3", "a4"]);
        assert_eq!(needs("last"), ["b1", "b2", "b3", "b4"]);
    }
}
