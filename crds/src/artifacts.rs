//! Files that steps hand on to each other.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Files that a step reads from earlier steps, and files that it leaves for later ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifacts {
    /// in: artifacts of earlier steps, which are there before the command starts, below /hearth/in. Default: none.
    #[serde(default, rename = "in", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub inputs: Vec<ArtifactIn>,
    /// out: files or directories that are stored when the command has ended with 0, from below /hearth/out. Default: none.
    #[serde(default, rename = "out", skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub outputs: Vec<ArtifactOut>,
}

/// An artifact that a step reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactIn {
    /// from: the step that leaves it and its name there, as STEP.ARTIFACT, for example clean.table.
    #[schemars(length(min = 3, max = 85))]
    pub from: String,
    /// name that this step knows it by, for example in `with`. Default: its name in the step that leaves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub name: Option<String>,
    /// path below /hearth/in where it lies, for example table.parquet. Default: its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub path: Option<String>,
}

/// An artifact that a step leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ArtifactOut {
    /// name: a letter, then letters, digits, _ and -; 32 at most. Later steps say STEP.NAME.
    #[schemars(length(min = 1, max = 32))]
    pub name: String,
    /// path below /hearth/out of the file or directory, for example table.parquet. Default: the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub path: Option<String>,
}

/// A stored artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredArtifact {
    /// digest of the stored bytes, as `sha256:hex`.
    pub digest: String,
    /// bytes that are stored.
    pub bytes: i64,
    /// directory: whether the bytes are the tar of one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub directory: bool,
}
