//! What the one process that holds the lease does: it reconciles, writes records, and cleans up.

use crate::{
    args::{OnDeletePolicy, RunArgs},
    artifacts, logs,
    metrics::Metrics,
    stopped, sweep, work,
};
use anyhow::Result;
use futures::{FutureExt, future::BoxFuture};
use hearth_api::{Health, PartState};
use hearth_artifacts::Artifacts;
use hearth_driver::{
    Settings, Shared, ToStore, WholeLog,
    lease::{Elector, Ended, LeaseSettings},
    scope::Scope,
};
use hearth_export::{Exporter, Targets};
use hearth_history::{Retention, Store};
use hearth_plan::{kind::OnDelete, offer::Offer, workflow::WorkflowKind};
use kube::Client;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};

/// How long passes under way may take when the process stops.
const PASSES_END: Duration = Duration::from_secs(10);
/// How long the last rows may take.
const ROWS_END: Duration = Duration::from_secs(10);
/// How often a replica that waits for its turn looks at the store.
const STORE_WATCH: Duration = Duration::from_secs(10);

/// The kinds, one line each.
fn controllers(shared: &Arc<Shared>, stop: &watch::Receiver<bool>) -> Vec<BoxFuture<'static, ()>> {
    vec![hearth_driver::run::<WorkflowKind>(Arc::clone(shared), stopped(stop.clone())).boxed()]
}

/// What the leader works with beside the cluster and the store.
pub struct Given {
    /// All that is counted.
    pub metrics: Metrics,
    /// The catalog, and artifacts.
    pub offer: Arc<Offer>,
    /// The certificate of the operator's authority.
    pub authority: watch::Receiver<Option<String>>,
    /// The artifact store, once it is open.
    pub artifacts: watch::Receiver<Option<Artifacts>>,
    /// Who is told of runs.
    pub told: Targets,
}

/// Waits for the lease, leads, and gives it back when all is written.
pub async fn lead(
    args: &RunArgs,
    client: Client,
    store: Store,
    health: Health,
    what: Given,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    let lease = LeaseSettings {
        namespace: args.namespace.clone(),
        name: "hearth-operator".to_owned(),
        identity: args.identity.clone(),
        duration: args.lease_duration,
        request_timeout: args.request_timeout,
    };
    let mut elector = Elector::new(client.clone(), lease);
    let leadership = elector.leadership();
    tokio::select! {
        () = elector.acquire() => {}
        () = watch_store(&store, &health) => {}
        () = stopped(stop.clone()) => return Ok(()),
    }
    tracing::info!(identity = args.identity, "leading");
    what.metrics.leading.set(1);
    health.set("leader", PartState::Up);
    let (give_back, given) = oneshot::channel::<()>();
    let mut keep = tokio::spawn(elector.keep(async move { drop(given.await) }));
    let (records, batches) = mpsc::channel(hearth_history::QUEUE);
    let (ack_sender, acks) = mpsc::channel(hearth_history::QUEUE);
    let (up_sender, up) = watch::channel(true);
    let (work_sender, questions) = mpsc::channel(work::QUEUE);
    let _following = health.follow("history", up.clone());
    let exporter = Exporter::new(store.clone(), what.told, what.metrics.export);
    for (target, up) in exporter.states() {
        let _following = health.follow(target, up);
    }
    let export = tokio::spawn(exporter.run());
    let (whole_logs, logs) = mpsc::channel(1);
    let settings = settings(args, &store, what.offer, whole_logs);
    let retention = Retention(args.history_retention);
    let mut writer = store.spawn_writer(batches, ack_sender, up_sender, what.metrics.history, retention);
    let upkeep = store.spawn_upkeep(retention);
    let keep_logs = tokio::spawn(logs::keep(logs, what.artifacts.clone(), store.clone()));
    let answers = tokio::spawn(work::answer(questions, store.clone(), what.artifacts.clone()));
    let collect = tokio::spawn(artifacts::collect(what.artifacts, store.clone()));
    let work = async {
        let to_store = ToStore { records, up, work: work_sender };
        let shared =
            Shared::connect(client, settings, leadership, to_store, what.metrics.driver, what.authority).await?;
        let follow = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { shared.follow(acks).await }
        });
        let sweep = tokio::spawn(sweep::sweep(Arc::clone(&shared), store.clone(), args.vanish_after));
        let mut passes = std::pin::pin!(futures::future::join_all(controllers(&shared, &stop)));
        tokio::select! {
            _ = &mut passes => {}
            () = stopped(stop.clone()) => drop(tokio::time::timeout(PASSES_END, passes).await),
        }
        follow.abort();
        sweep.abort();
        anyhow::Ok(())
    };
    tokio::select! {
        done = work => done?,
        ended = &mut keep => return Err(lost(ended?)),
        ended = &mut writer => anyhow::bail!("the writer ended: {ended:?}"),
    }
    upkeep.abort();
    collect.abort();
    keep_logs.abort();
    answers.abort();
    export.abort();
    // All senders are gone: the writer stores what it has, and ends.
    if tokio::time::timeout(ROWS_END, &mut writer).await.is_err() {
        tracing::warn!("the last rows were not stored in time; they are derived again from the objects");
    }
    drop(give_back);
    keep.await?;
    Ok(())
}

fn lost(ended: Ended) -> anyhow::Error {
    match ended {
        Ended::Lost(why) => anyhow::anyhow!("{why}; another process may lead now"),
        Ended::Released => anyhow::anyhow!("the lease was given back too early"),
    }
}

fn settings(args: &RunArgs, store: &Store, offer: Arc<Offer>, whole_logs: mpsc::Sender<WholeLog>) -> Settings {
    Settings {
        request_timeout: args.request_timeout,
        lease_duration: args.lease_duration,
        run_as: args.run_as.0,
        on_delete: match args.history_on_delete {
            OnDeletePolicy::Hold => OnDelete::Hold,
            OnDeletePolicy::Release => OnDelete::Release(args.history_release_after.unwrap_or_default()),
        },
        offer,
        store_name: store.name().to_owned(),
        concurrency: args.concurrency,
        posts: 16,
        scope: Scope::of(args.watch_namespaces.clone()),
        whole_logs,
    }
}

/// Says how the store is while another replica leads, whose writer says it for that one. Has no end.
async fn watch_store(store: &Store, health: &Health) {
    let mut tick = tokio::time::interval(STORE_WATCH);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let state = if store.healthy().await.is_ok() { PartState::Up } else { PartState::Away };
        health.set("history", state);
    }
}
