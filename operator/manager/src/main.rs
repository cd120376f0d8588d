//! The operator's binary: reads its flags, wires the parts, and stops them in order.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail by panic"))]

mod args;
mod artifacts;
mod exports;
mod leader;
mod logs;
mod metrics;
mod sweep;
mod uninstall;
mod work;

use anyhow::{Context, Result, ensure};
use args::{Cli, LogFormat, RunArgs, Task};
use clap::Parser;
use hearth_api::{ApiConfig, Health, Issued, PartState, PodSide};
use hearth_artifacts::Artifacts;
use hearth_history::Store;
use hearth_plan::offer::{Offer, catalog};
use kube::{Client, Config};
use metrics::Metrics;
use prometheus_client::registry::Registry;
use std::{path::PathBuf, process::ExitCode, sync::Arc};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing_subscriber::EnvFilter;

/// The name of the operator's Service.
const SERVICE: &str = "hearth";

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
        service: SERVICE.to_owned(),
        cluster_tokens: args.cluster_tokens,
    };
    let ((issue, issued), (opened, artifacts)) = (watch::channel(None), watch::channel(None));
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
        PodSide { issued: issue, artifacts: artifacts.clone() },
        stopped(stopping.clone()),
    ));
    let mut pods = std::pin::pin!(serve_pods(&args, client.clone(), issued.clone(), opened, stopping.clone()));
    // Each replica sees to the schema that it reads; they wait for each other.
    let migrations = store.spawn_migrations();
    health.set("leader", PartState::Standby);
    health.set_ready(true);
    let given = leader::Given {
        metrics,
        offer: Arc::new(offer(&args)?),
        authority: artifacts::authority(issued),
        artifacts,
        told: args.exports.targets()?,
    };
    let lead = leader::lead(&args, client, store, health, given, stopping);
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut lead = std::pin::pin!(lead);
    tokio::select! {
        ended = &mut lead => return ended,
        served = &mut plain => served?.context("the port of probes and metrics")?,
        served = &mut api => served?.context("the API")?,
        served = &mut pods => served.context("the Recorder")?,
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    // Both end by themselves now: the one gives the lease back, the other lets transfers finish.
    let (led, _served) = tokio::join!(lead, pods);
    led?;
    migrations.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Serves pods, if there is an artifact store: only steps with artifacts ask for something so far.
async fn serve_pods(
    args: &RunArgs,
    client: Client,
    issued: watch::Receiver<Option<Arc<Issued>>>,
    opened: watch::Sender<Option<Artifacts>>,
    stop: watch::Receiver<bool>,
) -> Result<()> {
    if !args.artifacts.is_set() {
        stopped(stop).await;
        return Ok(());
    }
    args.artifacts.serve(client, (SERVICE, &args.namespace), issued, opened, stopped(stop)).await
}

/// What the flags offer beside images of the users' own.
fn offer(args: &RunArgs) -> Result<Offer> {
    let read = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        catalog(&text).with_context(|| file.display().to_string())
    };
    let runtimes = args.catalog_file.as_ref().map(read).transpose()?.unwrap_or_default();
    Ok(Offer { runtimes, artifacts: args.artifacts.service(SERVICE, &args.namespace)? })
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
