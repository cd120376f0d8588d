//! The tasks that tell: one for each target, until the process stops.

use crate::{
    deliver::Undelivered,
    metrics::{ExportMetrics, Outcome},
    target::{Target, Targets, Untold},
};
use hearth_crds::time::Time;
use hearth_history::{Export, ExportTarget, Store};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{sync::watch, task::JoinSet, time::sleep};
use uuid::Uuid;

/// What is read from the store at a time.
const BATCH: u32 = 50;
/// What a target fails at so often, while it takes other things, is given up.
const STRIKES: u32 = 5;

/// How the tasks pace themselves.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long to wait when there is nothing to tell.
    pub idle: Duration,
    /// The first pause after a failure; each further one is twice as long …
    pub backoff_min: Duration,
    /// … up to this one.
    pub backoff_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { idle: Duration::from_secs(2), backoff_min: Duration::from_secs(1), backoff_max: Duration::from_secs(60) }
    }
}

/// Tells targets of runs.
#[derive(Debug)]
pub struct Exporter {
    store: Store,
    targets: Vec<(Target, watch::Sender<bool>)>,
    metrics: ExportMetrics,
    pace: Pace,
}

impl Exporter {
    /// Nothing is told before [`Exporter::run`].
    #[must_use]
    pub fn new(store: Store, targets: Targets, metrics: ExportMetrics) -> Self {
        let targets = targets.all().into_iter().map(|t| (t, watch::channel(true).0)).collect();
        Self { store, targets, metrics, pace: Pace::default() }
    }

    /// The same, at a pace of one's own.
    #[must_use]
    pub fn paced(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// The names of the targets, and whether each takes what it is told.
    #[must_use]
    pub fn states(&self) -> Vec<(&'static str, watch::Receiver<bool>)> {
        self.targets.iter().map(|(target, up)| (target.name(), up.subscribe())).collect()
    }

    /// Tells. Without targets, it says so to the store and ends; else it has no end. To be run by the leader alone.
    pub async fn run(self) {
        let noted: Vec<ExportTarget> = self.targets.iter().map(|(target, _)| target.noted()).collect();
        let mut pause = self.pace.backoff_min;
        while let Err(error) = self.store.set_export_targets(&noted).await {
            tracing::info!(%error, "cannot note yet who is told of runs, trying again");
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.pace.backoff_max);
        }
        // They end with this future: whoever drops it stops them all.
        let mut tasks = JoinSet::new();
        for (target, up) in self.targets {
            let (store, metrics, pace) = (self.store.clone(), self.metrics.clone(), self.pace);
            tracing::info!(export = target.name(), to = target.place(), "runs are exported");
            tasks.spawn(Telling { store, target, up, metrics, pace, strikes: BTreeMap::new() }.run());
        }
        tasks.join_all().await;
    }
}

/// The task of one target.
struct Telling {
    store: Store,
    target: Target,
    up: watch::Sender<bool>,
    metrics: ExportMetrics,
    pace: Pace,
    /// How often the target failed at something while it took other things.
    strikes: BTreeMap<(Uuid, bool), u32>,
}

impl Telling {
    async fn run(mut self) {
        let mut pause = self.pace.backoff_min;
        loop {
            match self.round().await {
                Ok(true) => pause = self.pace.backoff_min,
                Ok(false) => sleep(self.pace.idle).await,
                Err(error) => {
                    self.fail(&error);
                    sleep(pause).await;
                    pause = pause.saturating_mul(2).min(self.pace.backoff_max);
                }
            }
        }
    }

    /// Tells a batch. False: there was nothing to tell.
    ///
    /// What fails is stepped over: when the next thing is taken, it was not the target's fault. When that fails too, the
    /// target is away.
    async fn round(&mut self) -> Result<bool, Untold> {
        let name = self.target.name();
        let batch = self.store.exports(name, BATCH).await?;
        self.metrics.waiting(name, batch.first().map_or(0, |oldest| age(oldest.since)));
        let mut failed: Option<(&Export, Untold)> = None;
        for export in &batch {
            match self.tell(export).await {
                Ok(()) => {
                    if let Some((before, error)) = failed.take() {
                        self.strike(before, &error).await?;
                    }
                    self.recover();
                }
                Err(error @ Untold::Store(_)) => return Err(error),
                Err(error) if failed.is_some() => return Err(error),
                Err(error) => failed = Some((export, error)),
            }
        }
        match failed {
            Some((_, error)) => Err(error),
            None => Ok(!batch.is_empty()),
        }
    }

    /// Tells one thing, and notes that.
    async fn tell(&mut self, export: &Export) -> Result<(), Untold> {
        let outcome = match self.target.tell(&self.store, export).await {
            Ok(true) => Outcome::Told,
            Ok(false) => Outcome::Gone,
            Err(Untold::Target(Undelivered::Refused(why))) => {
                self.give_up(export, &why);
                Outcome::Refused
            }
            Err(error) => return Err(error),
        };
        self.done(export, outcome).await
    }

    async fn done(&mut self, export: &Export, outcome: Outcome) -> Result<(), Untold> {
        let name = self.target.name();
        self.store.exported(name, export).await?;
        self.strikes.remove(&(export.run_id, export.ended));
        self.metrics.ended(name, outcome);
        Ok(())
    }

    /// Notes that the target failed at one thing and then took another.
    async fn strike(&mut self, export: &Export, error: &Untold) -> Result<(), Untold> {
        self.metrics.failed(self.target.name());
        let strikes = self.strikes.entry((export.run_id, export.ended)).or_default();
        *strikes += 1;
        if *strikes < STRIKES {
            return Ok(());
        }
        self.give_up(export, &error.to_string());
        self.done(export, Outcome::Refused).await
    }

    fn give_up(&self, export: &Export, why: &str) {
        let what = if export.ended { "end" } else { "start" };
        let (export, run) = (self.target.name(), export.run_id);
        tracing::warn!(export, %run, what, why, "the target does not take it: it is not told of this");
    }

    fn fail(&self, error: &Untold) {
        self.metrics.failed(self.target.name());
        if self.up.send_replace(false) {
            let (export, to) = (self.target.name(), self.target.place());
            tracing::warn!(export, to, %error, "runs cannot be exported; they wait, and it is tried again");
        }
    }

    fn recover(&self) {
        if !self.up.send_replace(true) {
            tracing::info!(export = self.target.name(), "runs are exported again");
        }
    }
}

/// Seconds since then.
fn age(since: Time) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(since.millis() / 1000).max(0)
}
