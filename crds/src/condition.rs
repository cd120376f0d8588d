//! Conditions and the closed set of reasons that they give.

use crate::time::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One aspect of an object's state, in the form of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// type of the condition, for example Ready.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// status: True, False or Unknown.
    pub status: ConditionStatus,
    /// reason: one word that programs may compare.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// message for people: what happened, and the next action.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// lastTransitionTime: when status last changed.
    pub last_transition_time: Time,
    /// observedGeneration: the metadata.generation that this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The types of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum ConditionType {
    /// The object does what it is asked to do.
    Ready,
    /// Work is under way towards the wanted state.
    Reconciling,
    /// Nothing more happens until somebody acts.
    Stalled,
    /// The run of the current spec succeeded.
    Complete,
    /// The run of the current spec failed or was cancelled.
    Failed,
    /// The run is suspended.
    Suspended,
    /// The spec changed while a run is under way; a run of it follows.
    ChangePending,
    /// The last run of a template did not succeed.
    LastRunFailed,
    /// The record of the last run is in the history store.
    HistoryStored,
}

/// The status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

/// Every reason that a condition, a row or an Event of ours gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Reason {
    /// The spec was accepted and its first pods are on their way.
    Accepted,
    /// Pods run.
    Running,
    /// The run succeeded.
    Completed,
    /// A step failed for good.
    StepFailed,
    /// `cancel.run` named this run.
    Cancelled,
    /// The run's or the step's `timeout` passed.
    TimedOut,
    /// A pod stayed pending for longer than `pendingTimeout`.
    PendingTimeout,
    /// The spec does not say something that can run; the message names the field.
    InvalidSpec,
    /// `suspend` is true.
    Suspended,
    /// A quota leaves no room for the next pod; the run waits.
    QuotaExceeded,
    /// The API server refuses the pod (Pod Security or another admission rule).
    PodRefused,
    /// The API server calls the pod invalid.
    PodInvalid,
    /// No node can take the pod.
    Unschedulable,
    /// The image cannot be pulled.
    ImagePullFailed,
    /// The container cannot be started (missing Secret or ConfigMap, bad command).
    ContainerCannotRun,
    /// A child's name is taken by an object that is not ours.
    NameTaken,
    /// The container was killed for using more memory than its limit.
    OutOfMemory,
    /// The container ended with a non-zero exit code.
    ExitCode,
    /// The pod was evicted.
    Evicted,
    /// The pod was preempted.
    Preempted,
    /// The node is gone or unreachable.
    NodeLost,
    /// Somebody deleted the pod.
    PodDeleted,
    /// The outputs are longer than 3 KiB.
    OutputsTooLong,
    /// The outputs are not a JSON object.
    OutputsNotJson,
    /// An output was written that the step does not declare.
    OutputUndeclared,
    /// A declared output was not written.
    OutputMissing,
    /// An output is of another type than declared.
    OutputMistyped,
    /// An expression failed while it was evaluated.
    ExpressionFailed,
    /// What came of `with` is not what the runtime takes.
    InvalidWith,
    /// An artifact is not there.
    ArtifactMissing,
    /// Items of a step failed.
    ItemsFailed,
    /// The run of another Workflow that the step asked for did not succeed.
    RunFailed,
    /// A step that this one needs did not succeed.
    NeedFailed,
    /// `when` was false.
    WhenFalse,
    /// A step ended otherwise than `after` asks.
    OutcomeUnmet,
    /// It succeeded in an earlier run, whose outputs are taken over.
    Reused,
    /// The same work was done before, and what came of it is taken over.
    Cached,
    /// Whether the same work was done before is not known, so it is done.
    CacheUnknown,
    /// A step waits until somebody approves it.
    WaitingForApproval,
    /// Somebody approved it.
    Approved,
    /// The object is a template: it runs when it is asked to.
    Template,
    /// The template that `from` names is not there.
    WaitingForTemplate,
    /// The object runs at the times of its schedules.
    Scheduled,
    /// A scheduled time came while the run was under way, and `concurrency` is Replace.
    Replaced,
    /// Another step failed and `failFast` is true.
    FailFast,
    /// The results are longer than 8 KiB.
    ResultsTooLong,
    /// The object was deleted in mid-run.
    Deleted,
    /// The spec changed while a run is under way.
    SpecChanged,
    /// The record is stored.
    Stored,
    /// The record is on its way to the store.
    Pending,
    /// The store is away; the object holds the record until it is back.
    Backlog,
    /// The object cannot be handled; others go on.
    Poisoned,
    /// An earlier attempt of the step ran another image under the same name.
    ImageDrift,
    /// Ten records wait for the store; new runs wait too.
    SpoolFull,
    /// All is well.
    Healthy,
}

impl Reason {
    /// The word itself, as it stands in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Running => "Running",
            Self::Completed => "Completed",
            Self::StepFailed => "StepFailed",
            Self::Cancelled => "Cancelled",
            Self::TimedOut => "TimedOut",
            Self::PendingTimeout => "PendingTimeout",
            Self::InvalidSpec => "InvalidSpec",
            Self::Suspended => "Suspended",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::PodRefused => "PodRefused",
            Self::PodInvalid => "PodInvalid",
            Self::Unschedulable => "Unschedulable",
            Self::ImagePullFailed => "ImagePullFailed",
            Self::ContainerCannotRun => "ContainerCannotRun",
            Self::NameTaken => "NameTaken",
            Self::OutOfMemory => "OutOfMemory",
            Self::ExitCode => "ExitCode",
            Self::Evicted => "Evicted",
            Self::Preempted => "Preempted",
            Self::NodeLost => "NodeLost",
            Self::PodDeleted => "PodDeleted",
            Self::OutputsTooLong => "OutputsTooLong",
            Self::OutputsNotJson => "OutputsNotJson",
            Self::OutputUndeclared => "OutputUndeclared",
            Self::OutputMissing => "OutputMissing",
            Self::OutputMistyped => "OutputMistyped",
            Self::ExpressionFailed => "ExpressionFailed",
            Self::InvalidWith => "InvalidWith",
            Self::ArtifactMissing => "ArtifactMissing",
            Self::ItemsFailed => "ItemsFailed",
            Self::RunFailed => "RunFailed",
            Self::NeedFailed => "NeedFailed",
            Self::WhenFalse => "WhenFalse",
            Self::OutcomeUnmet => "OutcomeUnmet",
            Self::Reused => "Reused",
            Self::Cached => "Cached",
            Self::CacheUnknown => "CacheUnknown",
            Self::WaitingForApproval => "WaitingForApproval",
            Self::Approved => "Approved",
            Self::Template => "Template",
            Self::WaitingForTemplate => "WaitingForTemplate",
            Self::Scheduled => "Scheduled",
            Self::Replaced => "Replaced",
            Self::FailFast => "FailFast",
            Self::ResultsTooLong => "ResultsTooLong",
            Self::Deleted => "Deleted",
            Self::SpecChanged => "SpecChanged",
            Self::Stored => "Stored",
            Self::Pending => "Pending",
            Self::Backlog => "Backlog",
            Self::Poisoned => "Poisoned",
            Self::ImageDrift => "ImageDrift",
            Self::SpoolFull => "SpoolFull",
            Self::Healthy => "Healthy",
        }
    }
}
