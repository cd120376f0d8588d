//! What history keeps: rows derived from statuses that the API server has accepted.

use hearth_crds::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The object that records speak of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// Kind, for example Workflow.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID of the object.
    pub uid: String,
}

/// One row of history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// A run.
    Run(Box<RunRow>),
    /// An attempt of a step, or a step that never started (attempt 0).
    Step(Box<StepRow>),
    /// A transition.
    Event(EventRow),
    /// What came of what.
    Lineage(LineageRow),
}

/// The rows of one accepted status, in one piece: they are stored together.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordBatch {
    /// Whose they are.
    pub object: ObjectKey,
    /// The run.
    pub run_id: String,
    /// `status.run.seq` of the accepted status.
    pub seq: i64,
    /// Whether the status is terminal: its acknowledgement wakes the object's reconcile.
    pub last: bool,
    /// The rows.
    pub records: Vec<Record>,
}

/// The store's word that a batch is durable, and all batches of the run before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Whose it was.
    pub object: ObjectKey,
    /// The run.
    pub run_id: String,
    /// The `seq` that is durable.
    pub seq: i64,
    /// Whether it is that of the run's final batch.
    pub last: bool,
    /// Whether the store refused the full row and took the minimal one.
    pub minimal: bool,
}

/// A run, one row per run id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// UUIDv7.
    pub id: String,
    /// UID of kube-system.
    pub cluster: String,
    /// Whose run it is.
    pub object: ObjectKey,
    /// UID of the namespace; empty when it was not known.
    pub namespace_uid: String,
    /// Number per object.
    pub number: i64,
    /// `status.run.seq`.
    pub seq: i64,
    /// Pending, Running, Succeeded, Failed, Cancelled (the store adds Vanished).
    pub phase: String,
    /// Whether the phase is final.
    pub terminal: bool,
    /// Reason in one word.
    pub reason: Option<String>,
    /// Message for people.
    pub message: Option<String>,
    /// What started it: Created, Changed, Rerun.
    pub trigger: String,
    /// Name of the revision, and the digest of the spec.
    pub revision: String,
    /// Digest of the run-affecting fields.
    pub digest: String,
    /// The spec as pinned.
    pub spec: Value,
    /// Params as resolved.
    pub params: Value,
    /// Results.
    pub results: Value,
    /// Labels of the object (the user's), for filters.
    pub labels: BTreeMap<String, String>,
    /// Value of the annotation `hearth.dev/owner`, or empty.
    pub owner: String,
    /// Start.
    pub started_at: Time,
    /// End.
    pub finished_at: Option<Time>,
}

/// An attempt of a step; key (run id, step, item, attempt).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRow {
    /// The run.
    pub run_id: String,
    /// Start of the run, which is part of the paging key.
    pub run_started_at: Time,
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: i32,
    /// Number of the attempt; 0 for a step that never started.
    pub attempt: i32,
    /// `status.run.seq`.
    pub seq: i64,
    /// Running, Waiting, Succeeded, Failed, Skipped, Cancelled, Void.
    pub phase: String,
    /// Whether the phase is final.
    pub terminal: bool,
    /// Failure class in one word.
    pub class: Option<String>,
    /// Reason in one word.
    pub reason: Option<String>,
    /// Message for people.
    pub message: Option<String>,
    /// Exit code of the container.
    pub exit_code: Option<i32>,
    /// Name of the pod.
    pub pod: Option<String>,
    /// Node that it ran on.
    pub node: Option<String>,
    /// Image as written.
    pub image: Option<String>,
    /// Image as the kubelet pulled it.
    pub image_id: Option<String>,
    /// Outputs as written by the step.
    pub outputs: Value,
    /// Artifacts as stored, by name: digest, bytes, directory.
    #[serde(default)]
    pub artifacts: Value,
    /// End of the log, at most 64 KiB.
    pub log: Option<String>,
    /// Why there is no log.
    pub log_unavailable: Option<String>,
    /// When the attempt was intended.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// What its work was, when it succeeded and the step has `cache`: equal for equal work of one namespace.
    #[serde(default)]
    pub work_key: Option<String>,
    /// The run that did the work, when it was taken over.
    #[serde(default)]
    pub cached_from: Option<String>,
}

/// A transition; key (run id, subject, transition), so that deriving it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The run.
    pub run_id: String,
    /// `run`, or `step/NAME/ATTEMPT`.
    pub subject: String,
    /// The phase that was entered.
    pub transition: String,
    /// `status.run.seq` of the status that shows it.
    pub seq: i64,
    /// When, from the objects themselves.
    pub at: Time,
    /// Reason in one word.
    pub reason: Option<String>,
    /// Message for people.
    pub message: Option<String>,
}

/// That one thing came of another; the whole row is its key, so that deriving it again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineageRow {
    /// The run whose status says so.
    pub run_id: String,
    /// `status.run.seq` of that status.
    pub seq: i64,
    /// How they belong together.
    pub relation: Relation,
    /// What was there before: the id of a run, `sha256:hex` of data or of an image, or `workflow/NAME`.
    pub from: String,
    /// What came of it: the id of a run, or `sha256:hex` of data.
    pub to: String,
    /// The step that did it; empty when it was the run as a whole.
    pub step: String,
    /// Number of its attempt; 0 when it was the run as a whole.
    pub attempt: i32,
    /// What the step calls the data, or the image as written.
    pub name: String,
}

/// How two things belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Relation {
    /// The run `to` read the artifact `from`.
    Read,
    /// The run `from` wrote the artifact `to`.
    Wrote,
    /// The run `to` ran the image `from`.
    RanImage,
    /// The run `to` ran the template `from`.
    RanTemplate,
    /// The run `to` took over steps of the run `from`.
    RerunOf,
    /// A step of the run `from` asked for the run `to`.
    Called,
    /// A step of the run `to` took over work of the run `from`.
    Cached,
}

impl Relation {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Wrote => "Wrote",
            Self::RanImage => "RanImage",
            Self::RanTemplate => "RanTemplate",
            Self::RerunOf => "RerunOf",
            Self::Called => "Called",
            Self::Cached => "Cached",
        }
    }
}
