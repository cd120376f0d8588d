//! What the API and its clients say to each other: the documents, the paths and the names that both must know.

#![cfg_attr(test, allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panic"))]

mod audit;
mod figures;
mod lineage;
mod report;
mod request;
mod trigger;

pub use audit::{AuditAnchor, AuditRecord, NO_HASH, Verdict, Verifier};
pub use figures::{Durations, Trend, TrendDay, Usage, UsageOf};
pub use lineage::{Lineage, LineageEdge};
pub use report::{NodeLog, Notified, NotifyBody};
pub use request::{ApproveBody, Asked, CancelBody, RerunBody};
pub use trigger::{TriggerBody, Triggered};

use hearth_crds::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The audience of tokens made for the API alone.
pub const AUDIENCE: &str = "api.hearth.dev";
/// The port that the API listens on, with TLS.
pub const PORT: u16 = 8443;
/// The ConfigMap in the operator's namespace that holds the certificate of the API's own CA.
pub use hearth_crds::CA_CONFIG_MAP;
/// The key in that ConfigMap.
pub const CA_KEY: &str = "ca.crt";
/// The Secret in the operator's namespace that holds the API's own CA.
pub const CA_SECRET: &str = "hearth-api-ca";
/// Labels of the operator's pods.
pub const POD_SELECTOR: &str = "app.kubernetes.io/name=hearth,app.kubernetes.io/component=operator";
/// The most runs in one page.
pub const MAX_PAGE: u32 = 500;

/// The first DNS name in the API's certificate, when its Service is called `service`.
#[must_use]
pub fn server_name(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// A page of something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// In order.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// UUIDv7.
    pub id: String,
    /// Kind of the object.
    pub kind: String,
    /// Namespace of the object.
    pub namespace: String,
    /// UID of that namespace; empty when it was not known.
    pub namespace_uid: String,
    /// Name of the object.
    pub name: String,
    /// UID of the object.
    pub uid: String,
    /// UID of the cluster's kube-system namespace.
    pub cluster: String,
    /// Number of the run, counted per object.
    pub number: i64,
    /// Pending, Running, Succeeded, Failed, Cancelled or Vanished.
    pub phase: String,
    /// Whether it is over.
    pub terminal: bool,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What started it.
    pub trigger: String,
    /// Who it belongs to; empty when nobody is named.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Start.
    pub started_at: Time,
    /// End.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// From start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The store refused the full row; spec, params, results and labels are empty.
    pub minimal: bool,
    /// The id that an outside system gave the run that it reported; absent for a run of the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_id: Option<String>,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// What lists show.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Grows with each accepted change of the run.
    pub seq: i64,
    /// Name of the ControllerRevision that the run ran.
    pub revision: String,
    /// Digest of the fields that affect a run.
    pub digest: String,
    /// Labels of the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The spec as the run ran it.
    pub spec: Value,
    /// Params as resolved.
    pub params: Value,
    /// Results.
    pub results: Value,
}

/// An attempt of a step, or a step that never started (attempt 0).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: i32,
    /// Number of the attempt.
    pub attempt: i32,
    /// `seq` of the run that shows it.
    pub seq: i64,
    /// Running, Waiting, Succeeded, Failed, Skipped, Cancelled, Void or Vanished.
    pub phase: String,
    /// Whether it is over.
    pub terminal: bool,
    /// Failure class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Exit code of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Name of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Node that it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Image as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Image as the kubelet pulled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// Outputs.
    pub outputs: Value,
    /// Artifacts by name, each with digest, bytes and whether it is a directory.
    #[serde(default)]
    pub artifacts: Value,
    /// Whether its log is kept, or the end of it.
    pub has_log: bool,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_unavailable: Option<String>,
    /// When the attempt was intended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// From start to end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// The run that did the work, when it was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
}

/// A transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub at: Time,
    /// `run`, or `step/NAME/ATTEMPT`.
    pub subject: String,
    /// The phase that was entered.
    pub transition: String,
    /// `seq` of the run that shows it.
    pub seq: i64,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What happened, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The end of an attempt's log, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// Name of the step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: i32,
    /// Number of the attempt.
    pub attempt: i32,
    /// Phase of the attempt.
    pub phase: String,
    /// Name of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The text, at most 64 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Why there is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_unavailable: Option<String>,
    /// The whole log, with `logs: Full`; logs/text has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<WholeLog>,
    /// Why it could not be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole_unavailable: Option<String>,
}

/// A whole log, in the artifact store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WholeLog {
    /// Digest of its bytes: `sha256:hex`.
    pub digest: String,
    /// How many there are.
    pub bytes: i64,
    /// Bytes of its middle that were left out because it was too long; a line in their place says so.
    pub left_out: i64,
}

/// What went wrong with a request (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// URI of the kind of problem, [`ProblemKind::uri`].
    #[serde(rename = "type")]
    pub type_: String,
    /// The kind of problem in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// This problem in words, with what to do.
    pub detail: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// The request does not say something that can be answered.
    BadRequest,
    /// Nobody known asked.
    Unauthenticated,
    /// The asker lacks a right.
    Forbidden,
    /// No such thing.
    NotFound,
    /// No such verb on this resource.
    MethodNotAllowed,
    /// It is not in a state in which this can be done.
    Conflict,
    /// The request's body is too long.
    TooLarge,
    /// It has none of the bytes that are asked for.
    Range,
    /// Too many requests of one identity.
    TooManyRequests,
    /// The history store does not answer.
    StoreAway,
    /// The Kubernetes API server does not answer.
    ClusterAway,
    /// It took too long.
    TimedOut,
    /// A defect.
    Internal,
}

impl ProblemKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::TooLarge,
        Self::Range,
        Self::TooManyRequests,
        Self::StoreAway,
        Self::ClusterAway,
        Self::TimedOut,
        Self::Internal,
    ];

    /// HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Range => 416,
            Self::TooManyRequests => 429,
            Self::StoreAway | Self::ClusterAway | Self::TimedOut => 503,
            Self::Internal => 500,
        }
    }

    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be answered",
            Self::Unauthenticated => "Who asks is not known",
            Self::Forbidden => "A right is missing",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "Not allowed on this resource",
            Self::Conflict => "Not possible in this state",
            Self::TooLarge => "The request is too long",
            Self::Range => "There are no such bytes",
            Self::TooManyRequests => "Too many requests",
            Self::StoreAway => "The history store is away",
            Self::ClusterAway => "The Kubernetes API server does not answer",
            Self::TimedOut => "The answer took too long",
            Self::Internal => "A defect in Hearth",
        }
    }

    /// The `type` of the document.
    #[must_use]
    pub fn uri(self) -> &'static str {
        match self {
            Self::BadRequest => "urn:hearth:problem:bad-request",
            Self::Unauthenticated => "urn:hearth:problem:unauthenticated",
            Self::Forbidden => "urn:hearth:problem:forbidden",
            Self::NotFound => "urn:hearth:problem:not-found",
            Self::MethodNotAllowed => "urn:hearth:problem:method-not-allowed",
            Self::Conflict => "urn:hearth:problem:conflict",
            Self::TooLarge => "urn:hearth:problem:too-large",
            Self::Range => "urn:hearth:problem:range",
            Self::TooManyRequests => "urn:hearth:problem:too-many-requests",
            Self::StoreAway => "urn:hearth:problem:store-away",
            Self::ClusterAway => "urn:hearth:problem:cluster-away",
            Self::TimedOut => "urn:hearth:problem:timed-out",
            Self::Internal => "urn:hearth:problem:internal",
        }
    }
}

impl Problem {
    /// A problem of that kind.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self {
            type_: kind.uri().to_owned(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
        }
    }

    /// Its kind, unless a newer server sent one that is not known here.
    #[must_use]
    pub fn kind(&self) -> Option<ProblemKind> {
        ProblemKind::ALL.into_iter().find(|k| k.uri() == self.type_)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_known_by_its_type() {
        for kind in ProblemKind::ALL {
            let text = serde_json::to_string(&Problem::new(kind, "x")).unwrap();
            assert_eq!(serde_json::from_str::<Problem>(&text).unwrap().kind(), Some(kind));
        }
    }

    #[test]
    fn a_run_reads_back() {
        let text = r#"{"id":"i","kind":"Workflow","namespace":"n","namespaceUid":"u","name":"w","number":1,"phase":"Running","terminal":false,
            "trigger":"Created","startedAt":"2026-11-21T08:00:00.000Z","uid":"o","cluster":"c","minimal":false,"seq":3,"revision":"r","digest":"1:ab","spec":{},"params":{},"results":null}"#;
        let run: Run = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&serde_json::to_string(&run).unwrap()).unwrap(), run);
    }
}
