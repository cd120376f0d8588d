//! A database per test, and a writer to talk to.

use hearth_history::{Ack, HistoryMetrics, Limits, Pace, RecordBatch, Retention, Store, connect_with, open_with};
use prometheus_client::registry::Registry;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, PgPool, SqliteConnection, SqlitePool,
    postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};
use std::{
    future::Future,
    panic::resume_unwind,
    path::{Path, PathBuf},
    time::Duration,
};
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
pub enum Db {
    Postgres { options: Box<PgConnectOptions>, dsn: String, sql: PgPool },
    Sqlite { file: PathBuf, sql: SqlitePool },
}

fn server() -> PgConnectOptions {
    let dsn = std::env::var("HEARTH_TEST_POSTGRES")
        .expect("HEARTH_TEST_POSTGRES must be the DSN of a Postgres in which databases may be made");
    dsn.parse().expect("HEARTH_TEST_POSTGRES must be a DSN")
}

/// Runs `test` with an empty Postgres database, and drops that whatever happens.
pub async fn with_empty_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let name = format!("hearth_test_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect_with(&server()).await.unwrap();
    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await.unwrap();
    let options = server().database(&name);
    let db = Db::Postgres {
        dsn: options.to_url_lossy().to_string(),
        sql: PgPool::connect_with(options.clone()).await.unwrap(),
        options: Box::new(options),
    };
    let end = tokio::spawn(test(db)).await;
    admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
    if let Err(e) = end {
        resume_unwind(e.into_panic());
    }
}

/// The same with the schema in place.
pub async fn with_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F + Send + 'static) {
    with_empty_postgres(|db| migrated(db, test)).await;
}

/// Runs `test` with a place for a SQLite file.
pub async fn with_empty_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let sql = SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(&file));
    test(Db::Sqlite { file, sql }).await;
}

/// The same with the schema in place.
pub async fn with_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Db) -> F + Send + 'static) {
    with_empty_sqlite(|db| migrated(db, test)).await;
}

async fn migrated<F: Future<Output = ()>>(db: Db, test: impl FnOnce(Db) -> F) {
    db.store().migrate().await.unwrap();
    test(db).await;
}

/// A row of the view `workflow_runs`.
pub struct Contract {
    pub id: String,
    pub wpk_id: String,
    pub run_id: String,
    pub inputs: Value,
    pub outputs: Value,
    pub status: String,
    pub duration_ms: Option<i64>,
    pub node_logs: Value,
}

type ContractRow = (String, String, String, String, String, String, Option<i64>, String);

/// A lock that keeps every writer out.
pub enum Lock {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Lock {
    pub async fn release(self) {
        match self {
            Self::Postgres(c) => c.close().await.unwrap(),
            Self::Sqlite(c) => c.close().await.unwrap(),
        }
    }
}

/// The tables of SQLite have no schema before their names.
fn plain(sql: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql.replace("hearth.", ""))
}

impl Db {
    pub fn store(&self) -> Store {
        self.store_with(Limits::default())
    }

    pub fn store_with(&self, limits: Limits) -> Store {
        match self {
            Self::Postgres { dsn, .. } => connect_with(dsn, limits).unwrap(),
            Self::Sqlite { file, .. } => open_with(file, limits),
        }
    }

    /// A store of the same kind where none can be.
    pub fn nowhere(&self) -> Store {
        match self {
            Self::Postgres { .. } => connect_with("postgres://nobody:hidden@127.0.0.1:1/none", short()).unwrap(),
            Self::Sqlite { .. } => open_with(Path::new("/proc/none/history.db"), short()),
        }
    }

    /// One number.
    pub async fn count(&self, sql: &'static str) -> i64 {
        match self {
            Self::Postgres { sql: pool, .. } => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap(),
            Self::Sqlite { sql: pool, .. } => sqlx::query_scalar(plain(sql)).fetch_one(pool).await.unwrap(),
        }
    }

    /// One statement.
    pub async fn execute(&self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Postgres { sql: pool, .. } => pool.execute(sql).await.map(drop),
            Self::Sqlite { sql: pool, .. } => pool.execute(plain(sql)).await.map(drop),
        }
    }

    /// Takes away what keeps the audit trail, as its owner can.
    pub async fn unguard_audit(&self) {
        match self {
            Self::Postgres { sql, .. } => {
                sql.execute("ALTER TABLE hearth.audit DISABLE TRIGGER USER").await.map(drop).unwrap();
            }
            Self::Sqlite { sql, .. } => {
                sql.execute("DROP TRIGGER audit_is_kept; DROP TRIGGER audit_is_not_changed").await.map(drop).unwrap();
            }
        }
    }

    /// (seq, phase, terminal) of a run.
    pub async fn run(&self, id: Uuid) -> Option<(i64, String, bool)> {
        let sql = "SELECT seq, phase, terminal FROM hearth.runs WHERE CAST(id AS text) = $1";
        match self {
            Self::Postgres { sql: pool, .. } => {
                sqlx::query_as(sql).bind(id.to_string()).fetch_optional(pool).await.unwrap()
            }
            Self::Sqlite { sql: pool, .. } => {
                sqlx::query_as(plain(sql)).bind(id.to_string()).fetch_optional(pool).await.unwrap()
            }
        }
    }

    /// (seq, phase, terminal) of an attempt.
    pub async fn attempt(&self, id: Uuid, step: &str, attempt: i32) -> Option<(i64, String, bool)> {
        let sql = "SELECT seq, phase, terminal FROM hearth.steps \
             WHERE CAST(run_id AS text) = $1 AND step = $2 AND attempt = $3";
        let id = id.to_string();
        match self {
            Self::Postgres { sql: pool, .. } => {
                sqlx::query_as(sql).bind(id).bind(step).bind(attempt).fetch_optional(pool).await.unwrap()
            }
            Self::Sqlite { sql: pool, .. } => {
                sqlx::query_as(plain(sql)).bind(id).bind(step).bind(attempt).fetch_optional(pool).await.unwrap()
            }
        }
    }

    /// (table, run, error, content) of each dead letter.
    pub async fn letters(&self) -> Vec<(String, String, String, String)> {
        let sql = "SELECT kind, run_id, error, content FROM hearth.dead_letter ORDER BY content";
        match self {
            Self::Postgres { sql: pool, .. } => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
            Self::Sqlite { sql: pool, .. } => sqlx::query_as(plain(sql)).fetch_all(pool).await.unwrap(),
        }
    }

    /// The view of the product contract.
    pub async fn contract(&self) -> Vec<Contract> {
        let sql = "SELECT CAST(id AS text), wpk_id, run_id, CAST(inputs AS text), CAST(outputs AS text), status, \
             duration_ms, CAST(node_logs AS text) FROM hearth.workflow_runs WHERE created_at IS NOT NULL";
        let rows: Vec<ContractRow> = match self {
            Self::Postgres { sql: pool, .. } => sqlx::query_as(sql).fetch_all(pool).await.unwrap(),
            Self::Sqlite { sql: pool, .. } => sqlx::query_as(plain(sql)).fetch_all(pool).await.unwrap(),
        };
        let json = |text: &str| serde_json::from_str(text).unwrap();
        rows.into_iter()
            .map(|(id, wpk_id, run_id, inputs, outputs, status, duration_ms, logs)| Contract {
                inputs: json(&inputs),
                outputs: json(&outputs),
                node_logs: json(&logs),
                id,
                wpk_id,
                run_id,
                status,
                duration_ms,
            })
            .collect()
    }

    /// The columns of a table or view, in order.
    pub async fn columns(&self, table: &str) -> Vec<String> {
        match self {
            Self::Postgres { sql: pool, .. } => {
                let sql = "SELECT attname::text FROM pg_attribute WHERE attrelid = ('hearth.' || $1)::regclass AND attnum > 0 ORDER BY attnum";
                sqlx::query_scalar(sql).bind(table).fetch_all(pool).await.unwrap()
            }
            Self::Sqlite { sql: pool, .. } => sqlx::query_scalar("SELECT name FROM pragma_table_info($1) ORDER BY cid")
                .bind(table)
                .fetch_all(pool)
                .await
                .unwrap(),
        }
    }

    /// Makes all runs and dead letters look as if nothing had been written to them for eleven minutes.
    pub async fn age(&self) {
        match self {
            Self::Postgres { sql, .. } => {
                sql.execute("UPDATE hearth.runs SET updated_at = now() - interval '11 minutes'").await.unwrap();
                sql.execute("UPDATE hearth.dead_letter SET last_at = now() - interval '11 minutes'").await.unwrap();
            }
            Self::Sqlite { sql, .. } => {
                let then = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-11 minutes')";
                for (table, column) in [("runs", "updated_at"), ("dead_letter", "last_at")] {
                    sql.execute(AssertSqlSafe(format!("UPDATE {table} SET {column} = {then}"))).await.unwrap();
                }
            }
        }
    }

    /// Keeps every writer out.
    pub async fn lock(&self) -> Lock {
        match self {
            Self::Postgres { options, .. } => {
                let mut c = PgConnection::connect_with(options).await.unwrap();
                c.execute("BEGIN").await.unwrap();
                c.execute("LOCK TABLE hearth.runs IN SHARE MODE").await.unwrap();
                Lock::Postgres(c)
            }
            Self::Sqlite { file, .. } => {
                let mut c = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
                c.execute("BEGIN IMMEDIATE").await.unwrap();
                Lock::Sqlite(c)
            }
        }
    }

    /// What only Postgres has.
    pub fn options(&self) -> &PgConnectOptions {
        let Self::Postgres { options, .. } = self else { panic!("not a Postgres") };
        options
    }

    pub fn dsn(&self) -> &str {
        let Self::Postgres { dsn, .. } = self else { panic!("not a Postgres") };
        dsn
    }

    pub fn sql(&self) -> &PgPool {
        let Self::Postgres { sql, .. } = self else { panic!("not a Postgres") };
        sql
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
    start_keeping(store, Retention::default(), pace, queue)
}

pub fn start_keeping(store: &Store, retention: Retention, pace: Pace, queue: usize) -> Running {
    let (batches, rx) = mpsc::channel(queue);
    let (ack_tx, acks) = mpsc::channel(64);
    let (up_tx, up) = watch::channel(false);
    let mut registry = Registry::default();
    let metrics = HistoryMetrics::register(&mut registry);
    let task = store.spawn_paced_writer(rx, ack_tx, up_tx, metrics, retention, pace);
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
    pub async fn finish(mut self) {
        drop(self.batches);
        let acks = async { while self.acks.recv().await.is_some() {} };
        let (ended, ()) = tokio::join!(timeout(PATIENCE, self.task), acks);
        ended.expect("the writer does not end").unwrap();
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
