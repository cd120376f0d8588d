//! What is read of a run, to be told.

use hearth_crds::time::Time;
use hearth_history::{Error, LineageEdge, LineageQuery, LineageRoot, Run, RunSummary, Step, StepKey, Store};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Edges that are read each way. A run that has more is told with these.
const MOST_EDGES: u32 = 10_000;

/// What a run came of, and what came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// What was read, and who wrote it.
    pub upstream: Vec<LineageEdge>,
    /// What was written.
    pub written: Vec<LineageEdge>,
    /// The runs among them that are on record.
    pub runs: BTreeMap<Uuid, RunSummary>,
}

impl Origin {
    /// The runs that this one is of in that way.
    pub fn of(&self, relation: &str) -> impl Iterator<Item = Uuid> {
        let direct = self.upstream.iter().filter(move |e| e.depth == 1 && e.relation == relation);
        direct.filter_map(|e| Uuid::parse_str(&e.from).ok())
    }
}

/// `depth` 1 is who asked for it and what it read; 2 is also who wrote that.
pub(crate) async fn origin(store: &Store, run: &Run, depth: u32) -> Result<Origin, Error> {
    let query = LineageQuery {
        root: LineageRoot::Run(run.summary.id),
        namespace: None,
        // What is told of other namespaces is told by their own runs.
        namespace_uid: Some(run.summary.namespace_uid.clone()),
        depth,
        limit: MOST_EDGES,
    };
    let lineage = store.lineage(&query).await?;
    let own = |e: &LineageEdge| e.relation == "Wrote" && e.run_id == run.summary.id;
    Ok(Origin {
        upstream: lineage.upstream,
        written: lineage.downstream.into_iter().filter(own).collect(),
        runs: lineage.runs.into_iter().map(|r| (r.id, r)).collect(),
    })
}

/// What a message says without the last lines of a log, which it may end with: those stay in Hearth.
pub(crate) fn without_log(message: &str) -> &str {
    message.split_once("; last lines: ").map_or(message, |(says, _)| says)
}

/// A step as a whole: its attempts, of all its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepSpan {
    pub started_at: Time,
    pub finished_at: Time,
    pub end: End,
    /// What the first item that failed says.
    pub message: Option<String>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    Failed,
    Stopped,
}

impl End {
    /// Of a phase.
    pub fn of(phase: &str) -> Self {
        match phase {
            "Succeeded" => Self::Succeeded,
            "Failed" => Self::Failed,
            _ => Self::Stopped,
        }
    }
}

/// The steps of a run that ran something, in the order of their names.
pub(crate) async fn attempts(store: &Store, run: &Run, page: u32) -> Result<BTreeMap<String, StepSpan>, Error> {
    let mut steps: BTreeMap<String, Seen> = BTreeMap::new();
    let mut after: Option<StepKey> = None;
    loop {
        let page = store.list_steps(run.summary.id, after.as_ref(), page).await?;
        for row in page.items.iter().filter(|s| s.attempt > 0 && s.cached_from.is_none()) {
            steps.entry(row.step.clone()).or_default().see(row, &run.summary);
        }
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    Ok(steps.into_iter().filter_map(|(name, seen)| Some((name, seen.span()?))).collect())
}

/// What was seen of a step's attempts so far.
#[derive(Default)]
struct Seen {
    times: Option<(Time, Time)>,
    /// Number of the last attempt of each item, how that ended, and what it says of it.
    ends: BTreeMap<i32, (i32, End, Option<String>)>,
}

impl Seen {
    fn see(&mut self, row: &Step, run: &RunSummary) {
        let Some(started) = row.started_at else { return };
        let finished = row.finished_at.or(run.finished_at).unwrap_or(started).max(started);
        let (first, last) = self.times.unwrap_or((started, finished));
        self.times = Some((first.min(started), last.max(finished)));
        let says = || (row.attempt, End::of(&row.phase), row.message.clone().or_else(|| row.reason.clone()));
        let known = self.ends.entry(row.item).or_insert_with(says);
        if row.attempt > known.0 {
            *known = says();
        }
    }

    fn span(self) -> Option<StepSpan> {
        let (started_at, finished_at) = self.times?;
        let any = |end: End| self.ends.values().any(|(_, e, _)| *e == end);
        let end = match () {
            () if any(End::Failed) => End::Failed,
            () if any(End::Stopped) => End::Stopped,
            () => End::Succeeded,
        };
        let failed = self.ends.into_values().find(|(_, e, _)| *e == End::Failed);
        let message = failed.and_then(|(_, _, message)| message);
        Some(StepSpan { started_at, finished_at, end, message })
    }
}
