//! What the compiler makes of the copy.

use crate::{
    list::{Genre, Mutant},
    switch::{self, Site},
    tree::Tree,
};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// How often the compiler is asked which mutants do not fit: it tells of types first, and of borrows only then.
const ROUNDS: u32 = 12;

/// Which mutants are in the build.
#[derive(Debug)]
pub struct Fitted {
    /// These are.
    pub switched: BTreeSet<usize>,
    /// These give values that their type cannot be made of, such as the default of a type without one.
    pub impossible: BTreeSet<usize>,
    /// These have no form that asks, and must be tried one by one.
    pub alone: BTreeSet<usize>,
}

/// Puts all mutants into the crate that the compiler takes.
///
/// # Errors
/// The compiler refuses the copy, and not for a mutant.
pub fn fit(tree: &Tree, package: &str, mutants: &[Mutant]) -> Result<Fitted> {
    // A function has one hidden type: it cannot answer with another one now and then.
    let hidden = |m: &Mutant| m.genre == Genre::FnValue && m.replacement.starts_with("::std::iter");
    let (mut refused, mut left): (BTreeSet<usize>, BTreeSet<usize>) =
        (0..mutants.len()).partition(|id| mutants.get(*id).is_some_and(hidden));
    let files: BTreeSet<PathBuf> = mutants.iter().map(|m| m.file.clone()).collect();
    let mut impossible = BTreeSet::new();
    for round in 1..=ROUNDS {
        let wanted: Vec<(usize, &Mutant)> = mutants.iter().enumerate().filter(|(id, _)| left.contains(id)).collect();
        let sites = tree.switch(&files, &wanted)?;
        let errors = check(tree, package)?;
        println!("round {round}: {} mutants, {} errors", left.len(), errors.len());
        if errors.is_empty() {
            let switched: BTreeSet<usize> = sites.values().flat_map(|sites| switch::ids(sites)).collect();
            refused.extend(left.difference(&switched));
            return Ok(Fitted { switched, impossible, alone: refused });
        }
        let mut guilty = BTreeSet::new();
        for error in &errors {
            for id in error.guilty(tree, &sites)? {
                let value = mutants.get(id).is_some_and(|m| m.genre == Genre::FnValue);
                guilty.insert(id);
                if value && error.no_such_value() {
                    impossible.insert(id)
                } else {
                    refused.insert(id)
                };
            }
        }
        ensure!(
            !guilty.is_empty(),
            "the copy does not compile: {}",
            errors.iter().map(|e| e.text.as_str()).collect::<String>()
        );
        left.retain(|id| !guilty.contains(id));
    }
    bail!("the compiler found new errors for {ROUNDS} times")
}

/// A program of tests.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// The folder of its package.
    pub package: PathBuf,
}

/// Builds the tests of these packages; None when they do not compile.
///
/// # Errors
/// cargo cannot be started.
pub fn tests(tree: &Tree, packages: &[String]) -> Result<Option<Vec<Program>>> {
    let mut command = cargo(tree);
    command.args(["test", "--no-run", "--profile", "ci", "--message-format", "json"]);
    command.args(packages.iter().flat_map(|p| ["--package", p]));
    let output = command.stderr(Stdio::null()).output().context("start cargo")?;
    if !output.status.success() {
        return Ok(None);
    }
    let programs = messages(&output.stdout).filter(|m| m.pointer("/profile/test") == Some(&Value::Bool(true)));
    let program = |message: Value| {
        let path = message.get("executable")?.as_str()?.into();
        let package = Path::new(message.get("manifest_path")?.as_str()?).parent()?.to_owned();
        Some(Program { path, package })
    };
    Ok(Some(programs.filter_map(program).collect()))
}

/// An error of the compiler: its code, and the bytes that it is about.
#[derive(Debug)]
struct Mistake {
    code: String,
    places: Vec<(PathBuf, Range<usize>)>,
    text: String,
}

impl Mistake {
    fn of(message: &Value) -> Option<Self> {
        let message = message.get("message").filter(|m| m.get("level").and_then(Value::as_str) == Some("error"))?;
        let text = |path: &str| message.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let spans = message.get("spans")?.as_array()?.iter();
        let place = |span: &Value| {
            let byte = |name: &str| usize::try_from(span.get(name)?.as_u64()?).ok();
            Some((PathBuf::from(span.get("file_name")?.as_str()?), byte("byte_start")?..byte("byte_end")?))
        };
        Some(Self { code: text("/code/code"), places: spans.filter_map(place).collect(), text: text("/rendered") })
    }

    /// No value of that type can be made like this, whatever the file looks like.
    fn no_such_value(&self) -> bool {
        ["E0277", "E0599", "E0282"].contains(&self.code.as_str())
    }

    /// Whose fault it is: the smallest site around, or, in new text of it, the mutant whose question was the last.
    fn guilty(&self, tree: &Tree, sites: &BTreeMap<PathBuf, Vec<Site>>) -> Result<Vec<usize>> {
        for (file, at) in &self.places {
            let Some(sites) = sites.get(file) else { continue };
            let around = sites.iter().filter(|s| s.range.start <= at.start && at.end <= s.range.end);
            if let Some(site) = around.min_by_key(|s| s.range.len()) {
                let text = std::fs::read_to_string(tree.root.join(file))?;
                let piece = site.pieces.iter().find(|p| p.contains(&at.start));
                let asked = piece.and_then(|p| text.get(p.start..at.start)).and_then(last_asked);
                return Ok(asked.map_or_else(|| site.ids.clone(), |id| vec![id]));
            }
        }
        let inside = |file: &PathBuf, at: &Range<usize>| -> Vec<usize> {
            let within = sites.get(file).into_iter().flatten();
            within.filter(|s| at.start <= s.range.start && s.range.end <= at.end).flat_map(|s| s.ids.clone()).collect()
        };
        Ok(self.places.iter().flat_map(|(file, at)| inside(file, at)).collect())
    }
}

/// The number in the last question of the text.
fn last_asked(text: &str) -> Option<usize> {
    let (_, rest) = text.rsplit_once("mutant::on(")?;
    rest.split(')').next()?.parse().ok()
}

fn check(tree: &Tree, package: &str) -> Result<Vec<Mistake>> {
    let mut command = cargo(tree);
    command.args(["check", "--profile", "ci", "--message-format", "json", "--package", package]);
    let output = command.stderr(Stdio::null()).output().context("start cargo")?;
    let errors: Vec<Mistake> = messages(&output.stdout).filter_map(|m| Mistake::of(&m)).collect();
    ensure!(output.status.success() || !errors.is_empty(), "cargo check: {}", output.status);
    // The last line of the compiler only counts the others.
    Ok(errors.into_iter().filter(|e| !e.places.is_empty()).collect())
}

fn messages(output: &[u8]) -> impl Iterator<Item = Value> {
    output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

/// Tests run some thousand times: the crate is worth a little optimising.
fn cargo(tree: &Tree) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(&tree.root).env("CARGO_PROFILE_CI_OPT_LEVEL", "1");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_question_is_found() {
        assert_eq!(last_asked("if crate::mutant::on(7) { a } else if crate::mutant::on(12) { "), Some(12));
        assert_eq!(last_asked("if a {"), None);
    }
}
