//! The artifact store: where it is, how pods reach it, and what becomes of blobs that nothing names.

use crate::args;
use anyhow::{Context, Result};
use clap::Args;
use hearth_api::Issued;
use hearth_artifacts::{
    Artifacts, BlobKey, S3Config,
    volume::{Limits, UrlKeys, Volume, VolumeConfig},
};
use hearth_contract::digest::Digest;
use hearth_history::Store;
use hearth_plan::offer::ArtifactService;
use hearth_recorder::{Service, asker::Askers, server_config};
use kube::Client;
use rustls::ServerConfig;
use std::{collections::HashSet, future::Future, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// Uploads leave so much of the volume to the history that may lie on it too.
const KEEP_FREE: u64 = 256 * 1024 * 1024;
/// How often blobs without a reference are looked for.
const COLLECT_EVERY: Duration = Duration::from_secs(3600);
/// A blob goes when nothing named it for that long.
const COLLECT_AGE: Duration = Duration::from_secs(24 * 3600);

/// Where artifacts are kept. Without a place, steps with artifacts are refused.
#[derive(Debug, Args)]
pub struct ArtifactArgs {
    /// Artifacts on a volume: this folder, which nobody else uses. For one replica.
    #[arg(long, conflicts_with = "artifacts_s3_bucket")]
    pub artifacts_folder: Option<PathBuf>,
    /// Artifacts in this bucket of S3; keys come from the variables AWS_….
    #[arg(long, env = "HEARTH_S3_BUCKET")]
    pub artifacts_s3_bucket: Option<String>,
    /// https://HOST[:PORT] of a server that speaks S3 but is not AWS.
    #[arg(long, env = "HEARTH_S3_ENDPOINT", requires = "artifacts_s3_bucket")]
    pub artifacts_s3_endpoint: Option<String>,
    /// Region of the bucket.
    #[arg(long, env = "HEARTH_S3_REGION", requires = "artifacts_s3_bucket")]
    pub artifacts_s3_region: Option<String>,
    /// Folder of the bucket that is Hearth's own.
    #[arg(long, env = "HEARTH_S3_PREFIX", requires = "artifacts_s3_bucket")]
    pub artifacts_s3_prefix: Option<String>,
    /// Take an endpoint without TLS.
    #[arg(long, requires = "artifacts_s3_bucket")]
    pub artifacts_s3_allow_http: bool,
    /// File with certificate authorities of the endpoint, in PEM.
    #[arg(long, requires = "artifacts_s3_bucket")]
    pub artifacts_s3_ca_file: Option<PathBuf>,
    /// Where pods reach the operator, with TLS.
    #[arg(long, default_value = "0.0.0.0:8444")]
    pub recorder_addr: SocketAddr,
    /// Image of hearth-step, which fetches and stores artifacts in pods.
    #[arg(long, default_value = concat!("hearth.dev/hearth-step:", env!("CARGO_PKG_VERSION")))]
    pub step_image: String,
}

impl ArtifactArgs {
    /// Whether there is a store.
    pub fn is_set(&self) -> bool {
        self.artifacts_folder.is_some() || self.artifacts_s3_bucket.is_some()
    }

    /// What pods of steps with artifacts are given.
    pub fn service(&self, service: &str, namespace: &str) -> Result<Option<ArtifactService>> {
        let (recorder, store_ca) = (self.endpoint(service, namespace), self.ca()?);
        Ok(self.is_set().then(|| ArtifactService { image: self.step_image.clone(), recorder, store_ca }))
    }

    fn ca(&self) -> Result<Option<String>> {
        let read =
            |file: &PathBuf| std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
        self.artifacts_s3_ca_file.as_ref().map(read).transpose()
    }

    fn endpoint(&self, service: &str, namespace: &str) -> String {
        format!("https://{}:{}", hearth_api::server_name(service, namespace), self.recorder_addr.port())
    }

    fn open(&self, endpoint: String, secret: &[u8]) -> Result<Artifacts> {
        if let Some(folder) = &self.artifacts_folder {
            let config = VolumeConfig {
                folder: folder.clone(),
                endpoint,
                keys: UrlKeys::derive(secret, None),
                keep_free: KEEP_FREE,
                limits: Limits::default(),
            };
            return Ok(Artifacts::volume(Volume::open(config)?));
        }
        Ok(Artifacts::s3(&S3Config {
            bucket: self.artifacts_s3_bucket.clone().unwrap_or_default(),
            region: self.artifacts_s3_region.clone(),
            endpoint: self.artifacts_s3_endpoint.clone(),
            prefix: self.artifacts_s3_prefix.clone(),
            allow_http: self.artifacts_s3_allow_http,
            ca: self.ca()?,
            environment: args::aws(),
            ..S3Config::default()
        })?)
    }

    /// Serves pods until `stop` is done, and tells what the store is once it is open.
    pub async fn serve(
        &self,
        client: Client,
        (service, namespace): (&str, &str),
        mut issued: watch::Receiver<Option<Arc<Issued>>>,
        opened: watch::Sender<Option<Artifacts>>,
        stop: impl Future<Output = ()>,
    ) -> Result<()> {
        let mut stop = pin!(stop);
        let first = tokio::select! {
            first = issued.wait_for(Option::is_some) => first.ok().and_then(|i| i.clone()),
            () = &mut stop => None,
        };
        let Some(first) = first else { return Ok(()) };
        let artifacts = self.open(self.endpoint(service, namespace), first.secret()).context("the artifact store")?;
        let listener = TcpListener::bind(self.recorder_addr).await.context("the port that pods reach")?;
        opened.send_replace(Some(artifacts.clone()));
        let tls = watch::Sender::new(tls(&first)?);
        tracing::info!(addr = %self.recorder_addr, "pods are served");
        let service = Service::new(Askers::new(client), artifacts.clone());
        tokio::select! {
            () = hearth_recorder::serve(listener, tls.subscribe(), service, &artifacts, stop) => Ok(()),
            never = renew(issued, &tls) => never,
        }
    }
}

fn tls(issued: &Issued) -> Result<Arc<ServerConfig>> {
    server_config(vec![issued.leaf.certificate.clone()], issued.leaf.key.clone_key()).context("TLS for pods")
}

/// Gives each new certificate to new connections. Ends only when one cannot be used.
async fn renew(mut issued: watch::Receiver<Option<Arc<Issued>>>, to: &watch::Sender<Arc<ServerConfig>>) -> Result<()> {
    while issued.changed().await.is_ok() {
        let newest = issued.borrow_and_update().clone();
        if let Some(issued) = newest {
            to.send_replace(tls(&issued)?);
        }
    }
    std::future::pending().await
}

/// The certificate of the authority, as it is published for pods.
pub fn authority(mut issued: watch::Receiver<Option<Arc<Issued>>>) -> watch::Receiver<Option<String>> {
    let pem = |issued: &Option<Arc<Issued>>| issued.as_ref().map(|i| i.authority.clone());
    let (sender, receiver) = watch::channel(pem(&issued.borrow_and_update()));
    tokio::spawn(async move {
        while issued.changed().await.is_ok() {
            let newest = pem(&issued.borrow_and_update());
            if sender.send(newest).is_err() {
                return;
            }
        }
        // The last word stays readable for as long as somebody may ask.
        sender.closed().await;
    });
    receiver
}

/// Removes blobs that no record names any more, every hour. Has no end.
pub async fn collect(mut opened: watch::Receiver<Option<Artifacts>>, store: Store) {
    let artifacts = match opened.wait_for(Option::is_some).await {
        Ok(found) => found.clone(),
        Err(_) => None,
    };
    let Some(artifacts) = artifacts else { return std::future::pending().await };
    let mut tick = interval_at(Instant::now() + COLLECT_EVERY, COLLECT_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = collect_once(&artifacts, &store).await {
            tracing::warn!(error = format!("{error:#}"), "old artifacts were not looked for, trying again in an hour");
        }
    }
}

async fn collect_once(artifacts: &Artifacts, store: &Store) -> Result<()> {
    let (mut named, mut anywhere) = (HashSet::new(), HashSet::new());
    for blob in store.blobs().await? {
        let Ok(digest) = blob.digest.parse::<Digest>() else { continue };
        match BlobKey::new(&blob.namespace_uid, digest) {
            Ok(key) => drop(named.insert(key)),
            // A row that does not know its namespace keeps the blob in all of them.
            Err(_) => drop(anywhere.insert(digest)),
        }
    }
    let is_named = |key: &BlobKey| named.contains(key) || anywhere.contains(&key.digest());
    let done = artifacts.collect(jiff::Timestamp::now(), COLLECT_AGE, is_named).await?;
    if done.removed > 0 {
        tracing::info!(removed = done.removed, bytes = done.removed_bytes, "artifacts that no record names are gone");
    }
    Ok(())
}
