//! Migrations, and the view of the product contract.

use crate::{
    harness::{start, with_db, with_empty},
    rows::{batch, run, run_batch, run_record, step, step_record},
};
use serde_json::{Value, json};
use sqlx::Executor;
use uuid::Uuid;

#[tokio::test]
async fn migrating_twice_and_at_once_is_harmless() {
    with_empty(|db| async move {
        let (a, b, c) = (db.store(), db.store(), db.store());
        let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
        a.unwrap();
        b.unwrap();
        c.unwrap();
        db.store().migrate().await.unwrap();
        db.store().healthy().await.unwrap();
        assert_eq!(db.count("SELECT count(*) FROM hearth.migrations").await, 1);
        let elsewhere =
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> 'workflow_runs'";
        assert_eq!(db.count(elsewhere).await, 0, "all that is ours is in our schema");
    })
    .await;
}

#[tokio::test]
async fn without_the_schema_the_store_is_not_healthy() {
    with_empty(|db| async move {
        assert!(db.store().healthy().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_table_of_that_name_in_public_is_left_alone() {
    with_empty(|db| async move {
        db.sql.execute("CREATE TABLE public.workflow_runs (mine text)").await.unwrap();
        db.store().migrate().await.unwrap();
        assert_eq!(db.count("SELECT count(mine) FROM public.workflow_runs").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_database_without_public_is_fine() {
    with_empty(|db| async move {
        db.sql.execute("DROP SCHEMA public").await.unwrap();
        db.store().migrate().await.unwrap();
        assert_eq!(db.count("SELECT count(*) FROM hearth.workflow_runs").await, 0);
    })
    .await;
}

type Contract = (Uuid, String, String, Value, Value, String, Option<i64>, Value);

#[tokio::test]
async fn workflow_runs_speaks_the_words_of_the_contract() {
    with_db(|db| async move {
        let mut w = start(&db.store());
        let store = db.store();
        let ids: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
        for (id, phase) in ids.iter().zip(["Pending", "Running", "Failed", "Cancelled", "Running"]) {
            w.send(run_batch(run(*id, 1, phase)));
        }
        let mut done = run(ids[5], 2, "Succeeded");
        done.results = json!({"best": 3});
        let mut attempt = step(ids[5], "fit", 1, 2, "Failed");
        attempt.log = Some("boom".into());
        attempt.exit_code = Some(1);
        w.send(batch(ids[5], 2, true, vec![run_record(done), step_record(step(ids[5], "fit", 2, 2, "Succeeded")), step_record(attempt)]));
        for _ in 0..3 {
            w.ack().await;
        }
        store.vanish(&[ids[4]]).await.unwrap();
        let sql = "SELECT id, wpk_id, run_id, inputs, outputs, status, duration_ms, node_logs FROM public.workflow_runs WHERE created_at IS NOT NULL ORDER BY id";
        let rows: Vec<Contract> = sqlx::query_as(sql).fetch_all(&db.sql).await.unwrap();
        let words: Vec<&str> = ids.iter().map(|id| rows.iter().find(|r| r.0 == *id).unwrap().5.as_str()).collect();
        assert_eq!(words, ["pending", "running", "failed", "cancelled", "failed", "completed"]);
        let (_, wpk, run_id, inputs, outputs, _, duration, logs) = rows.iter().find(|r| r.0 == ids[5]).unwrap();
        assert_eq!((wpk.as_str(), run_id), ("climate/co2", &ids[5].to_string()));
        assert_eq!((inputs, outputs, *duration), (&json!({"window": 12, "mode": "fast"}), &json!({"best": 3}), Some(1500)));
        let summary: Vec<(i64, &str, &str)> =
            logs.as_array().unwrap().iter().map(|n| (n["attempt"].as_i64().unwrap(), n["phase"].as_str().unwrap(), n["log"].as_str().unwrap_or("-"))).collect();
        assert_eq!(summary, [(1, "Failed", "boom"), (2, "Succeeded", "-")]);
        let columns: Vec<String> = sqlx::query_scalar("SELECT attname::text FROM pg_attribute WHERE attrelid = 'public.workflow_runs'::regclass AND attnum > 0 ORDER BY attnum")
            .fetch_all(&db.sql)
            .await
            .unwrap();
        assert_eq!(columns, ["id", "wpk_id", "run_id", "inputs", "outputs", "status", "duration_ms", "node_logs", "created_at"]);
    })
    .await;
}
