//! What is read back.

use hearth_crds::time::Time;
use hearth_plan::record::ObjectKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A page of rows and where the next one starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T, C> {
    /// The rows.
    pub items: Vec<T>,
    /// The key of the last row, when there are more.
    pub next: Option<C>,
}

/// Place in a list of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCursor {
    /// Start of the last run shown.
    pub started_at: Time,
    /// Its id.
    pub id: Uuid,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// UUIDv7.
    pub id: Uuid,
    /// UID of the cluster's kube-system.
    pub cluster: String,
    /// Kind of the object.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// UID of that namespace at the time; empty when it was not known. Authorise on this, not on the name alone.
    pub namespace_uid: String,
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub uid: String,
    /// Number per object.
    pub number: i64,
    /// Pending, Running, Succeeded, Failed, Cancelled or Vanished.
    pub phase: String,
    /// Whether it is over.
    pub terminal: bool,
    /// Reason in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Message for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What started it.
    pub trigger: String,
    /// Whose it is, as the object's annotation says.
    pub owner: String,
    /// Start.
    pub started_at: Time,
    /// End.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// End minus start, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The store refused the full row; spec, params, results and labels are empty.
    pub minimal: bool,
    /// The id that an outside system gave the run that it reported; None for a run of the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported_id: Option<String>,
}

impl RunSummary {
    /// Its place in a list.
    #[must_use]
    pub fn cursor(&self) -> RunCursor {
        RunCursor { started_at: self.started_at, id: self.id }
    }
}

/// A run in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What lists show.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Name of the pinned revision.
    pub revision: String,
    /// Digest of the run-affecting fields.
    pub digest: String,
    /// `status.run.seq` of the row: it grows with each change, so it serves as an ETag.
    pub seq: i64,
    /// The spec as pinned.
    pub spec: Value,
    /// Params as resolved.
    pub params: Value,
    /// Results.
    pub results: Value,
    /// Labels of the object.
    pub labels: BTreeMap<String, String>,
}

/// Place in a list of attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepKey {
    /// Start of the last attempt shown; None sorts last.
    pub started_at: Option<Time>,
    /// Its step.
    pub step: String,
    /// Its item.
    pub item: i32,
    /// Its number.
    pub attempt: i32,
}

/// An attempt of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: i32,
    /// Number of the attempt; 0 for a step that never started.
    pub attempt: i32,
    /// `status.run.seq` of the row.
    pub seq: i64,
    /// Running, Waiting, Succeeded, Failed, Skipped, Cancelled, Void or Vanished.
    pub phase: String,
    /// Whether it is over.
    pub terminal: bool,
    /// Failure class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Reason in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Message for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Exit code of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Node that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Image as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Image as pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Outputs.
    pub outputs: Value,
    /// Artifacts by name: digest, bytes, directory.
    pub artifacts: Value,
    /// Whether its log is kept, or the end of it.
    pub has_log: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_unavailable: Option<String>,
    /// When the attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// End minus start, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The run that did the work, when it was taken over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
}

impl Step {
    /// Its place in a list.
    #[must_use]
    pub fn key(&self) -> StepKey {
        StepKey { started_at: self.started_at, step: self.step.clone(), item: self.item, attempt: self.attempt }
    }
}

/// Place in a list of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventKey {
    /// Time of the last event shown.
    pub at: Time,
    /// Its `seq`.
    pub seq: i64,
    /// Its subject.
    pub subject: String,
    /// Its transition.
    pub transition: String,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// `run`, or `step/NAME/ATTEMPT`.
    pub subject: String,
    /// The phase that was entered.
    pub transition: String,
    /// `status.run.seq` of the status that shows it.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// Reason in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Message for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Event {
    /// Its place in a list.
    #[must_use]
    pub fn key(&self) -> EventKey {
        EventKey { at: self.at, seq: self.seq, subject: self.subject.clone(), transition: self.transition.clone() }
    }
}

/// The end of an attempt's log, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out.
    pub item: i32,
    /// Number of the attempt.
    pub attempt: i32,
    /// Phase of the attempt.
    pub phase: String,
    /// Name of the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The text, at most 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_unavailable: Option<String>,
    /// Where all of it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<WholeLog>,
    /// Why it is nowhere, although it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole_unavailable: Option<String>,
}

/// The whole log of an attempt, in the artifact store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WholeLog {
    /// `sha256:hex` of the bytes that are stored.
    pub digest: String,
    /// How many these are.
    pub bytes: i64,
    /// Bytes of the log's middle that are not among them, since the log was too long.
    pub left_out: i64,
}

/// An attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptKey {
    /// The run.
    pub run_id: Uuid,
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: i32,
    /// Number of the attempt, from 1.
    pub attempt: i32,
}

/// A run whose row has no end yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Whose it is.
    pub object: ObjectKey,
    /// The run.
    pub run_id: Uuid,
    /// Its number.
    pub number: i64,
}

/// A blob of the artifact store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobName {
    /// UID of the namespace whose run left it.
    pub namespace_uid: String,
    /// `sha256:hex`.
    pub digest: String,
}
