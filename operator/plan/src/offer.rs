//! What this operator offers beside pods of a user's own images: its catalog of runtimes, and artifacts.

use hearth_contract::name::is_artifact_name;
use hearth_crds::{
    json::ValueType,
    name::is_dns_label,
    pod::{PodSubset, Resources},
    workflow::WorkflowSpec,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What this operator offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// The catalog, by name.
    pub runtimes: BTreeMap<String, Runtime>,
    /// What steps with artifacts use; None when there is no store.
    pub artifacts: Option<ArtifactService>,
}

impl Offer {
    /// What a spec asks for, taken as given: for a check that knows no operator.
    #[must_use]
    pub fn assumed(spec: &WorkflowSpec) -> Self {
        let named = spec.steps.iter().chain(spec.on_exit.as_deref()).filter_map(|s| s.runtime.clone());
        let image = format!("runtime@sha256:{}", "0".repeat(64));
        let entry = Runtime { image, command: vec!["/runtime".into()], ..Runtime::default() };
        Self {
            runtimes: named.map(|name| (name, entry.clone())).collect(),
            artifacts: Some(ArtifactService {
                image: "hearth-step".into(),
                recorder: "https://recorder".into(),
                store_ca: None,
            }),
        }
    }
}

/// An entry of the catalog: an image that is used by a name, and what it can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Runtime {
    /// The image, by digest where a run shall be repeatable.
    pub image: String,
    /// The program; `artifacts.out` needs it, since the entrypoint of an image is not known outside of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Resources of a step that asks for none itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// JSON Schema of `with`. Without one, anything is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// The outputs that it can write, with their types. Without a list, a step may declare any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<BTreeMap<String, ValueType>>,
    /// The artifacts that it can write. Without a list, a step may declare any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Vec<String>>,
}

/// How pods come to their artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactService {
    /// Image of hearth-step, which fetches and stores them.
    pub image: String,
    /// The Recorder, as `https://HOST:PORT`.
    pub recorder: String,
    /// Certificate authorities of the store, in PEM, when it has others than the public ones.
    pub store_ca: Option<String>,
}

/// Why a catalog is not one.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Not of that form.
    #[error("the catalog of runtimes: {0}")]
    Form(#[from] serde_json::Error),
    /// An entry that cannot be used.
    #[error("the catalog of runtimes: {name}.{field}: {why}")]
    Entry {
        /// The entry.
        name: String,
        /// Its field.
        field: &'static str,
        /// What is wrong.
        why: String,
    },
}

/// Reads a catalog: a JSON object of runtimes by name.
///
/// # Errors
/// The entry and the field that are wrong.
pub fn catalog(text: &str) -> Result<BTreeMap<String, Runtime>, CatalogError> {
    let runtimes: BTreeMap<String, Runtime> = serde_json::from_str(text)?;
    for (name, runtime) in &runtimes {
        let wrong = |field, why: String| CatalogError::Entry { name: name.clone(), field, why };
        if !is_dns_label(name) || name.len() > 52 {
            return Err(wrong("name", "is not a DNS label of at most 52 characters".into()));
        }
        if runtime.image.is_empty() || runtime.image.chars().any(char::is_whitespace) {
            return Err(wrong("image", format!("{:?} is not an image", runtime.image)));
        }
        if let Some(schema) = &runtime.schema {
            jsonschema::validator_for(schema).map_err(|e| wrong("schema", e.to_string()))?;
        }
        if let Some(bad) = runtime.artifacts.iter().flatten().find(|a| !is_artifact_name(a)) {
            return Err(wrong("artifacts", format!("{bad:?} is not a name of an artifact")));
        }
    }
    Ok(runtimes)
}

impl Runtime {
    /// Its resources as settings of a pod, under those of the spec and the step.
    #[must_use]
    pub fn pod(&self) -> PodSubset {
        PodSubset { resources: self.resources.clone(), ..PodSubset::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::validate::validate;
    use serde_json::json;

    #[test]
    fn an_entry_that_cannot_be_used_is_named() {
        assert_eq!(catalog("{}").unwrap(), BTreeMap::new());
        let good = r#"{"features": {"image": "example.org/features@sha256:0", "command": ["/features"],
            "schema": {"type": "object"}, "outputs": {"rows": "integer"}, "artifacts": ["table"]}}"#;
        assert_eq!(catalog(good).unwrap()["features"].command, ["/features"]);
        let named = |length: usize| format!(r#"{{"{}": {{"image": "i"}}}}"#, "a".repeat(length));
        assert_eq!(catalog(&named(52)).unwrap().len(), 1);
        for (bad, says) in [
            ("[]", "invalid type"),
            (r#"{"A": {"image": "i"}}"#, "A.name: is not a DNS label"),
            (&named(53), "is not a DNS label of at most 52 characters"),
            (r#"{"a": {"image": ""}}"#, "a.image: \"\" is not an image"),
            (r#"{"a": {"image": "i", "schema": {"type": 1}}}"#, "a.schema: "),
            (r#"{"a": {"image": "i", "artifacts": ["../x"]}}"#, "a.artifacts: \"../x\""),
            (r#"{"a": {"image": "i", "imgae": "j"}}"#, "unknown field `imgae`"),
        ] {
            let error = catalog(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }

    /// A check that knows no catalog refuses nothing that some catalog would make right.
    #[test]
    fn a_runtime_that_is_assumed_can_do_what_the_spec_asks() {
        let spec: WorkflowSpec = serde_json::from_value(json!({
            "steps": [{"name": "fit", "runtime": "shape", "cache": {"maxAge": "1h"}, "with": {"deep": true},
                "outputs": [{"name": "rmse", "type": "number"}], "artifacts": {"out": [{"name": "model"}]}}],
            "onExit": {"name": "tell", "runtime": "post"},
        }))
        .unwrap();
        if let Err(invalid) = validate(&spec, &Offer::assumed(&spec)) {
            panic!("{invalid}");
        }
    }
}
