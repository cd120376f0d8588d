//! Results in a document, between marks that name who writes them.

use anyhow::{Context, Result};
use std::path::Path;

/// Puts the text between the marks of that name, and leaves the rest of the document as it is.
///
/// # Errors
/// The document is not there, or has no such marks.
pub fn write(path: &Path, name: &str, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let [begin, end] = marks(name);
    let new =
        between(&old, name, text).with_context(|| format!("{} has no marks {begin} and {end}", path.display()))?;
    std::fs::write(path, new).with_context(|| format!("write {}", path.display()))
}

fn marks(name: &str) -> [String; 2] {
    [format!("<!-- {name}: begin (written by the program) -->"), format!("<!-- {name}: end -->")]
}

fn between(document: &str, name: &str, text: &str) -> Option<String> {
    let [begin, end] = marks(name);
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let part = |name: &str, text: &str| {
            let [begin, end] = marks(name);
            format!("{begin}\n{text}\n{end}\n")
        };
        let document = format!("a\n{}b\n{}c\n", part("x", "old"), part("y", "old"));
        let new = format!("a\n{}b\n{}c\n", part("x", "old"), part("y", "new"));
        assert_eq!(between(&document, "y", "new\n"), Some(new));
        assert_eq!(between("a", "x", "new"), None);
    }
}
