//! Partitions by month: made ahead, filled from the default one, dropped whole.

use crate::{
    harness::{Db, start, with_postgres},
    rows::{batch, event, lineage, run, run_record, step, step_record},
};
use hearth_plan::record::{Record, Relation};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Writes a run with an attempt and an event whose id says that it started at that SQL time.
async fn write(db: &Db, at: &str) -> Uuid {
    let first: Uuid =
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT hearth.first_id({at})"))).fetch_one(db.sql()).await.unwrap();
    let id = Uuid::from_u128(first.as_u128() | (7 << 76) | (2 << 62) | (Uuid::new_v4().as_u128() & 0xffff_ffff));
    let records = vec![
        run_record(run(id, 3, "Failed")),
        step_record(step(id, "fit", 1, 3, "Failed")),
        Record::Event(event(id, "run", "Failed", 3)),
        lineage(id, Relation::Wrote, "sha256:a", "fit"),
    ];
    start(&db.store()).store(batch(id, 3, true, records)).await;
    id
}

async fn place(db: &Db, table: &str, key: &str, id: Uuid) -> String {
    let sql = format!(
        "SELECT c.relname::text FROM hearth.{table} t JOIN pg_class c ON c.oid = t.tableoid WHERE t.{key} = $1"
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_one(db.sql()).await.unwrap()
}

const NEXT_MONTH: &str = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 month'";

#[tokio::test]
async fn the_months_to_come_have_their_partitions() {
    with_postgres(|db| async move {
        let id = write(&db, NEXT_MONTH).await;
        let month: String =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT to_char(({NEXT_MONTH}) AT TIME ZONE 'UTC', 'YYYY_MM')")))
                .fetch_one(db.sql())
                .await
                .unwrap();
        for (table, key) in [("runs", "id"), ("steps", "run_id"), ("events", "run_id"), ("lineage", "run_id")] {
            assert_eq!(place(&db, table, key, id).await, format!("{table}_{month}"));
        }
        assert_eq!(db.count("SELECT hearth.make_partitions(2)").await, 0, "they are made once");
    })
    .await;
}

#[tokio::test]
async fn a_row_without_a_partition_is_kept_and_moved_when_its_month_is_made() {
    with_postgres(|db| async move {
        let id = write(&db, "now() + interval '1 year'").await;
        assert_eq!(place(&db, "runs", "id", id).await, "runs_default");
        // The months in between, and a little more.
        assert!(db.count("SELECT hearth.make_partitions(13)").await >= 30);
        for (table, key) in [("runs", "id"), ("steps", "run_id"), ("events", "run_id"), ("lineage", "run_id")] {
            let place = place(&db, table, key, id).await;
            assert!(place.starts_with(&format!("{table}_20")), "{place}");
        }
        let store = db.store();
        assert_eq!(store.get_run(id).await.unwrap().unwrap().summary.duration_ms, Some(1500));
        assert_eq!(store.list_steps(id, None, 10).await.unwrap().items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_old_is_dropped_whole() {
    with_postgres(|db| async move {
        let (now, next) = (write(&db, "now()").await, write(&db, NEXT_MONTH).await);
        let below = format!("SELECT hearth.drop_partitions(hearth.first_id({NEXT_MONTH}))");
        let dropped: i64 = sqlx::query_scalar(AssertSqlSafe(below)).fetch_one(db.sql()).await.unwrap();
        assert_eq!(dropped, 4, "one of each table");
        let store = db.store();
        assert_eq!(store.get_run(now).await.unwrap(), None);
        assert!(store.get_run(next).await.unwrap().is_some());
        // What comes for a month that is gone is kept all the same.
        let late = write(&db, "now()").await;
        assert_eq!(place(&db, "runs", "id", late).await, "runs_default");
    })
    .await;
}

/// A run is found in its own month: the others are not looked at.
#[tokio::test]
async fn a_run_is_read_from_one_partition() {
    with_postgres(|db| async move {
        let id = write(&db, NEXT_MONTH).await;
        let sql = format!("EXPLAIN SELECT * FROM hearth.events WHERE run_id = '{id}'");
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(db.sql()).await.unwrap();
        assert!(plan.iter().all(|line| !line.contains("Append")), "{plan:#?}");
    })
    .await;
}
