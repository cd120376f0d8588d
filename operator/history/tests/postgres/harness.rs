//! A database per test, and a writer to talk to.

use hearth_history::{Ack, HistoryMetrics, Limits, Pace, RecordBatch, Store, connect_with};
use prometheus_client::registry::Registry;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{future::Future, panic::resume_unwind, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

/// The longest that any condition is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Limits that a test need not wait long for.
pub fn short() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        read: Duration::from_millis(700),
        write: Duration::from_secs(1),
        migrate: Duration::from_secs(60),
    }
}

/// A database of one test.
#[derive(Clone)]
pub struct Db {
    pub options: PgConnectOptions,
    pub dsn: String,
    /// For looking at tables past the store.
    pub sql: PgPool,
}

fn server() -> PgConnectOptions {
    let dsn = std::env::var("HEARTH_TEST_POSTGRES")
        .expect("HEARTH_TEST_POSTGRES must be the DSN of a Postgres in which databases may be made");
    dsn.parse().expect("HEARTH_TEST_POSTGRES must be a DSN")
}

/// Runs `test` with an empty database, and drops that whatever happens.
pub async fn with_empty<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let name = format!("hearth_test_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect_with(&server()).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await.unwrap();
    let options = server().database(&name);
    let db = Db {
        dsn: options.to_url_lossy().to_string(),
        sql: PgPool::connect_with(options.clone()).await.unwrap(),
        options,
    };
    let end = tokio::spawn(test(db)).await;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
    if let Err(e) = end {
        resume_unwind(e.into_panic());
    }
}

/// The same with the schema in place.
pub async fn with_db<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F + Send + 'static) {
    with_empty(|db| async move {
        db.store().migrate().await.unwrap();
        test(db).await;
    })
    .await;
}

impl Db {
    pub fn store(&self) -> Store {
        connect_with(&self.dsn, Limits::default()).unwrap()
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.sql).await.unwrap()
    }

    /// (seq, phase, terminal) of a run.
    pub async fn run(&self, id: Uuid) -> Option<(i64, String, bool)> {
        sqlx::query_as("SELECT seq, phase, terminal FROM hearth.runs WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.sql)
            .await
            .unwrap()
    }

    /// (seq, phase, terminal) of an attempt.
    pub async fn attempt(&self, id: Uuid, step: &str, attempt: i32) -> Option<(i64, String, bool)> {
        sqlx::query_as("SELECT seq, phase, terminal FROM hearth.steps WHERE run_id = $1 AND step = $2 AND attempt = $3")
            .bind(id)
            .bind(step)
            .bind(attempt)
            .fetch_optional(&self.sql)
            .await
            .unwrap()
    }
}

/// A running writer.
pub struct Running {
    pub batches: mpsc::Sender<RecordBatch>,
    pub acks: mpsc::Receiver<Ack>,
    pub up: watch::Receiver<bool>,
    pub registry: Registry,
    pub task: JoinHandle<()>,
}

/// A pace that tests need not wait long for.
pub fn quick() -> Pace {
    Pace {
        linger: Duration::from_millis(5),
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_millis(100),
        probe: Duration::from_millis(100),
        drain: Duration::from_millis(500),
        ..Pace::default()
    }
}

pub fn start(store: &Store) -> Running {
    start_with(store, quick(), 4096)
}

pub fn start_with(store: &Store, pace: Pace, queue: usize) -> Running {
    let (batches, rx) = mpsc::channel(queue);
    let (ack_tx, acks) = mpsc::channel(64);
    let (up_tx, up) = watch::channel(false);
    let mut registry = Registry::default();
    let metrics = HistoryMetrics::register(&mut registry);
    let task = store.spawn_paced_writer(rx, ack_tx, up_tx, metrics, pace);
    Running { batches, acks, up, registry, task }
}

impl Running {
    pub fn send(&self, batch: RecordBatch) {
        self.batches.try_send(batch).unwrap();
    }

    pub async fn ack(&mut self) -> Ack {
        let last = async {
            loop {
                let ack = self.acks.recv().await.expect("the writer is gone");
                if ack.last {
                    return ack;
                }
            }
        };
        timeout(PATIENCE, last).await.expect("no acknowledgement in time")
    }

    /// Sends a final batch and waits until it is stored.
    pub async fn store(&mut self, batch: RecordBatch) -> Ack {
        assert!(batch.last);
        self.send(batch);
        self.ack().await
    }

    pub async fn wait_up(&mut self, wanted: bool) {
        timeout(PATIENCE, self.up.wait_for(|up| *up == wanted))
            .await
            .expect("the store's state did not change in time")
            .unwrap();
    }

    /// Lets the writer end: everything sent is stored.
    pub async fn finish(self) {
        drop(self.batches);
        timeout(PATIENCE, self.task).await.expect("the writer does not end").unwrap();
    }

    pub fn metrics(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }
}

/// Waits until `holds` does.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let end = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < end, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
