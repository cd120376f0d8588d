//! What an artifact may be called.

/// The longest name of an artifact: eight of them must fit into a termination message.
pub const MAX_NAME: usize = 32;

/// Whether an artifact may be called that: a letter, then letters, digits, `_` and `-`, 32 bytes at most.
#[must_use]
pub fn is_artifact_name(text: &str) -> bool {
    let mut letters = text.bytes();
    text.len() <= MAX_NAME
        && letters.next().is_some_and(|b| b.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "model", "minWeeks", "co2-fit_1", &"x".repeat(32)] {
            assert!(is_artifact_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "_a", "a b", "a/b", "../a", "a.b", "ä", &"x".repeat(33)] {
            assert!(!is_artifact_name(bad), "{bad}");
        }
    }
}
