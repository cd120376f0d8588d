//! The resources. The router and the OpenAPI document are built from [`Endpoint::ALL`], so this list is what there is.

mod answer;
mod artifacts;
mod ask;
mod audit;
mod docs;
mod extract;
mod figures;
mod health;
mod lineage;
mod logs;
mod notify;
mod runs;
mod stream;
mod trigger;

use crate::{refused::Refused, router::Api};
use axum::{extract::State, http::Method};
use hearth_wire::ProblemKind;
use utoipa_axum::{router::UtoipaMethodRouter, routes};

/// A verb on a resource behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Runs.
    Runs,
    /// One run.
    Run,
    /// The end of its record.
    DeleteRun,
    /// Its attempts.
    Steps,
    /// Its transitions.
    Events,
    /// Its transitions as they come.
    Stream,
    /// The log of an attempt.
    Logs,
    /// The same as text.
    LogText,
    /// A file that a step left.
    Artifact,
    /// Runs of one Workflow.
    WorkflowRuns,
    /// How they went.
    WorkflowTrend,
    /// The end of a run.
    Cancel,
    /// An approval.
    Approve,
    /// A run with params of one's own.
    Trigger,
    /// One more run.
    Rerun,
    /// A suspension.
    Suspend,
    /// Its end.
    Resume,
    /// What came of what.
    Lineage,
    /// What runs asked for.
    Usage,
    /// The audit trail, newest first.
    Audit,
    /// The same by its chains.
    AuditChain,
    /// What vouches for records that went by age.
    AuditAnchors,
    /// A run that was made elsewhere.
    Notify,
    /// Runs of one Workflow, by the short path.
    WorkflowRunsShort,
    /// A run that was made elsewhere, by the short path.
    NotifyShort,
    /// Whether the process answers, by the short path.
    Health,
    /// Whether it serves, by the short path.
    HealthReady,
    /// How it is.
    Status,
    /// The OpenAPI document.
    Document,
    /// The page to try it.
    Docs,
    /// What the page consists of.
    DocsFile,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Runs,
        Self::Run,
        Self::DeleteRun,
        Self::Steps,
        Self::Events,
        Self::Stream,
        Self::Logs,
        Self::LogText,
        Self::Artifact,
        Self::WorkflowRuns,
        Self::WorkflowTrend,
        Self::Cancel,
        Self::Approve,
        Self::Trigger,
        Self::Rerun,
        Self::Suspend,
        Self::Resume,
        Self::Lineage,
        Self::Usage,
        Self::Audit,
        Self::AuditChain,
        Self::AuditAnchors,
        Self::Notify,
        Self::WorkflowRunsShort,
        Self::NotifyShort,
        Self::Health,
        Self::HealthReady,
        Self::Status,
        Self::Document,
        Self::Docs,
        Self::DocsFile,
    ];

    /// The path, as axum and OpenAPI write it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Runs => "/api/v1/runs",
            Self::Run | Self::DeleteRun => "/api/v1/runs/{id}",
            Self::Steps => "/api/v1/runs/{id}/steps",
            Self::Events => "/api/v1/runs/{id}/events",
            Self::Stream => "/api/v1/runs/{id}/events/stream",
            Self::Logs => "/api/v1/runs/{id}/logs",
            Self::LogText => "/api/v1/runs/{id}/logs/text",
            Self::Artifact => "/api/v1/runs/{id}/artifacts/{step}/{artifact}",
            Self::WorkflowRuns => "/api/v1/workflows/{namespace}/{name}/runs",
            Self::WorkflowTrend => "/api/v1/workflows/{namespace}/{name}/trend",
            Self::Cancel => "/api/v1/workflows/{namespace}/{name}/cancel",
            Self::Approve => "/api/v1/workflows/{namespace}/{name}/approve",
            Self::Trigger => "/api/v1/workflows/{namespace}/{name}/trigger",
            Self::Rerun => "/api/v1/workflows/{namespace}/{name}/rerun",
            Self::Suspend => "/api/v1/workflows/{namespace}/{name}/suspend",
            Self::Resume => "/api/v1/workflows/{namespace}/{name}/resume",
            Self::Lineage => "/api/v1/lineage/{id}",
            Self::Usage => "/api/v1/usage",
            Self::Audit => "/api/v1/audit",
            Self::AuditChain => "/api/v1/audit/chain",
            Self::AuditAnchors => "/api/v1/audit/anchors",
            Self::Notify => "/api/v1/workflows/{namespace}/{name}/runs/notify",
            Self::WorkflowRunsShort => "/workflows/{id}/runs",
            Self::NotifyShort => "/workflows/{id}/runs/notify",
            Self::Health => "/health",
            Self::HealthReady => "/health/ready",
            Self::Status => "/status",
            Self::Document => "/openapi.json",
            Self::Docs => "/docs",
            Self::DocsFile => "/docs/{file}",
        }
    }

    /// The verb.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Self::DeleteRun => Method::DELETE,
            Self::Cancel
            | Self::Approve
            | Self::Trigger
            | Self::Rerun
            | Self::Suspend
            | Self::Resume
            | Self::Notify
            | Self::NotifyShort => Method::POST,
            Self::Runs
            | Self::Run
            | Self::Steps
            | Self::Events
            | Self::Stream
            | Self::Logs
            | Self::LogText
            | Self::Artifact
            | Self::WorkflowRuns
            | Self::WorkflowTrend
            | Self::Lineage
            | Self::Usage
            | Self::Audit
            | Self::AuditChain
            | Self::AuditAnchors
            | Self::WorkflowRunsShort
            | Self::Health
            | Self::HealthReady
            | Self::Status
            | Self::Document
            | Self::Docs
            | Self::DocsFile => Method::GET,
        }
    }

    /// The handler, and what the document says of it.
    pub(crate) fn routes(self) -> UtoipaMethodRouter<Api> {
        match self {
            Self::Runs => routes!(runs::runs),
            Self::Run => routes!(runs::run),
            Self::DeleteRun => routes!(runs::delete),
            Self::Steps => routes!(runs::steps),
            Self::Events => routes!(runs::events),
            Self::Stream => routes!(stream::follow),
            Self::Logs => routes!(logs::log),
            Self::LogText => routes!(logs::text),
            Self::Artifact => routes!(artifacts::artifact),
            Self::WorkflowRuns => routes!(runs::workflow_runs),
            Self::WorkflowTrend => routes!(figures::workflow_trend),
            Self::Cancel => routes!(ask::cancel),
            Self::Approve => routes!(ask::approve),
            Self::Trigger => routes!(trigger::trigger),
            Self::Rerun => routes!(ask::rerun),
            Self::Suspend => routes!(ask::suspend),
            Self::Resume => routes!(ask::resume),
            Self::Lineage => routes!(lineage::lineage),
            Self::Usage => routes!(figures::usage),
            Self::Audit => routes!(audit::audit),
            Self::AuditChain => routes!(audit::chain),
            Self::AuditAnchors => routes!(audit::anchors),
            Self::Notify => routes!(notify::notify),
            Self::WorkflowRunsShort => routes!(runs::workflow_runs_short),
            Self::NotifyShort => routes!(notify::notify_short),
            Self::Health => routes!(health::health),
            Self::HealthReady => routes!(health::ready),
            Self::Status => routes!(health::status),
            Self::Document => routes!(docs::document),
            Self::Docs => routes!(docs::docs),
            Self::DocsFile => routes!(docs::docs_file),
        }
    }

    /// Whether it tells nothing of anybody's objects: whoever the cluster knows may see it.
    #[must_use]
    pub fn is_for_everybody_known(self) -> bool {
        match self {
            Self::Document | Self::Docs | Self::DocsFile | Self::Health | Self::HealthReady | Self::Status => true,
            Self::Runs
            | Self::Run
            | Self::DeleteRun
            | Self::Steps
            | Self::Events
            | Self::Stream
            | Self::Logs
            | Self::LogText
            | Self::Artifact
            | Self::WorkflowRuns
            | Self::WorkflowTrend
            | Self::Lineage
            | Self::Usage
            | Self::Audit
            | Self::AuditChain
            | Self::AuditAnchors
            | Self::Cancel
            | Self::Approve
            | Self::Trigger
            | Self::Rerun
            | Self::Suspend
            | Self::Resume
            | Self::Notify
            | Self::WorkflowRunsShort
            | Self::NotifyShort => false,
        }
    }
}

/// A resource for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Open {
    /// The process answers.
    Healthz,
    /// The process serves.
    Readyz,
}

impl Open {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Healthz, Self::Readyz];

    /// The path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
        }
    }

    /// The handler, and what the document says of it.
    pub(crate) fn routes(self) -> UtoipaMethodRouter<Api> {
        match self {
            Self::Healthz => routes!(healthz),
            Self::Readyz => routes!(readyz),
        }
    }
}

/// Whether the process answers
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "health",
    security(()),
    responses((status = 200, description = "It does.", body = serde_json::Value))
)]
async fn healthz(State(api): State<Api>) -> axum::response::Response {
    api.health().healthz()
}

/// Whether the process serves
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "health",
    security(()),
    responses(
        (status = 200, description = "It does; how its parts are is in the answer.", body = serde_json::Value),
        (status = 503, description = "It is starting.", body = serde_json::Value)
    )
)]
async fn readyz(State(api): State<Api>) -> axum::response::Response {
    api.health().readyz()
}

/// What nobody answers to; asked of those only who are known.
pub(crate) async fn no_such_path() -> Refused {
    Refused::new(ProblemKind::NotFound, "there is nothing under this path; GET /api/v1/runs lists runs")
}

/// A verb that the resource does not have.
pub(crate) async fn no_such_method() -> Refused {
    Refused::new(
        ProblemKind::MethodNotAllowed,
        "this resource does not have that verb; /openapi.json lists what there is",
    )
}
