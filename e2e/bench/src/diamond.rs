//! The diamond: ten steps, 1 → 4 → 4 → 1, where each layer needs all of the one before.

use hearth_crds::workflow::Workflow;
use serde_json::json;

/// The layers of steps.
const LAYERS: [&[&str]; 4] = [&["first"], &["a1", "a2", "a3", "a4"], &["b1", "b2", "b3", "b4"], &["last"]];

/// How many pods one diamond makes.
pub const PODS: usize = 10;

/// How long each pod seems to run.
const LASTS: &str = "100ms";

/// Each step with the steps that it needs.
pub fn steps() -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
    let before = std::iter::once([].as_slice()).chain(LAYERS);
    before.zip(LAYERS).flat_map(|(needs, layer)| layer.iter().map(move |step| (*step, needs)))
}

/// What a step needs.
pub fn needs(step: &str) -> &'static [&'static str] {
    steps().find(|(name, _)| *name == step).map_or(&[], |(_, needs)| needs)
}

/// The Workflow, for fake nodes.
///
/// # Errors
/// The types do not take it, which is a mistake in here.
pub fn workflow(name: &str) -> serde_json::Result<Workflow> {
    let steps: Vec<_> =
        steps().map(|(name, needs)| json!({"name": name, "needs": needs, "command": ["true"]})).collect();
    serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "image": "hearth.dev/busybox:dev",
            "pod": {
                "nodeSelector": {"type": "kwok"},
                "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
                "annotations": {"kwok.x-k8s.io/complete-after": LASTS},
            },
            "steps": steps,
        },
    }))
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

    #[test]
    fn the_workflow_is_one() {
        let workflow = workflow("x").unwrap();
        assert_eq!(workflow.spec.steps.len(), PODS);
    }
}
