//! Migrations, and the view of the product contract.

use crate::{
    harness::{Db, start, until},
    rows::{batch, run, run_batch, run_record, step, step_record},
};
use serde_json::json;
use tokio::sync::mpsc::error::TryRecvError;
use uuid::Uuid;

pub async fn migrating_twice_and_at_once_is_harmless(db: Db) {
    let (a, b, c) = (db.store(), db.store(), db.store());
    let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
    a.unwrap();
    b.unwrap();
    c.unwrap();
    db.store().migrate().await.unwrap();
    db.store().healthy().await.unwrap();
    let versions = db.count("SELECT count(DISTINCT version) FROM hearth.migrations").await;
    assert!(versions > 0);
    assert_eq!(db.count("SELECT count(*) FROM hearth.migrations WHERE success").await, versions);
}

pub async fn without_the_schema_the_store_is_not_healthy(db: Db) {
    assert!(db.store().healthy().await.is_err());
}

pub async fn batches_wait_for_the_schema(db: Db) {
    let store = db.store();
    let mut w = start(&store);
    let id = Uuid::now_v7();
    w.send(run_batch(run(id, 1, "Succeeded")));
    until("the writer tries and fails", || async {
        w.metrics().contains("hearth_history_failures_total{class=\"transient\"}")
    })
    .await;
    assert!(!*w.up.borrow());
    assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
    store.spawn_migrations().await.unwrap();
    assert_eq!(w.ack().await.run_id, id.to_string());
    w.wait_up(true).await;
    assert!(w.metrics().contains("hearth_history_up 1"));
}

pub async fn workflow_runs_speaks_the_words_of_the_contract(db: Db) {
    let store = db.store();
    store.migrate().await.unwrap();
    let mut w = start(&store);
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
    for (id, phase) in ids.iter().zip(["Pending", "Running", "Failed", "Cancelled", "Running"]) {
        w.send(run_batch(run(*id, 1, phase)));
    }
    let mut done = run(ids[5], 2, "Succeeded");
    done.results = json!({"best": 3});
    let mut attempt = step(ids[5], "fit", 1, 2, "Failed");
    attempt.log = Some("boom".into());
    attempt.exit_code = Some(1);
    let steps = [step(ids[5], "fit", 2, 2, "Succeeded"), attempt].map(step_record);
    w.send(batch(ids[5], 2, true, std::iter::once(run_record(done)).chain(steps).collect()));
    for _ in 0..3 {
        w.ack().await;
    }
    store.vanish(&[ids[4]]).await.unwrap();
    let rows = db.contract().await;
    let words: Vec<&str> =
        ids.iter().map(|id| rows.iter().find(|r| r.id == id.to_string()).unwrap().status.as_str()).collect();
    assert_eq!(words, ["pending", "running", "failed", "cancelled", "failed", "completed"]);
    let last = rows.iter().find(|r| r.id == ids[5].to_string()).unwrap();
    assert_eq!((last.wpk_id.as_str(), &last.run_id), ("climate/co2", &ids[5].to_string()));
    assert_eq!(
        (&last.inputs, &last.outputs, last.duration_ms),
        (&json!({"window": 12, "mode": "fast"}), &json!({"best": 3}), Some(1500))
    );
    let summary: Vec<_> =
        last.node_logs.as_array().unwrap().iter().map(|n| (&n["attempt"], &n["phase"], &n["log"])).collect();
    assert_eq!(
        summary,
        [(&json!(1), &json!("Failed"), &json!("boom")), (&json!(2), &json!("Succeeded"), &json!(null))]
    );
    assert_eq!(
        db.columns("workflow_runs").await,
        ["id", "wpk_id", "run_id", "inputs", "outputs", "status", "duration_ms", "node_logs", "created_at"]
    );
}
