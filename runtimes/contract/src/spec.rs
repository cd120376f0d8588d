//! The part of `/hearth/spec.json` that concerns artifacts.

use crate::{
    MAX_ARTIFACTS, MAX_BYTES, MAX_INPUTS,
    digest::Digest,
    name::{MAX_NAME, is_artifact_name},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of `/hearth/spec.json` that is read here.
pub const VERSION: &str = "1";
/// The longest `/hearth/spec.json`, in bytes.
pub const MAX_SPEC: usize = 16 * 1024;
/// Where inputs lie.
pub const IN: &str = "/hearth/in";
/// Where output artifacts are written.
pub const OUT: &str = "/hearth/out";
/// The longest path, in bytes.
const MAX_PATH: usize = 255;

/// What an attempt reads and writes. Other keys of the file are left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Of the file's form.
    pub version: String,
    /// Name of the step.
    pub step: String,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Artifacts that are there before the command starts.
    #[serde(default)]
    pub inputs: Vec<Input>,
    /// Artifacts that are taken when it has ended well.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// Whom to ask for URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorder: Option<Recorder>,
}

/// An artifact that the step reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// What the step calls it.
    pub name: String,
    /// Where it lies, below [`IN`].
    pub path: String,
    /// What it must be.
    pub digest: Digest,
    /// How long it is in the store.
    pub bytes: u64,
    /// Whether it is the tar of a directory, which is unpacked at `path`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
}

/// An artifact that the step writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// What later steps call it.
    pub name: String,
    /// Where the step leaves it, below [`OUT`]: a file or a directory.
    pub path: String,
}

/// Where the Recorder is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorder {
    /// `https://HOST:PORT`.
    pub endpoint: String,
}

/// Why a spec is not followed.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Longer than it may be.
    #[error("spec.json is {0} bytes long and may be {MAX_SPEC}")]
    TooLong(usize),
    /// Not JSON, or not of this form.
    #[error("spec.json: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another version.
    #[error(
        "spec.json has version {0:?} and this program knows {VERSION:?}: use the hearth-step image of the operator"
    )]
    Version(String),
    /// A value that is not allowed.
    #[error("spec.json: {field}: {why}")]
    Field {
        /// The key, with its index.
        field: String,
        /// What is wrong, and what is right.
        why: String,
    },
}

impl Spec {
    /// Reads and checks the file's text.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        if text.len() > MAX_SPEC {
            return Err(SpecError::TooLong(text.len()));
        }
        let spec: Self = serde_json::from_str(text)?;
        spec.check()?;
        Ok(spec)
    }

    /// The input of that name.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&Input> {
        self.inputs.iter().find(|i| i.name == name)
    }

    /// The output artifact of that name.
    #[must_use]
    pub fn artifact(&self, name: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|a| a.name == name)
    }

    fn check(&self) -> Result<(), SpecError> {
        if self.version != VERSION {
            return Err(SpecError::Version(self.version.clone()));
        }
        most("inputs", self.inputs.len(), MAX_INPUTS)?;
        most("artifacts", self.artifacts.len(), MAX_ARTIFACTS)?;
        list("inputs", IN, self.inputs.iter().map(|i| (i.name.as_str(), i.path.as_str())))?;
        list("artifacts", OUT, self.artifacts.iter().map(|a| (a.name.as_str(), a.path.as_str())))?;
        if let Some((at, input)) = self.inputs.iter().enumerate().find(|(_, i)| i.bytes > MAX_BYTES) {
            return Err(wrong(
                format!("inputs[{at}].bytes"),
                format!("{} is more than an artifact may have, {MAX_BYTES}", input.bytes),
            ));
        }
        Ok(())
    }
}

fn wrong(field: impl Into<String>, why: impl Into<String>) -> SpecError {
    SpecError::Field { field: field.into(), why: why.into() }
}

fn most(field: &str, count: usize, limit: usize) -> Result<(), SpecError> {
    if count > limit { Err(wrong(field, format!("{count} entries, at most {limit} are allowed"))) } else { Ok(()) }
}

/// Names are names, paths lie below `root`, and none of either is there twice or below another.
fn list<'a>(field: &str, root: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), SpecError> {
    let (mut names, mut paths) = (BTreeSet::new(), Vec::<&str>::new());
    for (at, (name, path)) in entries.enumerate() {
        if !is_artifact_name(name) {
            return Err(wrong(
                format!("{field}[{at}].name"),
                format!("{name:?} is not a letter followed by letters, digits, _ or -, {MAX_NAME} at most"),
            ));
        }
        if !names.insert(name) {
            return Err(wrong(format!("{field}[{at}].name"), format!("{name:?} is there twice")));
        }
        if !is_below(root, path) {
            return Err(wrong(
                format!("{field}[{at}].path"),
                format!("{path:?} is not a plain path below {root}, {MAX_PATH} bytes at most"),
            ));
        }
        if paths.iter().any(|other| within(other, path) || within(path, other)) {
            return Err(wrong(format!("{field}[{at}].path"), format!("{path:?} is also the path of another entry")));
        }
        paths.push(path);
    }
    Ok(())
}

/// Whether `path` is `root/…` with plain names only: none is empty, `.` or `..`.
#[must_use]
pub fn is_below(root: &str, path: &str) -> bool {
    let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(char::is_control);
    path.len() <= MAX_PATH
        && path
            .strip_prefix(root)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(|rest| rest.split('/').all(plain))
}

/// Whether `path` is `folder` or lies in it.
#[must_use]
pub fn within(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "version": "1", "run": {"id": "x"}, "step": "fit", "attempt": 2, "params": {}, "outputs": [],
            "inputs": [{"name": "table", "path": "/hearth/in/table", "digest": Digest::of(b"x"), "bytes": 1}],
            "artifacts": [{"name": "model", "path": "/hearth/out/model"}],
            "recorder": {"endpoint": "https://hearth.hearth-system.svc:8444"},
        })
    }

    fn refused(pointer: &str, value: Value) -> String {
        let mut spec = spec();
        *spec.pointer_mut(pointer).unwrap() = value;
        Spec::parse(&spec.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn a_spec_is_read_and_a_plain_step_has_no_artifacts() {
        let read = Spec::parse(&spec().to_string()).unwrap();
        assert_eq!((read.attempt, read.step.as_str()), (2, "fit"));
        assert!(read.input("table").is_some() && read.artifact("model").is_some() && read.artifact("table").is_none());
        let plain = Spec::parse(r#"{"version":"1","step":"a","attempt":1}"#).unwrap();
        assert!(plain.inputs.is_empty() && plain.artifacts.is_empty() && plain.recorder.is_none());
    }

    #[test]
    fn each_wrong_field_is_named() {
        assert!(refused("/version", json!("2")).contains("version \"2\""));
        assert!(refused("/inputs/0/name", json!("../a")).contains("inputs[0].name"));
        assert!(refused("/inputs/0/digest", json!("sha256:AB")).contains("64 lower-case hex"));
        assert!(refused("/inputs/0/bytes", json!(MAX_BYTES + 1)).contains("inputs[0].bytes"));
        assert!(refused("/artifacts/0/path", json!("/etc/passwd")).contains("artifacts[0].path"));
        let twice = json!([{"name": "a", "path": "/hearth/out/a"}, {"name": "a", "path": "/hearth/out/b"}]);
        assert!(refused("/artifacts", twice).contains("artifacts[1].name"));
        let nested = json!([{"name": "a", "path": "/hearth/out/a"}, {"name": "b", "path": "/hearth/out/a/b"}]);
        assert!(refused("/artifacts", nested).contains("artifacts[1].path"));
        let many: Vec<Value> = (0..9).map(|n| json!({"name": format!("a{n}"), "path": "/hearth/out/a"})).collect();
        assert!(refused("/artifacts", json!(many)).contains("at most 8"));
        let long = format!(r#"{{"version":"1","step":"a","attempt":1,"x":"{}"}}"#, "x".repeat(MAX_SPEC));
        assert!(matches!(Spec::parse(&long), Err(SpecError::TooLong(_))));
    }

    #[test]
    fn paths_stay_below_their_root() {
        for good in ["/hearth/in/a", "/hearth/in/a/b.csv", "/hearth/in/..a", "/hearth/in/ä b"] {
            assert!(is_below(IN, good), "{good}");
        }
        for bad in [
            "",
            "/hearth/in",
            "/hearth/in/",
            "/hearth/in//a",
            "/hearth/in/../x",
            "/hearth/in/a/..",
            "/hearth/in/./a",
            "/hearth/inside/a",
            "hearth/in/a",
            "/hearth/in/a\0b",
            "/hearth/in/a\nb",
            "/hearth/in/a/",
        ] {
            assert!(!is_below(IN, bad), "{bad}");
        }
    }
}
