//! Who is told of runs, and how.

use crate::{
    deliver::{Endpoint, Undelivered},
    openlineage, told,
    traces::{self, Page},
};
use hearth_history::{Error, Export, ExportTarget, Run, StepKey, Store};

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

    /// Tells one thing. False: there is no such run any more.
    pub(crate) async fn tell(&self, store: &Store, export: &Export) -> Result<bool, Untold> {
        let Some(run) = store.get_run(export.run_id).await? else { return Ok(false) };
        match self {
            Self::Lineage { endpoint, namespace } => tell_lineage(endpoint, namespace, store, &run, export).await?,
            Self::Traces { endpoint } => tell_trace(endpoint, store, &run).await?,
        }
        Ok(true)
    }
}

async fn tell_lineage(
    endpoint: &Endpoint,
    namespace: &str,
    store: &Store,
    run: &Run,
    export: &Export,
) -> Result<(), Untold> {
    let names = openlineage::Names { prefix: namespace };
    let origin = told::origin(store, run).await?;
    let events = if export.ended {
        let attempts = told::attempts(store, run, PAGE).await?;
        openlineage::end(names, run, &attempts, &origin)
    } else {
        vec![openlineage::start(names, run, &origin)]
    };
    for event in events {
        endpoint.post("application/json", event.to_string().into_bytes()).await?;
    }
    Ok(())
}

/// A page of attempts at a time, the first with the run itself.
async fn tell_trace(endpoint: &Endpoint, store: &Store, run: &Run) -> Result<(), Untold> {
    let origin = told::origin(store, run).await?;
    let mut after: Option<StepKey> = None;
    loop {
        let page = store.list_steps(run.summary.id, after.as_ref(), PAGE).await?;
        let of = if after.is_none() { Page::First(&origin) } else { Page::Later };
        let answer = endpoint.post("application/x-protobuf", traces::request(run, of, &page.items)).await?;
        if let Some(why) = traces::partly_refused(&answer) {
            return Err(Undelivered::Refused(why).into());
        }
        let Some(next) = page.next else { return Ok(()) };
        after = Some(next);
    }
}
