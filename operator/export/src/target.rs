//! Who is told of runs, and how.

use crate::{
    deliver::{Endpoint, Undelivered},
    openlineage, told,
    traces::{self, Page},
};
use hearth_history::{Error, Export, ExportTarget, Run, StepKey, Store};
use std::collections::BTreeMap;

/// The name of the target that is told in OpenLineage events.
pub const OPENLINEAGE: &str = "openlineage";
/// The name of the target that is told in OpenTelemetry traces.
pub const OPENTELEMETRY: &str = "opentelemetry";
/// All of them.
pub(crate) const NAMES: [&str; 2] = [OPENLINEAGE, OPENTELEMETRY];
/// Attempts that are read, and spans that are posted, at a time.
const PAGE: u32 = 500;

/// Who is told of runs: nobody, unless named.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// A server that takes OpenLineage events, and the prefix of the namespaces of jobs and datasets.
    pub openlineage: Option<(Endpoint, String)>,
    /// A server that takes OpenTelemetry traces by OTLP over HTTP.
    pub opentelemetry: Option<Endpoint>,
}

impl Targets {
    pub(crate) fn all(self) -> Vec<Target> {
        let lineage = self.openlineage.map(|(endpoint, namespace)| Target::Lineage { endpoint, namespace });
        let traces = self.opentelemetry.map(|endpoint| Target::Traces { endpoint });
        lineage.into_iter().chain(traces).collect()
    }
}

/// Why something was not told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Untold {
    /// The target did not take it.
    #[error(transparent)]
    Target(#[from] Undelivered),
    /// What is to be told could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Lineage { endpoint: Endpoint, namespace: String },
    Traces { endpoint: Endpoint },
}

impl Target {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Lineage { .. } => OPENLINEAGE,
            Self::Traces { .. } => OPENTELEMETRY,
        }
    }

    pub(crate) fn place(&self) -> String {
        match self {
            Self::Lineage { endpoint, .. } | Self::Traces { endpoint } => endpoint.place(),
        }
    }

    /// As the store knows it.
    pub(crate) fn noted(&self) -> ExportTarget {
        ExportTarget { name: self.name(), starts: matches!(self, Self::Lineage { .. }) }
    }

    /// Tells one thing, from where it broke off.
    pub(crate) async fn tell(&self, store: &Store, export: &Export, progress: &mut Progress) -> Result<Told, Untold> {
        let Some(run) = store.get_run(export.run_id).await? else { return Ok(Told::Gone) };
        self.pass(store, &run, export.ended, Posts { progress, passed: 0, again: false }).await?;
        if progress.accepted && !progress.refused.is_empty() {
            // It takes others of the same run: this is not about the address, nor about who may post. Unless that was
            // mended just now, so what it refused is asked once more.
            self.pass(store, &run, export.ended, Posts { progress, passed: 0, again: true }).await?;
        }
        let Progress { accepted, refused, rejected, .. } = std::mem::take(progress);
        match refused.into_values().next().or(rejected) {
            None => Ok(Told::Taken),
            Some(why) if accepted => Ok(Told::Partly(why)),
            Some(why) => Err(Undelivered::Refused(why).into()),
        }
    }

    async fn pass(&self, store: &Store, run: &Run, ended: bool, mut posts: Posts<'_>) -> Result<(), Untold> {
        match self {
            Self::Lineage { endpoint, namespace } => posts.lineage(endpoint, namespace, store, run, ended).await,
            Self::Traces { endpoint } => posts.trace(endpoint, store, run).await,
        }
    }
}

/// What came of telling.
#[derive(Debug)]
pub(crate) enum Told {
    /// The target took it.
    Taken,
    /// The target took some of it, and refused the rest for this reason.
    Partly(String),
    /// There is no such run any more.
    Gone,
}

/// How far one thing is told.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Posts that were answered for good.
    pub posts: usize,
    /// Whether one of them was taken.
    accepted: bool,
    /// Which of them were not, and why.
    refused: BTreeMap<usize, String>,
    /// Why a part of one that was taken was not. OTLP forbids to post that again.
    rejected: Option<String>,
}

/// The posts of one thing that is told. They are the same each time, so that telling can go on where it broke off.
struct Posts<'a> {
    progress: &'a mut Progress,
    /// So many of them came by this time.
    passed: usize,
    /// Whether those are posted again that were refused.
    again: bool,
}

impl Posts<'_> {
    /// Posts, unless that was dealt with before. What is refused does not hold up the rest.
    async fn post(
        &mut self,
        endpoint: &Endpoint,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, Untold> {
        self.passed += 1;
        let (number, progress) = (self.passed, &mut *self.progress);
        let refused = self.again && progress.refused.contains_key(&number);
        if number <= progress.posts && !refused {
            return Ok(Vec::new());
        }
        let answer = match endpoint.post(content_type, body).await {
            Ok(answer) => {
                progress.accepted = true;
                progress.refused.remove(&number);
                answer
            }
            Err(Undelivered::Refused(why)) => {
                progress.refused.insert(number, why);
                Vec::new()
            }
            Err(away) => return Err(away.into()),
        };
        progress.posts = progress.posts.max(number);
        Ok(answer)
    }

    async fn lineage(
        &mut self,
        endpoint: &Endpoint,
        namespace: &str,
        store: &Store,
        run: &Run,
        ended: bool,
    ) -> Result<(), Untold> {
        let names = openlineage::Names { prefix: namespace };
        let events = if ended {
            let attempts = told::attempts(store, run, PAGE).await?;
            openlineage::end(names, run, &attempts, &told::origin(store, run, 2).await?)
        } else {
            vec![openlineage::start(names, run, &told::origin(store, run, 1).await?)]
        };
        for event in events {
            self.post(endpoint, "application/json", event.to_string().into_bytes()).await?;
        }
        Ok(())
    }

    /// A page of attempts at a time, the first with the run itself.
    async fn trace(&mut self, endpoint: &Endpoint, store: &Store, run: &Run) -> Result<(), Untold> {
        let origin = told::origin(store, run, 1).await?;
        let mut after: Option<StepKey> = None;
        loop {
            let page = store.list_steps(run.summary.id, after.as_ref(), PAGE).await?;
            let of = if after.is_none() { Page::First(&origin) } else { Page::Later };
            let body = traces::request(run, of, &page.items);
            let answer = self.post(endpoint, "application/x-protobuf", body).await?;
            self.progress.rejected = traces::partly_refused(&answer).or(self.progress.rejected.take());
            let Some(next) = page.next else { return Ok(()) };
            after = Some(next);
        }
    }
}
