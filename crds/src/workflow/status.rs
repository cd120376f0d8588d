//! What the operator says of a Workflow: its run, its steps, and their items.

use super::{
    CacheUse,
    steps::{EndedSteps, Steps},
};
use crate::{
    artifacts::StoredArtifact,
    condition::{Condition, Reason},
    json::Json,
    ranges::Ranges,
    request::{Request, RequestedSuspension},
    time::Time,
};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the operator has seen and decided. Under 64 KiB at all times; details are in the history store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowStatus {
    /// observedGeneration: the metadata.generation that this status answers.
    #[schemars(extend("default" = -1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// phase of the current run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RunPhase>,
    /// reason why it is in this phase, in one word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<crate::condition::Reason>,
    /// progress: steps that ended, of all steps, for example 3/6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<String>,
    /// conditions for people and programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// run: the current or last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// lastRun: the run before the current one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// rerunToken: the last rerun.token that was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerun_token: Option<String>,
    /// schedule: how far the times of spec.schedules are used up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
    /// requests: what was asked of the object without a change of its spec; each goes ten minutes after its answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    #[schemars(length(max = 32))]
    pub requests: Vec<Request>,
    /// suspension that was asked for by a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspension: Option<RequestedSuspension>,
}

/// How far the times of the schedules are used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// digest of the schedules that this speaks of: changed ones begin anew.
    pub digest: String,
    /// usedUntil: times up to this one were run, or given up.
    pub used_until: Time,
    /// next: when the next run is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Time>,
}

/// Phase of a run. The store adds Vanished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum RunPhase {
    /// Accepted; no pod has run yet.
    Pending,
    /// Under way.
    Running,
    /// Every step succeeded or was skipped by its `when`.
    Succeeded,
    /// A step failed for good, or a limit was passed.
    Failed,
    /// Stopped by `cancel` or deletion.
    Cancelled,
}

impl RunPhase {
    /// Whether the run is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// A run as the object knows it.
// Atomic: only the operator writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Run {
    /// id: UUIDv7, the run's name in the history store.
    pub id: String,
    /// number of the run, counted per object from 1, for people.
    pub number: i64,
    /// seq: grows by one with each accepted change of this run.
    pub seq: i64,
    /// revision: name of the ControllerRevision that holds the spec of this run.
    pub revision: String,
    /// digest of the run-affecting fields of spec, as `version:hex`.
    pub digest: String,
    /// generation of the spec that this run runs.
    pub generation: i64,
    /// trigger: what started it.
    pub trigger: Trigger,
    /// requestedBy: who asked for it, when a request did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// scheduledFor: the scheduled time that this run was started for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Time>,
    /// params as resolved at the start.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Json>,
    /// startedAt: when it was accepted.
    pub started_at: Time,
    /// finishedAt: when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// updatedAt: when this status last changed; progress alone is written every 5 s at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// stop: why the run is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Reason>,
    /// failure: the first failure, explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// results of the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, Json>,
    /// steps that have started, in the order of the spec.
    #[serde(default, skip_serializing_if = "Steps::is_empty")]
    #[schemars(with = "Vec<StepStatus>")]
    pub steps: Steps,
    /// over: steps that have ended, by place instead of by name, in a run of more than 128 steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<EndedSteps>,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Trigger {
    /// The object is new.
    Created,
    /// Its spec changed.
    Changed,
    /// Its rerun token changed.
    Rerun,
    /// A scheduled time came.
    Schedule,
    /// A request asked for it.
    Requested,
}

impl Trigger {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Changed => "Changed",
            Self::Rerun => "Rerun",
            Self::Schedule => "Schedule",
            Self::Requested => "Requested",
        }
    }
}

/// The first failure of a run, explained in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// step that failed first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// item of that step, when it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// attempt of that step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// reason in one word.
    pub reason: Reason,
    /// exitCode of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// message: what happened, the last log lines, and what to do.
    pub message: String,
}

/// Phase of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum StepPhase {
    /// An attempt is intended, pending or running.
    Running,
    /// The last attempt failed and the next waits for its time.
    Waiting,
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed,
    /// Never to start in this run.
    Skipped,
    /// Stopped with the run.
    Cancelled,
}

impl StepPhase {
    /// Whether the step is over.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Running | Self::Waiting => false,
            Self::Succeeded | Self::Failed | Self::Skipped | Self::Cancelled => true,
        }
    }

    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// A step that has started or will never start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepStatus {
    /// name of the step.
    pub name: String,
    /// phase of the step.
    pub phase: StepPhase,
    /// attempt: number of the last attempt that may have started; 0 when none may.
    pub attempt: u32,
    /// since: when this attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// startedAt: when the first attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// finishedAt: when the step ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// retryAt: when the next attempt may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// stop: why the current attempt is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Reason>,
    /// application: failures of the program so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub application: u32,
    /// infrastructure: failures of the cluster so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infrastructure: u32,
    /// ended: the last attempts that are over, and how; the history store has all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<AttemptEnd>,
    /// reason why it failed, was skipped or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// outputs that later steps, conditions or results read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Json>,
    /// artifacts that later steps read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, StoredArtifact>,
    /// workflow that the step runs, when it runs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// cache: what was found of earlier work, when the step looked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
    /// fanOut: how far the items of forEach have come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fan_out: Option<Box<FanOut>>,
}

/// How far the items of a step have come. An item that is below `started` and in none of the sets has succeeded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FanOut {
    /// count of the items.
    pub count: u32,
    /// started: high-water mark; items below it may have started, those from it on have not.
    pub started: u32,
    /// open: items that may have started and are not over, for example 0-4,7.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub open: Ranges,
    /// failed: items that failed for good.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub failed: Ranges,
    /// cancelled: items that were stopped with the run.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub cancelled: Ranges,
    /// marks: when the open items were intended; items below `below`, and not below an earlier mark, `at` that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// items that are not just in their first attempt, and the first 20 that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemStatus>,
    /// outputs by index of the item that later steps, conditions or results read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, BTreeMap<String, Json>>,
}

/// A move of the high-water mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// below this index.
    pub below: u32,
    /// at that time.
    pub at: Time,
}

/// One item of a step. The fields are those of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemStatus {
    /// index of the item, from 0.
    pub index: u32,
    /// phase of the item.
    pub phase: StepPhase,
    /// attempt: number of the last attempt that may have started.
    pub attempt: u32,
    /// since: when this attempt was intended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// retryAt: when the next attempt may start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Time>,
    /// stop: why the current attempt is being stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<Reason>,
    /// application: failures of the program so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub application: u32,
    /// infrastructure: failures of the cluster so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infrastructure: u32,
    /// ended: the last attempt that is over, and how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<AttemptEnd>,
    /// reason why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// finishedAt: when it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// cache: the earlier work that was taken over; listed until that is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheUse>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// How an attempt ended. Succeeded attempts are not listed: the step's phase says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptEnd {
    /// attempt: its number.
    pub attempt: u32,
    /// class of the failure.
    pub class: FailureClass,
    /// reason in one word.
    pub reason: Reason,
    /// exitCode of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// node that it ran on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// at: when it ended.
    pub at: Time,
}

/// Who is to blame for a failed attempt, and so whether another is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum FailureClass {
    /// The user's input or outputs: never tried again.
    UserError,
    /// The program: tried again within `retry.limit`.
    Application,
    /// The cluster: free, five times at most.
    Infrastructure,
    /// Never started: its number was given up and counts for nothing.
    Void,
    /// Stopped by the operator with the run or its limit.
    Stopped,
}

impl FailureClass {
    /// The word itself.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserError => "UserError",
            Self::Application => "Application",
            Self::Infrastructure => "Infrastructure",
            Self::Void => "Void",
            Self::Stopped => "Stopped",
        }
    }
}

/// The run before the current one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// id of the run.
    pub id: String,
    /// number of the run.
    pub number: i64,
    /// phase that it ended in.
    pub phase: RunPhase,
    /// finishedAt: when it ended.
    pub finished_at: Time,
}
