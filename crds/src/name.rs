//! Names of children: deterministic, unique, and never longer than a label may be.

use sha2::{Digest, Sha256};

/// The longest name of an object of ours; leaves room for what is appended to it.
pub const MAX_OBJECT_NAME: usize = 52;
/// The longest label value and pod name that we make.
pub const MAX_CHILD_NAME: usize = 63;

/// `prefix`-`hash of parts`, at most 63 characters: the hash is whole, the prefix is what is cut.
///
/// The parts are length-prefixed, so `("ab", "c")` and `("a", "bc")` differ.
#[must_use]
pub fn child_name(prefix: &str, parts: &[&str]) -> String {
    let hash = digest_hex(parts, 5);
    let room = MAX_CHILD_NAME - hash.len() - 1;
    let cut: String = prefix.chars().take(room).collect();
    format!("{}-{hash}", cut.trim_end_matches(['-', '.']))
}

/// The first `bytes` bytes of SHA-256 over the length-prefixed parts, in hex.
#[must_use]
pub fn digest_hex(parts: &[&str], bytes: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().take(bytes).map(|b| format!("{b:02x}")).collect()
}

/// Whether `text` is a DNS label (RFC 1123): what a step may be called.
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    let ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(ok) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_distinct() {
        let long = "x".repeat(80);
        assert_eq!(child_name(&long, &["a"]).len(), MAX_CHILD_NAME);
        assert_ne!(child_name("p", &["ab", "c"]), child_name("p", &["a", "bc"]));
        assert!(is_dns_label(&child_name("fit-0", &["uid", "run", "1"])));
    }
}
