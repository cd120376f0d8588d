//! The mutants, as cargo-mutants lists them.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A small change of the code, which a test should notice.
#[derive(Clone, Debug, Deserialize)]
pub struct Mutant {
    /// Path in the repository.
    pub file: PathBuf,
    /// What is changed.
    pub genre: Genre,
    /// Place and change, in words.
    pub name: String,
    /// What stands there instead.
    pub replacement: String,
    /// Where.
    pub span: Span,
}

/// What a mutant changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Genre {
    /// A function answers something at once.
    FnValue,
    /// An operator between two operands.
    BinaryOperator,
    /// An operator before its operand goes.
    UnaryOperator,
    /// An arm of a `match` goes.
    MatchArm,
    /// The guard of an arm is always true, or never.
    MatchArmGuard,
    /// A field of a struct expression goes, and is the base's.
    StructField,
}

/// From one place to another.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Span {
    /// The first character.
    pub start: Place,
    /// The one after the last.
    pub end: Place,
}

/// A character of a file; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Place {
    /// How many bytes of the text are before it.
    pub fn offset(self, text: &str) -> Option<usize> {
        let start = match self.line.checked_sub(2) {
            None => 0,
            Some(n) => text.match_indices('\n').nth(n)?.0 + 1,
        };
        let (at, _) = text.get(start..)?.char_indices().nth(self.column.checked_sub(1)?)?;
        Some(start + at)
    }
}

/// Asks cargo-mutants for all mutants of the package that `.cargo/mutants.toml` leaves in.
///
/// # Errors
/// cargo-mutants is not there, or answers something else.
pub fn of(root: &Path, package: &str) -> Result<Vec<Mutant>> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["mutants", "--list", "--json", "--package", package])
        .stderr(Stdio::inherit())
        .output()
        .context("start cargo-mutants")?;
    ensure!(output.status.success(), "cargo mutants --list: {}", output.status);
    serde_json::from_slice(&output.stdout).context("read the list of cargo-mutants")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_by_characters() {
        let text = "ab\nöc d\n";
        let offset = |line, column| Place { line, column }.offset(text);
        assert_eq!((offset(1, 2), offset(2, 1), offset(2, 2)), (Some(1), Some(3), Some(5)));
        assert_eq!((offset(9, 1), offset(0, 1), offset(1, 0)), (None, Some(0), None));
    }
}
