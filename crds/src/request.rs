//! What somebody asks of an object without a change of its spec: entries of `status.requests`.

use crate::{time::Time, workflow::RerunFrom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most requests that an object may hold at a time.
pub const MAX_REQUESTS: usize = 32;

/// One thing that is asked. The operator alone acts on it, and answers in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// id that its sender gave it: the same again is the same request.
    #[schemars(length(min = 1, max = 63))]
    pub id: String,
    /// kind: what is asked.
    pub kind: RequestKind,
    /// run: id of the run that Cancel and Approve are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 36))]
    pub run: Option<String>,
    /// step that Approve is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 52))]
    pub step: Option<String>,
    /// from: where the run that Rerun asks for begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RerunFrom>,
    /// by: who asked.
    #[schemars(length(max = 256))]
    pub by: String,
    /// at: when it was asked.
    pub at: Time,
    /// answer of the operator; the request goes a while after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RequestKind {
    /// Stop a run.
    Cancel,
    /// Let a step that waits for approval go on.
    Approve,
    /// One more run.
    Rerun,
    /// No new step and no new run.
    Suspend,
    /// The end of a requested suspension.
    Resume,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// result: Done or Refused.
    pub result: AnswerResult,
    /// message: what was done, or why not.
    pub message: String,
    /// at: when it was answered.
    pub at: Time,
}

/// Whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum AnswerResult {
    /// Its effect is in the status that has the answer.
    Done,
    /// It cannot be done.
    Refused,
}

/// A suspension that was asked for. It lasts until somebody asks for its end, or changes spec.suspend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedSuspension {
    /// by: who asked for it.
    pub by: String,
    /// at: since when.
    pub at: Time,
    /// spec: what spec.suspend said then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<bool>,
}
