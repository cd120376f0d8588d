//! What came of what.

use crate::RunSummary;
use serde::{Deserialize, Serialize};

/// What a run, data or an image came of, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Lineage {
    /// What was asked for: the id of a run, or a digest.
    pub id: String,
    /// What it came of, the nearest first.
    pub upstream: Vec<LineageEdge>,
    /// What came of it, the nearest first.
    pub downstream: Vec<LineageEdge>,
    /// The runs among them whose records are there, the newest first.
    pub runs: Vec<RunSummary>,
    /// There is more: ask for more depth, or for more edges by limit.
    pub truncated: bool,
}

/// That one thing came of another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct LineageEdge {
    /// How many edges it is away from what was asked for, from 1.
    pub depth: u32,
    /// Read, Wrote (an artifact), RanImage, RanTemplate, RerunOf (it took over steps of an earlier run), Called (a step of another run asked for it) or Cached (it took over work of an earlier run).
    pub relation: String,
    /// What was there before: the id of a run, `sha256:hex` of an artifact or an image, or `workflow/NAME`.
    pub from: String,
    /// What came of it: the id of a run, or `sha256:hex` of an artifact.
    pub to: String,
    /// Id of the run that did it.
    pub run: String,
    /// Its step; absent when it was the run as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// Number of the step's attempt; absent when it was the run as a whole.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: i32,
    /// What the step calls the artifact, or the image as written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The run read what it wrote itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

fn is_zero(attempt: &i32) -> bool {
    *attempt == 0
}
