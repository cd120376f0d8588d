//! The store, whichever back end it has.

use crate::{
    error::Error,
    filter::{Order, RunFilter},
    flush::Rows,
    metrics::HistoryMetrics,
    model::{
        AttemptKey, BlobName, Event, EventKey, Log, Page, Run, RunCursor, RunSummary, Step, StepKey, Unfinished,
        WholeLog,
    },
    postgres::Postgres,
    refusal::Letter,
    report::{Report, Reported},
    retention::{Aged, Retention},
    sqlite::Sqlite,
    usage::{Usage, UsageFilter},
    writer::{Pace, Writer},
};
use hearth_crds::artifacts::StoredArtifact;
use hearth_plan::{
    record::{Ack, RecordBatch},
    work::Work,
};
use std::{collections::BTreeMap, fmt, path::Path, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use uuid::Uuid;

/// The history store; a clone is the same store.
#[derive(Clone, Debug)]
pub enum Store {
    /// PostgreSQL.
    Postgres(Postgres),
    /// A SQLite file.
    Sqlite(Sqlite),
}

/// Open runs of one query; the sweep makes as many as it takes.
const CHUNK: usize = 1000;

/// How long this side waits, whatever the server does. The server is told to give up a little earlier.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection.
    pub connect: Duration,
    /// For a query of the API or a probe.
    pub read: Duration,
    /// For a transaction of the writer.
    pub write: Duration,
    /// For all migrations together.
    pub migrate: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(5),
            write: Duration::from_secs(10),
            migrate: Duration::from_secs(120),
        }
    }
}

/// A store at that DSN (`postgres://user:password@host:port/database?sslmode=…`). Nothing is connected yet, so this
/// succeeds while the server is away. Must be called within a tokio runtime.
pub fn connect(dsn: &str) -> Result<Store, Error> {
    connect_with(dsn, Limits::default())
}

/// The same, with limits of one's own.
pub fn connect_with(dsn: &str, limits: Limits) -> Result<Store, Error> {
    Postgres::new(dsn, limits).map(Store::Postgres)
}

/// A store in that SQLite file, which is made when it is not there. Nothing is opened yet, so this succeeds while the
/// volume is away. Must be called within a tokio runtime.
#[must_use]
pub fn open(file: &Path) -> Store {
    open_with(file, Limits::default())
}

/// The same, with limits of one's own.
#[must_use]
pub fn open_with(file: &Path, limits: Limits) -> Store {
    Store::Sqlite(Sqlite::new(file, limits))
}

impl Store {
    /// The same store, whose tables belong to the role of another DSN: that one migrates, makes and drops partitions,
    /// and lets the first role read and write rows. Only Postgres has roles.
    pub fn owned_by(self, dsn: &str) -> Result<Self, Error> {
        match self {
            Self::Postgres(p) => p.owned_by(dsn).map(Self::Postgres),
            Self::Sqlite(_) => Err(Error::Dsn("a SQLite file has no roles".into())),
        }
    }

    /// Which store it is, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "Postgres",
            Self::Sqlite(_) => "SQLite",
        }
    }

    /// Brings the schema up to date, once. Two that try at the same time wait for each other.
    pub async fn migrate(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.migrate().await,
            Self::Sqlite(s) => s.migrate().await,
        }
    }

    /// Brings the schema up to date in the background, and tries until it is.
    pub fn spawn_migrations(&self) -> JoinHandle<()> {
        let store = self.clone();
        tokio::spawn(async move {
            let mut pause = Duration::from_millis(200);
            while let Err(e) = store.migrate().await {
                tracing::warn!(error = %e, "will try again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(Duration::from_secs(10));
            }
            tracing::info!(%store, "the schema of the history store is up to date");
        })
    }

    /// Starts the one task that writes. It ends when all senders of `batches` are gone and what they sent is stored;
    /// if it ends before, the process should too. What is past its retention is acknowledged and not written.
    pub fn spawn_writer(
        &self,
        batches: mpsc::Receiver<RecordBatch>,
        acks: mpsc::Sender<Ack>,
        up: watch::Sender<bool>,
        metrics: HistoryMetrics,
        retention: Retention,
    ) -> JoinHandle<()> {
        self.spawn_paced_writer(batches, acks, up, metrics, retention, Pace::default())
    }

    /// The same, at a pace of one's own.
    pub fn spawn_paced_writer(
        &self,
        batches: mpsc::Receiver<RecordBatch>,
        acks: mpsc::Sender<Ack>,
        up: watch::Sender<bool>,
        metrics: HistoryMetrics,
        retention: Retention,
        pace: Pace,
    ) -> JoinHandle<()> {
        tokio::spawn(Writer { store: self.clone(), batches, acks, up, metrics, retention, pace }.run())
    }

    /// Whether it answers and has its schema.
    pub async fn healthy(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.healthy().await,
            Self::Sqlite(s) => s.healthy().await,
        }
    }

    /// Runs that `filter` leaves, `limit` of them (500 at most), after `after`.
    pub async fn list_runs(
        &self,
        filter: &RunFilter,
        order: Order,
        after: Option<RunCursor>,
        limit: u32,
    ) -> Result<Page<RunSummary, RunCursor>, Error> {
        match self {
            Self::Postgres(p) => p.list_runs(filter, order, after, limit).await,
            Self::Sqlite(s) => s.list_runs(filter, order, after, limit).await,
        }
    }

    /// One run in full.
    pub async fn get_run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        match self {
            Self::Postgres(p) => p.get_run(id).await,
            Self::Sqlite(s) => s.get_run(id).await,
        }
    }

    /// Attempts of a run in the order of their start, `limit` of them (500 at most), after `after`.
    pub async fn list_steps(
        &self,
        run: Uuid,
        after: Option<&StepKey>,
        limit: u32,
    ) -> Result<Page<Step, StepKey>, Error> {
        match self {
            Self::Postgres(p) => p.list_steps(run, after, limit).await,
            Self::Sqlite(s) => s.list_steps(run, after, limit).await,
        }
    }

    /// Transitions of a run in the order of their time, `limit` of them (500 at most), after `after`.
    pub async fn list_events(
        &self,
        run: Uuid,
        after: Option<&EventKey>,
        limit: u32,
    ) -> Result<Page<Event, EventKey>, Error> {
        match self {
            Self::Postgres(p) => p.list_events(run, after, limit).await,
            Self::Sqlite(s) => s.list_events(run, after, limit).await,
        }
    }

    /// The log of an attempt; without a number, of the last attempt that has one or says why not.
    pub async fn get_log(&self, run: Uuid, step: &str, item: i32, attempt: Option<i32>) -> Result<Option<Log>, Error> {
        match self {
            Self::Postgres(p) => p.get_log(run, step, item, attempt).await,
            Self::Sqlite(s) => s.get_log(run, step, item, attempt).await,
        }
    }

    /// Notes where the whole log of an attempt is, or why it is nowhere. It is durable when this answers. A log that is
    /// stored already stays as it is, and under a tombstone nothing is written.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_log(&self, of: &AttemptKey, log: Result<&WholeLog, &str>) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.put_log(of, log).await,
            Self::Sqlite(s) => s.put_log(of, log).await,
        }
    }

    /// Runs of a cluster without an end whose rows have not changed for `older_than`. Whoever asks looks at the live
    /// objects and names those that are gone to [`Store::vanish`].
    pub async fn running(&self, cluster: &str, older_than: Duration) -> Result<Vec<Unfinished>, Error> {
        let mut all: Vec<Unfinished> = Vec::new();
        loop {
            let after = all.last().map_or(Uuid::nil(), |u| u.run_id);
            let some = match self {
                Self::Postgres(p) => p.running_after(cluster, older_than, after, CHUNK).await?,
                Self::Sqlite(s) => s.running_after(cluster, older_than, after, CHUNK).await?,
            };
            let full = some.len() == CHUNK;
            all.extend(some);
            if !full {
                return Ok(all);
            }
        }
    }

    /// Ends runs and their attempts as Vanished, if they have no end. Answers how many runs it was.
    pub async fn vanish(&self, runs: &[Uuid]) -> Result<u64, Error> {
        match self {
            Self::Postgres(p) => p.vanish(runs).await,
            Self::Sqlite(s) => s.vanish(runs).await,
        }
    }

    /// Deletes runs with all their rows and leaves a tombstone for each, so that they don't come back.
    pub async fn bury(&self, runs: &[Uuid], reason: &str) -> Result<u64, Error> {
        match self {
            Self::Postgres(p) => p.bury(runs, reason).await,
            Self::Sqlite(s) => s.bury(runs, reason).await,
        }
    }

    /// Makes the partitions of this month and of those to come; one file has none.
    pub(crate) async fn prepare_months(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.make_partitions().await,
            Self::Sqlite(_) => Ok(()),
        }
    }

    /// Drops whole months that are too old; answers how many partitions it was.
    pub(crate) async fn drop_months(&self, cutoff: Uuid) -> Result<u64, Error> {
        match self {
            Self::Postgres(p) => p.drop_partitions(cutoff).await,
            Self::Sqlite(_) => Ok(0),
        }
    }

    /// Deletes the rows of some runs that are too old; answers how many rows it was, 0 when none is left.
    pub(crate) async fn prune(&self, table: Aged, cutoff: Uuid) -> Result<u64, Error> {
        match self {
            Self::Postgres(p) => p.prune(table, cutoff).await,
            Self::Sqlite(s) => s.prune(table, cutoff).await,
        }
    }

    /// Deletes dead letters that were not refused again for that long.
    pub(crate) async fn prune_letters(&self, keep: Duration) -> Result<u64, Error> {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        match self {
            Self::Postgres(p) => p.prune_letters(keep).await,
            Self::Sqlite(s) => s.prune_letters(keep).await,
        }
    }

    /// Writes all rows in one transaction; answers how many changed, as runs, steps, events and lineage.
    pub(crate) async fn insert(&self, rows: &Rows) -> Result<[u64; 4], Error> {
        match self {
            Self::Postgres(p) => p.insert(rows).await,
            Self::Sqlite(s) => s.insert(rows).await,
        }
    }

    pub(crate) async fn insert_dead_letter(&self, letter: &Letter) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.insert_dead_letter(letter).await,
            Self::Sqlite(s) => s.insert_dead_letter(letter).await,
        }
    }

    /// What the last attempt of a step that left an artifact of that name says of it: digest, bytes, directory.
    pub async fn artifact(&self, run: Uuid, step: &str, name: &str) -> Result<Option<StoredArtifact>, Error> {
        let found = match self {
            Self::Postgres(p) => p.artifact(run, step, name).await,
            Self::Sqlite(s) => s.artifact(run, step, name).await,
        }?;
        Ok(found.and_then(|value| serde_json::from_value(value).ok()))
    }

    /// Every blob of the artifact store that a row refers to.
    pub async fn blobs(&self) -> Result<Vec<BlobName>, Error> {
        match self {
            Self::Postgres(p) => p.blobs().await,
            Self::Sqlite(s) => s.blobs().await,
        }
    }

    /// The newest success by each of these keys in the namespace of that UID; one that was taken over is none of its own.
    pub async fn work(&self, namespace_uid: &str, keys: &[String]) -> Result<BTreeMap<String, Work>, Error> {
        let found = match self {
            Self::Postgres(p) => p.work(namespace_uid, keys).await,
            Self::Sqlite(s) => s.work(namespace_uid, keys).await,
        }?;
        Ok(found.into_iter().collect())
    }

    /// Writes a run that an outside system made, or what became of it since. It is durable when this answers.
    pub async fn report(&self, report: &Report) -> Result<Reported, Error> {
        match self {
            Self::Postgres(p) => p.report(report).await,
            Self::Sqlite(s) => s.report(report).await,
        }
    }

    /// What the runs of a time asked for, by namespace and owner; [`MOST_GROUPS`](crate::MOST_GROUPS) groups at most.
    pub async fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        match self {
            Self::Postgres(p) => p.usage(filter).await,
            Self::Sqlite(s) => s.usage(filter).await,
        }
    }
}

/// Where it is, without credentials.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(p) => p.fmt(f),
            Self::Sqlite(s) => s.fmt(f),
        }
    }
}
