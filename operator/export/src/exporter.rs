//! The tasks that tell: one for each target, until the process stops.

use crate::{
    deliver::Undelivered,
    metrics::{ExportMetrics, Outcome},
    target::{Progress, Target, Targets, Told, Untold},
};
use hearth_crds::time::Time;
use hearth_history::{Export, ExportTarget, Store};
use std::{
    collections::{BTreeMap, BTreeSet},
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
            tasks.spawn(Telling { store, target, up, metrics, pace, begun: BTreeMap::new(), trouble: None }.run());
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
    /// What was begun and not finished. A truer end of the same run is another thing to tell.
    begun: BTreeMap<Key, Begun>,
    /// What went wrong last, while it does.
    trouble: Option<String>,
}

/// What is told: the run, whether its end, and since when that is to be told.
type Key = (Uuid, bool, Time);

fn key(export: &Export) -> Key {
    (export.run_id, export.ended, export.since)
}

#[derive(Default)]
struct Begun {
    progress: Progress,
    /// How often the target failed at it while it took other things.
    strikes: u32,
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
    /// What fails is stepped over, and its run with it, so that no end is told before its start. When something else is
    /// taken, it was not the target's fault; when that fails too, the target is away. What is refused may be many: as long
    /// as nothing is taken, the address may be the wrong one.
    async fn round(&mut self) -> Result<bool, Untold> {
        let name = self.target.name();
        let batch = self.store.exports(name, BATCH).await?;
        self.metrics.waiting(name, batch.first().map_or(0, |oldest| age(oldest.since)));
        self.begun.retain(|begun, _| batch.iter().any(|export| key(export) == *begun));
        let mut failed: Vec<(&Export, Untold)> = Vec::new();
        let mut passed_over = BTreeSet::new();
        for export in &batch {
            if passed_over.contains(&export.run_id) {
                continue;
            }
            match self.tell(export).await {
                // A refusal is one of a part here: the target took the rest.
                Ok(Outcome::Told | Outcome::Refused) => {
                    self.recover();
                    for (before, error) in std::mem::take(&mut failed) {
                        self.strike(before, &error).await?;
                    }
                }
                Ok(Outcome::Gone) => {}
                Err(error)
                    if failed.is_empty() || (is_refusal(&error) && failed.iter().all(|(_, e)| is_refusal(e))) =>
                {
                    passed_over.insert(export.run_id);
                    failed.push((export, error));
                }
                Err(error) => return Err(error),
            }
        }
        match failed.pop() {
            Some((_, error)) => Err(error),
            None => Ok(!batch.is_empty()),
        }
    }

    /// Tells one thing, and notes that.
    async fn tell(&mut self, export: &Export) -> Result<Outcome, Untold> {
        let begun = self.begun.entry(key(export)).or_default();
        let before = begun.progress.posts;
        let told = self.target.tell(&self.store, export, &mut begun.progress).await;
        if begun.progress.posts > before {
            begun.strikes = 0;
        }
        let outcome = match told? {
            Told::Taken => Outcome::Told,
            Told::Gone => Outcome::Gone,
            Told::Partly(why) => {
                self.give_up(export, &why);
                Outcome::Refused
            }
        };
        self.done(export, outcome).await?;
        Ok(outcome)
    }

    async fn done(&mut self, export: &Export, outcome: Outcome) -> Result<(), Untold> {
        let name = self.target.name();
        self.store.exported(name, export).await?;
        self.begun.remove(&key(export));
        self.metrics.ended(name, outcome);
        Ok(())
    }

    /// The target failed at one thing and then took another. What it refuses again now is given up, what it stumbles over
    /// after a few times.
    async fn strike(&mut self, export: &Export, error: &Untold) -> Result<(), Untold> {
        self.metrics.failed(self.target.name());
        if is_refusal(error) {
            // The address may have been mended between the two.
            match self.tell(export).await {
                Ok(_) => return Ok(()),
                Err(again) if is_refusal(&again) => return self.abandon(export, &again).await,
                Err(Untold::Target(Undelivered::Away(_))) => {}
                Err(store) => return Err(store),
            }
        }
        let begun = self.begun.entry(key(export)).or_default();
        begun.strikes += 1;
        if begun.strikes < STRIKES { Ok(()) } else { self.abandon(export, error).await }
    }

    async fn abandon(&mut self, export: &Export, error: &Untold) -> Result<(), Untold> {
        self.give_up(export, &error.to_string());
        self.done(export, Outcome::Refused).await
    }

    fn give_up(&self, export: &Export, why: &str) {
        let what = if export.ended { "end" } else { "start" };
        let (export, run) = (self.target.name(), export.run_id);
        tracing::warn!(export, %run, what, why, "the target does not take it: it is not told of this");
    }

    /// A store that does not answer says nothing of the target.
    fn fail(&mut self, error: &Untold) {
        self.metrics.failed(self.target.name());
        if matches!(error, Untold::Target(_)) {
            self.up.send_replace(false);
        }
        let trouble = error.to_string();
        if self.trouble.as_ref() != Some(&trouble) {
            let (export, to) = (self.target.name(), self.target.place());
            tracing::warn!(export, to, %error, "runs cannot be exported; they wait, and it is tried again");
            self.trouble = Some(trouble);
        }
    }

    fn recover(&mut self) {
        self.up.send_replace(true);
        if self.trouble.take().is_some() {
            tracing::info!(export = self.target.name(), "runs are exported again");
        }
    }
}

/// Whether the target spoke of what was posted.
fn is_refusal(error: &Untold) -> bool {
    matches!(error, Untold::Target(Undelivered::Refused(_)))
}

/// Seconds since then.
fn age(since: Time) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(since.millis() / 1000).max(0)
}
