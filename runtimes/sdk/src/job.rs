//! What a step has to work with: inputs, artifacts and the spec that names them.

use crate::{Artifact, Failure, Spec};
use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

/// What a runtime works on.
#[derive(Clone, Debug)]
pub struct Job {
    /// The spec, without `with`.
    pub spec: Spec,
    inputs: Vec<Input>,
}

/// An input that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The digest that it has to have, `sha256:` and 64 hexadecimal digits.
    pub digest: Option<String>,
}

impl Job {
    /// Checks the spec's paths and names.
    ///
    /// # Errors
    ///
    /// 78 for a path outside of `root` and for an artifact that the runtime doesn't write.
    pub(crate) fn new(spec: Spec, root: &Path, artifacts: &[&str]) -> Result<Self, Failure> {
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        for (place, input) in spec.inputs.iter().enumerate() {
            within(&input.path, &root.join("in"), &format!("inputs[{place}].path"))?;
            inputs.push(Input { name: input.name.clone(), path: input.path.clone(), digest: input.digest.clone() });
        }
        for (place, artifact) in spec.artifacts.iter().enumerate() {
            within(&artifact.path, &root.join("out"), &format!("artifacts[{place}].path"))?;
            if !artifacts.contains(&artifact.name.as_str()) {
                return Err(Failure::config(format!(
                    "artifacts: there is no artifact {:?}, there are {}",
                    artifact.name,
                    listed(artifacts.iter().copied())
                )));
            }
        }
        distinct("inputs", spec.inputs.iter().map(|input| &input.name))?;
        distinct("artifacts", spec.artifacts.iter().map(|artifact| &artifact.name))?;
        Ok(Self { spec, inputs })
    }

    /// The input of this name.
    ///
    /// # Errors
    ///
    /// 78 when there is none; `field` is where the name stands in `with:`.
    pub fn input(&self, name: &str, field: &str) -> Result<&Input, Failure> {
        self.inputs.iter().find(|input| input.name == name).ok_or_else(|| {
            let known = listed(self.inputs.iter().map(|input| input.name.as_str()));
            Failure::config(format!(
                "with.{field}: the step has no input {name:?}, it has {known}: add it to artifacts.in"
            ))
        })
    }

    /// The table that `with:` names: by `input`, the name of an input artifact, or by `file`, a path.
    ///
    /// # Errors
    ///
    /// 78 when there is not exactly one of them, or no such input.
    pub fn table(&self, input: Option<&str>, file: Option<&Path>) -> Result<Input, Failure> {
        match (input, file) {
            (Some(name), None) => self.input(name, "input").cloned(),
            (None, Some(path)) => Ok(Input { name: path.display().to_string(), path: path.to_owned(), digest: None }),
            _ => Err(Failure::config("with: give either input, the name of an input artifact, or file, a path")),
        }
    }

    /// Where the artifact of this name is written; nothing when the step doesn't ask for it.
    #[must_use]
    pub fn artifact(&self, name: &str) -> Option<&Path> {
        self.spec.artifacts.iter().find(|artifact: &&Artifact| artifact.name == name).map(|one| one.path.as_path())
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn distinct<'a>(field: &str, names: impl Iterator<Item = &'a String>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Failure::config(format!("{field}: {name:?} is there twice")));
        }
    }
    Ok(())
}

/// The operator writes these paths from names that users give, so nothing in them may lead elsewhere.
fn within(path: &Path, root: &Path, field: &str) -> Result<(), Failure> {
    let inside = path.strip_prefix(root).is_ok_and(|rest| {
        rest.components().next().is_some() && rest.components().all(|part| matches!(part, Component::Normal(_)))
    });
    if path.is_absolute() && inside {
        return Ok(());
    }
    Err(Failure::config(format!("{field}: {} is not below {}", path.display(), root.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(inputs: &str, artifacts: &str) -> Result<Job, Failure> {
        let text = format!(
            r#"{{"version": "1", "run": {{"id": "r", "number": 1}}, "workflow": {{"namespace": "n", "name": "w"}},
            "step": "s", "attempt": 1, "inputs": {inputs}, "artifacts": {artifacts}}}"#
        );
        Job::new(Spec::parse(text.as_bytes()).unwrap(), Path::new("/hearth"), &["table"])
    }

    #[test]
    fn inputs_and_artifacts_are_found_by_name() {
        let inputs = r#"[{"name": "raw", "path": "/hearth/in/raw/a.csv"}]"#;
        let job = job(inputs, r#"[{"name": "table", "path": "/hearth/out/t.csv"}]"#).unwrap();
        assert_eq!(job.input("raw", "input").unwrap().path, Path::new("/hearth/in/raw/a.csv"));
        assert_eq!(job.artifact("table"), Some(Path::new("/hearth/out/t.csv")));
        assert_eq!(job.artifact("profile"), None);
        assert_eq!(
            job.input("row", "input").unwrap_err().message,
            "with.input: the step has no input \"row\", it has raw: add it to artifacts.in"
        );
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        for path in ["/hearth/in/../token", "/etc/passwd", "in/raw", "/hearth/in", "/hearth/input", "/hearth/out/x"] {
            let failure = job(&format!(r#"[{{"name": "raw", "path": "{path}"}}]"#), "[]").unwrap_err();
            assert_eq!(failure.message, format!("inputs[0].path: {path} is not below /hearth/in"));
            assert_eq!(failure.code.number(), 78);
        }
    }

    #[test]
    fn unknown_and_double_names_are_refused() {
        let one = r#"{"name": "raw", "path": "/hearth/in/raw"}"#;
        assert_eq!(job(&format!("[{one},{one}]"), "[]").unwrap_err().message, "inputs: \"raw\" is there twice");
        let unknown = job("[]", r#"[{"name": "tabel", "path": "/hearth/out/t"}]"#).unwrap_err();
        assert_eq!(unknown.message, "artifacts: there is no artifact \"tabel\", there are table");
    }
}
