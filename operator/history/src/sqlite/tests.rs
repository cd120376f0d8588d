//! Every statement is prepared once against a real file.

use super::{STATEMENTS, Sqlite, list::statement};
use crate::{
    error::Class,
    filter::{Order, RunFilter, filled},
    flush::Flush,
    model::RunCursor,
    refusal,
    store::{Limits, Store},
};
use hearth_crds::time::Time;
use hearth_plan::record::{EventRow, ObjectKey, Record, RecordBatch};
use sqlx::{Executor, SqlSafeStr};
use std::time::{Duration, Instant};
use uuid::Uuid;

#[tokio::test]
async fn every_statement_prepares() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::new(&folder.path().join("history.db"), Limits::default());
    store.migrate().await.unwrap();
    let mut held = store.hold().await.unwrap();
    for (name, sql) in STATEMENTS {
        held.connection.prepare(sql.into_sql_str()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let cursor = RunCursor { started_at: Time::from_millis(0), id: Uuid::nil() };
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for (filter, after) in [(RunFilter::default(), None), (filled(), None), (filled(), Some(cursor))] {
            held.connection.prepare(statement(&filter, order, after, 50).sql()).await.unwrap();
        }
    }
}

#[test]
fn every_sql_file_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/sqlite/sql");
    let files: std::collections::BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, STATEMENTS.iter().map(|(name, _)| (*name).to_owned()).collect());
}

fn many_events(run: Uuid) -> Flush {
    let event = |n: i32| EventRow {
        run_id: run.to_string(),
        subject: format!("step/fit/{n}"),
        transition: "Running".into(),
        seq: 1,
        at: Time::from_millis(0),
        reason: None,
        message: Some("as long as a message of some length may well be".into()),
    };
    let object = ObjectKey { kind: "Workflow".into(), namespace: "n".into(), name: "n".into(), uid: "u".into() };
    let records = (0..2000).map(|n| Record::Event(event(n))).collect();
    let mut flush = Flush::default();
    flush.add(RecordBatch { object, run_id: run.to_string(), seq: 1, last: false, records });
    flush
}

async fn count(store: &Sqlite, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&store.readers).await.unwrap()
}

/// `max_page_count` stands for a disk without room: SQLite answers both with SQLITE_FULL.
#[tokio::test]
async fn a_full_disk_refuses_no_row_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::new(&folder.path().join("history.db"), Limits::default());
    sqlite.migrate().await.unwrap();
    let mut held = sqlite.hold().await.unwrap();
    held.connection.execute("PRAGMA max_page_count = 1").await.unwrap();
    held.keep();
    let flush = many_events(Uuid::now_v7());
    let store = Store::Sqlite(sqlite.clone());
    let error = refusal::write(&store, flush.rows(None)).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error}");
    assert!(error.to_string().contains("full"), "{error}");
    assert_eq!(count(&sqlite, "SELECT count(*) FROM events").await, 0);
    // The next try has room.
    assert_eq!(refusal::write(&store, flush.rows(None)).await.unwrap().events, 2000);
    assert_eq!(count(&sqlite, "SELECT count(*) FROM events").await, 2000);
    assert_eq!(count(&sqlite, "SELECT count(*) FROM dead_letter").await, 0);
}

/// `query_only` stands for a volume that became read-only: SQLite answers both with SQLITE_READONLY.
#[tokio::test]
async fn a_read_only_volume_is_away_and_not_well() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::new(&folder.path().join("history.db"), Limits::default());
    sqlite.migrate().await.unwrap();
    let mut held = sqlite.hold().await.unwrap();
    held.connection.execute("PRAGMA query_only = ON").await.unwrap();
    held.keep();
    let flush = many_events(Uuid::now_v7());
    let error = refusal::write(&Store::Sqlite(sqlite.clone()), flush.rows(None)).await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error}");
    assert!(error.to_string().contains("readonly"), "{error}");
}

#[tokio::test]
async fn the_settings_are_those_of_a_durable_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::new(&folder.path().join("history.db"), Limits::default());
    let mut held = store.hold().await.unwrap();
    for (sql, wanted) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1), ("PRAGMA busy_timeout", 8000)] {
        let value: i64 = sqlx::query_scalar(sql).fetch_one(&mut held.connection).await.unwrap();
        assert_eq!(value, wanted, "{sql}");
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut held.connection).await.unwrap();
    assert_eq!(mode, "wal");
}

/// More queries without an end than there are readers: each is ended by itself, and its reader serves again.
#[tokio::test]
async fn a_query_that_nobody_waits_for_ends() {
    const ENDLESS: &str = "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n) SELECT count(*) FROM n";
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { read: Duration::from_millis(50), ..Limits::default() };
    let store = Sqlite::new(&folder.path().join("history.db"), limits);
    store.migrate().await.unwrap();
    for _ in 0..8 {
        let endless = store.read("a test", |mut c| async move { sqlx::query(ENDLESS).fetch_all(&mut *c).await });
        assert_eq!(endless.await.unwrap_err().class(), Class::Transient);
    }
    let end = Instant::now() + Duration::from_secs(30);
    while store.get_run(Uuid::nil()).await.is_err() {
        assert!(Instant::now() < end, "no reader is free");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
