//! The operator with very many Workflows that are over, and a pod of each that stays: what it costs to have nothing to do,
//! and how soon it has caught up after a restart.

use crate::{
    audit::Request,
    bench::{Bench, ROUND, ask_until},
    gaps,
    shape::Shape,
};
use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use hearth_crds::{
    condition::{ConditionStatus, ConditionType},
    workflow::Workflow,
};
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// Workflows that are created at the same time.
const AT_ONCE: usize = 32;
/// Objects that are read at a time.
const PAGE: u32 = 500;
/// For so long its requests are counted.
const WATCHED: Duration = Duration::from_secs(60);
/// How long very many runs may take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// What it costs.
#[derive(Debug, Default)]
pub struct Idle {
    /// Workflows, and pods that stay.
    pub objects: u32,
    /// Memory after the restart, in MiB.
    pub rss: f64,
    /// Its peak since the restart, in MiB.
    pub peak: f64,
    /// Requests in a minute, of its Lease too.
    pub requests: usize,
    /// From its start to the create of a pod that was asked for before, in seconds.
    pub restart: f64,
    /// CPU-seconds in that minute.
    pub cpu: f64,
}

/// Makes so many, and measures.
///
/// # Errors
/// The cluster, the operator or the audit log is not as it must be.
pub async fn measure(bench: &mut Bench<'_>, objects: u32, user: &str) -> Result<Idle> {
    let shape = Shape::single();
    let workflows = bench.workflows.clone();
    let made = stream::iter(0..objects).map(|n| {
        let (workflows, shape) = (workflows.clone(), shape.clone());
        async move {
            workflows.create(&PostParams::default(), &shape.failing(&format!("idle-{n}"))?).await?;
            anyhow::Ok(())
        }
    });
    made.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    ask_until("the record of all runs", PATIENCE, async || {
        sleep(Duration::from_secs(5)).await;
        Ok(stored(&workflows).await? >= objects as usize)
    })
    .await?;
    bench.operator.stop()?;
    bench.requests()?;
    workflows.create(&PostParams::default(), &shape.workflow("waiting")?).await?;
    let begun = jiff::Timestamp::now();
    bench.restart()?;
    let mut requests: Vec<Request> = Vec::new();
    let since = Instant::now();
    let started = loop {
        requests.extend(bench.requests()?);
        if let Some(at) = gaps::first_pod(&requests, "waiting", user) {
            break at;
        }
        bench.turn("the pod after the restart", since).await?;
    };
    let restart = started.duration_since(begun).as_secs_f64();
    ask_until("the last record", ROUND, async || Ok(is_stored(&workflows.get("waiting").await?))).await?;
    // What it does about the last run is over by then.
    sleep(Duration::from_secs(20)).await;
    bench.requests()?;
    let cpu = bench.operator.cpu_seconds()?;
    sleep(WATCHED).await;
    let requests = bench.requests()?.iter().filter(|r| r.user() == user).count();
    Ok(Idle {
        objects,
        rss: bench.operator.rss_mib()?,
        peak: bench.operator.peak_mib()?,
        requests,
        restart,
        cpu: bench.operator.cpu_seconds()? - cpu,
    })
}

/// How many Workflows have their record stored.
async fn stored(workflows: &Api<Workflow>) -> Result<usize> {
    let (mut count, mut page) = (0, ListParams::default().labels("hearth.dev/bench=idle").limit(PAGE));
    loop {
        let list = workflows.list(&page).await.context("list Workflows")?;
        count += list.items.iter().filter(|w| is_stored(w)).count();
        match list.metadata.continue_ {
            Some(next) if !next.is_empty() => page = page.continue_token(&next),
            _ => return Ok(count),
        }
    }
}

fn is_stored(workflow: &Workflow) -> bool {
    let mut conditions = workflow.status.iter().flat_map(|s| &s.conditions);
    conditions.any(|c| c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True)
}
