//! `/hearth/spec.json`: which run, step and attempt this is, and what it works on.

use crate::{Failure, OutputType};
use hearth_contract::spec::{MAX_SPEC, VERSION};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{fs::File, io::Read, path::Path, path::PathBuf};

/// The spec of an attempt. Fields that are unknown are left alone: a version may gain some.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    /// The run.
    pub run: Run,
    /// The object that the run belongs to.
    pub workflow: Workflow,
    /// The step's name.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    /// The run's params, defaults filled in.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// The step's `with:`, each `${…}` substituted.
    #[serde(default)]
    pub with: Option<Value>,
    /// The input artifacts, which are there.
    #[serde(default)]
    pub inputs: Vec<InputSpec>,
    /// The artifacts to write.
    #[serde(default)]
    pub artifacts: Vec<Artifact>,
    /// The outputs to write.
    #[serde(default)]
    pub outputs: Vec<DeclaredOutput>,
    /// The item of `forEach`, when the step has one.
    #[serde(default)]
    pub item: Option<Value>,
    /// The item's place, from 0.
    #[serde(default)]
    pub index: Option<u64>,
    /// Where randomness begins: the same for every attempt of the step.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// Which run.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    /// The key of its record.
    pub id: String,
    /// From 1, for people.
    pub number: u64,
}

/// The object that the run belongs to.
#[derive(Clone, Debug, Deserialize)]
pub struct Workflow {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// An input as the spec has it.
#[derive(Clone, Debug, Deserialize)]
pub struct InputSpec {
    /// Its name, by which `with:` speaks of it.
    pub name: String,
    /// Where it lies: absolute, below `/hearth/in`.
    pub path: PathBuf,
    /// The digest of its content, `sha256:` and 64 hexadecimal digits.
    #[serde(default)]
    pub digest: Option<String>,
}

/// An artifact to write.
#[derive(Clone, Debug, Deserialize)]
pub struct Artifact {
    /// Its name.
    pub name: String,
    /// Where it is written: absolute, below `/hearth/out`.
    pub path: PathBuf,
}

/// An output to write.
#[derive(Clone, Debug, Deserialize)]
pub struct DeclaredOutput {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub of: OutputType,
}

impl Spec {
    /// Reads a spec.
    ///
    /// # Errors
    ///
    /// 74 when the file can't be read, 78 when it is too long, no spec, or of a version that this program doesn't know.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let io = |error: std::io::Error| Failure::io(format!("{}: {error}", path.display()));
        let mut text = Vec::new();
        let most = u64::try_from(MAX_SPEC).unwrap_or(u64::MAX);
        File::open(path).map_err(io)?.take(most.saturating_add(1)).read_to_end(&mut text).map_err(io)?;
        if text.len() > MAX_SPEC {
            return Err(Failure::config(format!("{}: longer than {MAX_SPEC} bytes", path.display())));
        }
        Self::parse(&text).map_err(|failure| Failure::new(failure.code, format!("{}: {failure}", path.display())))
    }

    /// Reads a spec's text.
    ///
    /// # Errors
    ///
    /// As [`Spec::read`].
    pub fn parse(text: &[u8]) -> Result<Self, Failure> {
        // The version comes first: the fields of another one may mean something else.
        #[derive(Deserialize)]
        struct Versioned {
            version: String,
        }
        let version: Versioned = read(text)?;
        if version.version != VERSION {
            return Err(Failure::config(format!(
                "version {:?} is not known, only {VERSION:?} is: use an image of the operator's release",
                version.version
            )));
        }
        read(text)
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Failure> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(Failure::config)?;
    json.end().map_err(Failure::config)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CO2: &str = r#"{"version": "1", "run": {"id": "01937c5e", "number": 3},
        "workflow": {"namespace": "climate", "name": "co2"}, "step": "clean", "attempt": 1, "params": {"maxGap": 4},
        "outputs": [{"name": "months", "type": "integer"}]"#;

    #[test]
    fn a_spec_of_today_is_read_and_what_is_new_is_optional() {
        let spec = Spec::parse(format!("{CO2}, \"later\": 1}}").as_bytes()).unwrap();
        assert_eq!((spec.run.number, spec.step.as_str(), spec.attempt), (3, "clean", 1));
        assert!(spec.with.is_none() && spec.inputs.is_empty() && spec.seed.is_none() && spec.item.is_none());
        let full = format!(
            r#"{CO2}, "with": {{"a": 1}}, "item": "loess", "index": 2, "seed": 7,
            "inputs": [{{"name": "raw", "path": "/hearth/in/raw", "digest": "sha256:00"}}],
            "artifacts": [{{"name": "table", "path": "/hearth/out/table.parquet"}}]}}"#
        );
        let spec = Spec::parse(full.as_bytes()).unwrap();
        assert_eq!((spec.index, spec.seed, spec.item), (Some(2), Some(7), Some("loess".into())));
        assert_eq!(spec.inputs[0].digest.as_deref(), Some("sha256:00"));
        assert_eq!(spec.artifacts[0].path, Path::new("/hearth/out/table.parquet"));
    }

    #[test]
    fn what_is_no_spec_is_refused_with_the_place() {
        let says = |text: &str| Spec::parse(text.as_bytes()).unwrap_err().message;
        assert!(says("{\"version\": \"2\", \"run\": 4}").starts_with("version \"2\" is not known, only \"1\" is"));
        assert!(says("{}").contains("missing field `version`"));
        assert!(says(&format!("{CO2}, \"index\": -1}}")).starts_with("index: invalid value: integer `-1`"));
        assert!(
            says(&format!("{}}}", CO2.replace("integer", "date"))).contains("outputs[0].type: unknown variant `date`")
        );
        assert!(says(&format!("{CO2}}} x")).contains("trailing characters"));
    }

    #[test]
    fn a_long_file_is_refused() {
        let path = std::env::temp_dir().join(format!("hearth-runtime-spec-{}", std::process::id()));
        std::fs::write(&path, " ".repeat(16 * 1024 + 1)).unwrap();
        let failure = Spec::read(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(failure.code.number() == 78 && failure.message.ends_with("longer than 16384 bytes"), "{failure}");
        assert_eq!(Spec::read(&path).unwrap_err().code.number(), 74);
    }
}
