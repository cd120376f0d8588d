//! Where rows come from: the history store, in the words of the API.

use crate::refused::Refused;
use hearth_crds::artifacts::StoredArtifact;
use hearth_history::{
    AuditCursor, AuditEntry, AuditFilter, AuditLink, Class, Error, Event, EventKey, Lineage, LineageEdge, LineageQuery,
    Log, Order, Page, Report, Reported, Run, RunCursor, RunFilter, RunSummary, Step, StepKey, Store, Usage,
    UsageFilter,
};
use hearth_wire::{self as wire, AuditAnchor, AuditRecord, ProblemKind};
use std::fmt;
use uuid::Uuid;

/// The store, or what tests put in its place.
#[derive(Clone)]
pub enum Source {
    /// The history store.
    Store(Store),
    /// Rows in memory.
    #[cfg(test)]
    Fake(crate::testing::FakeStore),
}

impl Source {
    pub(crate) async fn list_runs(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: u32,
    ) -> Result<Page<RunSummary, RunCursor>, Error> {
        match self {
            Self::Store(s) => s.list_runs(filter, Order::NewestFirst, after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.list_runs(filter, after, limit),
        }
    }

    pub(crate) async fn get_run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        match self {
            Self::Store(s) => s.get_run(id).await,
            #[cfg(test)]
            Self::Fake(f) => f.get_run(id),
        }
    }

    pub(crate) async fn list_steps(
        &self,
        run: Uuid,
        after: Option<&StepKey>,
        limit: u32,
    ) -> Result<Page<Step, StepKey>, Error> {
        match self {
            Self::Store(s) => s.list_steps(run, after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.list_steps(run),
        }
    }

    pub(crate) async fn list_events(
        &self,
        run: Uuid,
        after: Option<&EventKey>,
        limit: u32,
    ) -> Result<Page<Event, EventKey>, Error> {
        match self {
            Self::Store(s) => s.list_events(run, after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.list_events(run, after),
        }
    }

    pub(crate) async fn artifact(&self, run: Uuid, step: &str, name: &str) -> Result<Option<StoredArtifact>, Error> {
        match self {
            Self::Store(s) => s.artifact(run, step, name).await,
            #[cfg(test)]
            Self::Fake(f) => f.artifact(run, step, name),
        }
    }

    pub(crate) async fn get_log(
        &self,
        run: Uuid,
        step: &str,
        item: i32,
        attempt: Option<i32>,
    ) -> Result<Option<Log>, Error> {
        match self {
            Self::Store(s) => s.get_log(run, step, item, attempt).await,
            #[cfg(test)]
            Self::Fake(f) => f.get_log(run, step),
        }
    }

    pub(crate) async fn lineage(&self, query: &LineageQuery) -> Result<Lineage, Error> {
        match self {
            Self::Store(s) => s.lineage(query).await,
            #[cfg(test)]
            Self::Fake(f) => f.lineage(query),
        }
    }

    pub(crate) async fn report(&self, report: &Report) -> Result<Reported, Error> {
        match self {
            Self::Store(s) => s.report(report).await,
            #[cfg(test)]
            Self::Fake(f) => f.report(report),
        }
    }

    pub(crate) async fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        match self {
            Self::Store(s) => s.usage(filter).await,
            #[cfg(test)]
            Self::Fake(f) => f.usage(filter),
        }
    }

    pub(crate) async fn bury(&self, run: Uuid, reason: &str) -> Result<(), Error> {
        match self {
            Self::Store(s) => s.bury(&[run], reason).await.map(drop),
            #[cfg(test)]
            Self::Fake(f) => f.bury(run),
        }
    }

    pub(crate) async fn record(&self, entry: &AuditEntry) -> Result<(), Error> {
        match self {
            Self::Store(s) => s.record(entry).await.map(drop),
            #[cfg(test)]
            Self::Fake(f) => f.record(entry),
        }
    }

    pub(crate) async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditCursor>, Error> {
        match self {
            Self::Store(s) => s.list_audit(filter, after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.list_audit(filter, after, limit),
        }
    }

    pub(crate) async fn audit_chain(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditLink>, Error> {
        match self {
            Self::Store(s) => s.audit_chain(after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.audit_chain(after, limit),
        }
    }

    pub(crate) async fn audit_anchors(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditAnchor, AuditLink>, Error> {
        match self {
            Self::Store(s) => s.audit_anchors(after, limit).await,
            #[cfg(test)]
            Self::Fake(f) => f.audit_anchors(),
        }
    }
}

impl Source {
    /// Postgres or SQLite.
    pub(crate) fn back_end(&self) -> &'static str {
        match self {
            Self::Store(s) => s.name(),
            #[cfg(test)]
            Self::Fake(_) => "memory",
        }
    }
}

/// Which store it is, without credentials.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(s) => s.fmt(f),
            #[cfg(test)]
            Self::Fake(_) => f.write_str("rows in memory"),
        }
    }
}

/// The answer when the store gives none. Its own words go to the log.
pub fn refused(store: &Source, error: &Error) -> Refused {
    match error.class() {
        Class::Transient => {
            tracing::warn!(%error, "the history store did not answer the API");
            Refused::new(
                ProblemKind::StoreAway,
                format!(
                    "the history store ({store}) does not answer; runs go on, and their records are written when it is back. Try again then"
                ),
            )
        }
        Class::Invalid => {
            tracing::info!(%error, "the history store did not take a query of the API");
            Refused::new(ProblemKind::BadRequest, "the query holds a value that the history store cannot take")
        }
    }
}

/// A run in the words of the API, as lists show it.
#[must_use]
pub fn summary(row: RunSummary) -> wire::RunSummary {
    wire::RunSummary {
        id: row.id.to_string(),
        kind: row.kind,
        namespace: row.namespace,
        namespace_uid: row.namespace_uid,
        name: row.name,
        uid: row.uid,
        cluster: row.cluster,
        number: row.number,
        phase: row.phase,
        terminal: row.terminal,
        reason: row.reason,
        message: row.message,
        trigger: row.trigger,
        owner: row.owner,
        started_at: row.started_at,
        finished_at: row.finished_at,
        duration_ms: row.duration_ms,
        minimal: row.minimal,
        reported_id: row.reported_id,
    }
}

/// A whole run in the words of the API.
#[must_use]
pub fn run(row: Run) -> wire::Run {
    wire::Run {
        summary: summary(row.summary),
        seq: row.seq,
        revision: row.revision,
        digest: row.digest,
        labels: row.labels,
        spec: row.spec,
        params: row.params,
        results: row.results,
    }
}

/// An attempt in the words of the API.
#[must_use]
pub fn step(row: Step) -> wire::Step {
    wire::Step {
        step: row.step,
        item: row.item,
        attempt: row.attempt,
        seq: row.seq,
        phase: row.phase,
        terminal: row.terminal,
        class: row.class,
        reason: row.reason,
        message: row.message,
        exit_code: row.exit_code,
        pod: row.pod,
        node: row.node,
        image: row.image,
        image_id: row.image_id,
        outputs: row.outputs,
        artifacts: row.artifacts,
        has_log: row.has_log,
        log_unavailable: row.log_unavailable,
        started_at: row.started_at,
        finished_at: row.finished_at,
        duration_ms: row.duration_ms,
        cached_from: row.cached_from,
    }
}

/// A transition in the words of the API.
#[must_use]
pub fn event(row: Event) -> wire::Event {
    wire::Event {
        at: row.at,
        subject: row.subject,
        transition: row.transition,
        seq: row.seq,
        reason: row.reason,
        message: row.message,
    }
}

/// A log in the words of the API.
#[must_use]
pub fn log(row: Log) -> wire::Log {
    wire::Log {
        step: row.step,
        item: row.item,
        attempt: row.attempt,
        phase: row.phase,
        pod: row.pod,
        log: row.log,
        log_unavailable: row.log_unavailable,
        whole: row.whole.map(|whole| wire::WholeLog {
            digest: whole.digest,
            bytes: whole.bytes,
            left_out: whole.left_out,
        }),
        whole_unavailable: row.whole_unavailable,
    }
}

/// What the runs of one owner asked for, in the words of the API.
#[must_use]
pub fn usage(row: Usage) -> wire::UsageOf {
    wire::UsageOf {
        namespace: row.namespace,
        owner: row.owner,
        runs: row.runs,
        failed: row.failed,
        attempts: row.attempts,
        pod_seconds: row.pod_seconds,
        cpu_seconds: row.cpu_seconds,
        memory_gib_seconds: row.memory_byte_seconds / f64::from(1 << 30),
        gpu_seconds: row.gpu_seconds,
    }
}

/// Lineage in the words of the API.
#[must_use]
pub fn lineage(id: String, found: Lineage) -> wire::Lineage {
    wire::Lineage {
        id,
        upstream: found.upstream.into_iter().map(edge).collect(),
        downstream: found.downstream.into_iter().map(edge).collect(),
        runs: found.runs.into_iter().map(summary).collect(),
        truncated: found.truncated,
    }
}

fn edge(row: LineageEdge) -> wire::LineageEdge {
    wire::LineageEdge {
        depth: row.depth,
        relation: row.relation,
        from: row.from,
        to: row.to,
        run: row.run_id.to_string(),
        step: row.step,
        attempt: row.attempt,
        name: row.name,
        own: row.own,
    }
}
