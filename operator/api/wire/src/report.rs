//! A run that an outside system made itself, as it reports it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A run that was made outside, and what is known of it by now. The same again changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotifyBody {
    /// The id that the outside system gives the run, 1 to 253 characters. Another report with it is about the same run.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub run_id: Option<String>,
    /// pending, running, completed, failed or cancelled. The last three are an end, which does not change any more.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: Option<String>,
    /// What it was given, an object of at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Value>,
    /// What came out, an object of at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
    /// When it started (RFC 3339). Left out, it is what was said before, else what the end says, else now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended (RFC 3339). A run that ended needs this or durationMs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// From start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// What happened, in at most 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What its steps did, 128 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_logs: Vec<NodeLog>,
}

/// An attempt of a step of such a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeLog {
    /// Name of the step, 1 to 253 characters.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub step: Option<String>,
    /// Item, when there are several. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<i32>,
    /// Number of the attempt, from 1. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i32>,
    /// pending, running, completed, failed, cancelled or skipped.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: Option<String>,
    /// What happened, in at most 1,024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Outputs, an object of at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Value>,
    /// The end of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Notified {
    /// The id of the run here, for GET /api/v1/runs/{id}.
    pub id: String,
    /// The id that the outside system gave it.
    pub run_id: String,
    /// New, Changed, or Same: it was reported just so before.
    pub result: String,
}
