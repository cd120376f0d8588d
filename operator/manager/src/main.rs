//! The operator's binary: reads its flags, wires the parts, and stops them in order.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail by panic"))]

mod args;
mod metrics;
mod sweep;
mod uninstall;

use anyhow::{Context, Result, ensure};
use args::{Cli, LogFormat, OnDeletePolicy, RunArgs, Task};
use clap::Parser;
use futures::{FutureExt, future::BoxFuture};
use hearth_api::{ApiConfig, Health, PartState};
use hearth_driver::{
    Settings, Shared,
    lease::{Elector, Ended, LeaseSettings},
};
use hearth_history::{Retention, Store};
use hearth_plan::{kind::OnDelete, workflow::WorkflowKind};
use kube::{Client, Config};
use metrics::Metrics;
use prometheus_client::registry::Registry;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    time::MissedTickBehavior,
};
use tracing_subscriber::EnvFilter;

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

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    log(&cli.run);
    // One provider for the whole process; it can only be installed already by this very line.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let done = match &cli.task {
        Some(Task::Uninstall(wish)) => remove(wish).await,
        None => run(cli.run).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn log(args: &RunArgs) {
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&args.log)).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Json => log.json().flatten_event(true).init(),
        LogFormat::Text => log.init(),
    }
}

async fn client() -> Result<Client> {
    let config = Config::infer().await.context("no cluster: neither a service account nor a kubeconfig")?;
    hearth_driver::client::build(config).context("the client")
}

async fn remove(wish: &uninstall::Uninstall) -> Result<()> {
    uninstall::uninstall(client().await?, wish).await?;
    Ok(())
}

/// Runs the operator until it is asked to stop, or must not go on.
async fn run(args: RunArgs) -> Result<()> {
    ensure!(args.request_timeout < args.lease_duration, "--request-timeout must be shorter than --lease-duration");
    #[cfg(feature = "failpoints")]
    arm()?;
    let client = client().await?;
    let store = store(&args)?;
    let health = Health::new();
    let mut registry = Registry::default();
    let metrics = Metrics::register(&mut registry);
    let (stop, stopping) = watch::channel(false);
    let config = ApiConfig {
        addr: args.api_addr,
        namespace: args.namespace.clone(),
        service: "hearth".to_owned(),
        cluster_tokens: args.cluster_tokens,
    };
    let mut plain = tokio::spawn(hearth_api::serve_plain(
        args.metrics_addr,
        Arc::new(registry),
        health.clone(),
        stopped(stopping.clone()),
    ));
    let mut api = tokio::spawn(hearth_api::serve(
        config,
        client.clone(),
        store.clone(),
        health.clone(),
        metrics.api.clone(),
        stopped(stopping.clone()),
    ));
    // Each replica sees to the schema that it reads; they wait for each other.
    let migrations = store.spawn_migrations();
    health.set("leader", PartState::Standby);
    health.set_ready(true);
    let lead = lead(&args, client, store, health, metrics, stopping);
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut lead = std::pin::pin!(lead);
    tokio::select! {
        ended = &mut lead => return ended,
        served = &mut plain => served?.context("the port of probes and metrics")?,
        served = &mut api => served?.context("the API")?,
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    lead.await?;
    migrations.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the lease, leads, and gives it back when all is written.
async fn lead(
    args: &RunArgs,
    client: Client,
    store: Store,
    health: Health,
    metrics: Metrics,
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
    health.set("leader", PartState::Up);
    metrics.leading.set(1);
    let (give_back, given) = oneshot::channel::<()>();
    let mut keep = tokio::spawn(elector.keep(async move { drop(given.await) }));
    let (records, batches) = mpsc::channel(hearth_history::QUEUE);
    let (ack_sender, acks) = mpsc::channel(hearth_history::QUEUE);
    let (up_sender, up) = watch::channel(true);
    let _following = health.follow("history", up.clone());
    let settings = settings(args, &store);
    let retention = Retention(args.history_retention);
    let mut writer = store.spawn_writer(batches, ack_sender, up_sender, metrics.history, retention);
    let upkeep = store.spawn_upkeep(retention);
    let work = async {
        let shared = Shared::connect(client, settings, leadership, records, up, metrics.driver).await?;
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

fn settings(args: &RunArgs, store: &Store) -> Settings {
    Settings {
        request_timeout: args.request_timeout,
        lease_duration: args.lease_duration,
        run_as: args.run_as.0,
        on_delete: match args.history_on_delete {
            OnDeletePolicy::Hold => OnDelete::Hold,
            OnDeletePolicy::Release => OnDelete::Release(args.history_release_after.unwrap_or_default()),
        },
        store_name: store.name().to_owned(),
        concurrency: args.concurrency,
        posts: 16,
    }
}

/// The one place for history that the flags name.
fn store(args: &RunArgs) -> Result<Store> {
    let url = match (&args.database_url_file, &args.database_url, &args.history_file) {
        (Some(file), _, _) => std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?,
        (None, Some(url), _) => url.clone(),
        (None, None, Some(file)) => return Ok(hearth_history::open(file)),
        (None, None, None) => {
            anyhow::bail!("no place for history: give HEARTH_DATABASE_URL, --database-url-file or --history-file")
        }
    };
    let store = hearth_history::connect(url.trim())?;
    Ok(match &args.migration_url {
        Some(owner) => store.owned_by(owner.trim()).context("--migration-url")?,
        None => store,
    })
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

async fn stopped(mut stop: watch::Receiver<bool>) {
    // A closed channel means that everything stops.
    let _closed = stop.wait_for(|s| *s).await;
}

/// Arms the failure points that a test asks for.
#[cfg(feature = "failpoints")]
fn arm() -> Result<()> {
    let points = std::env::var("HEARTH_FAILPOINTS").unwrap_or_default();
    let exit = |phase: &str| {
        eprintln!("failpoint {phase}: the process exits");
        std::process::exit(86);
    };
    hearth_driver::failpoint::arm(&points, Box::new(exit)).map_err(|e| anyhow::anyhow!("HEARTH_FAILPOINTS: {e}"))
}
