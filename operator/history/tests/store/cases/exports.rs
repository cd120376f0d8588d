//! What other systems have still to be told of runs.

use crate::{
    harness::{Db, start},
    rows::{batch, run, run_batch, run_record, time},
};
use hearth_history::{Export, ExportTarget, Report, ReportEnd, Store};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

const LINEAGE: ExportTarget = ExportTarget { name: "lineage", starts: true };
const TRACES: ExportTarget = ExportTarget { name: "traces", starts: false };

async fn waiting(store: &Store, target: &str) -> Vec<(Uuid, bool)> {
    store.exports(target, 10).await.unwrap().into_iter().map(|e| (e.run_id, e.ended)).collect()
}

/// Notes that all that waits was told.
async fn tell(store: &Store, target: &str) -> Vec<Export> {
    let all = store.exports(target, 10).await.unwrap();
    for export in &all {
        store.exported(target, export).await.unwrap();
    }
    all
}

pub async fn a_run_waits_for_each_target_with_its_start_and_its_end(db: Db) {
    let store = db.store();
    store.set_export_targets(&[LINEAGE, TRACES]).await.unwrap();
    let mut w = start(&store);
    let (long, short) = (Uuid::now_v7(), Uuid::now_v7());
    w.store(batch(long, 1, true, vec![run_record(run(long, 1, "Running"))])).await;
    assert_eq!(waiting(&store, "lineage").await, [(long, false)]);
    assert_eq!(waiting(&store, "traces").await, [], "it is told of ends alone");
    // A change on the way is nothing to tell.
    w.store(batch(long, 2, true, vec![run_record(run(long, 2, "Running"))])).await;
    assert_eq!(tell(&store, "lineage").await.len(), 1);
    // One that is seen at its end first has both, in order.
    w.store(run_batch(run(short, 1, "Failed"))).await;
    assert_eq!(waiting(&store, "lineage").await, [(short, false), (short, true)]);
    assert_eq!(store.exports("lineage", 1).await.unwrap().len(), 1);
    w.store(run_batch(run(long, 3, "Succeeded"))).await;
    let both = waiting(&store, "traces").await;
    assert!(both.len() == 2 && both.contains(&(long, true)) && both.contains(&(short, true)), "{both:?}");
    assert_eq!(tell(&store, "traces").await.len(), 2);
    assert_eq!(waiting(&store, "traces").await, []);
    assert_eq!(waiting(&store, "lineage").await.len(), 3, "each target goes at its own pace");
    // The same end again is not told again.
    w.store(run_batch(run(long, 3, "Succeeded"))).await;
    assert_eq!(waiting(&store, "traces").await, []);
}

pub async fn without_targets_nothing_waits(db: Db) {
    let store = db.store();
    let before = Uuid::now_v7();
    let mut w = start(&store);
    w.store(run_batch(run(before, 1, "Succeeded"))).await;
    store.set_export_targets(&[LINEAGE]).await.unwrap();
    assert_eq!(waiting(&store, "lineage").await, [], "what ended before is not told");
    assert_eq!(db.count("SELECT count(*) FROM hearth.exports").await, 0);
}

pub async fn a_truer_end_is_told_again(db: Db) {
    let store = db.store();
    store.set_export_targets(&[TRACES]).await.unwrap();
    let id = Uuid::now_v7();
    let mut w = start(&store);
    w.store(batch(id, 1, true, vec![run_record(run(id, 1, "Running"))])).await;
    store.vanish(&[id]).await.unwrap();
    let seen = store.exports("traces", 10).await.unwrap();
    // The true end comes while the other one is on its way: that it was told says nothing of this one.
    while store.exports("traces", 10).await.unwrap() == seen {
        w.store(run_batch(run(id, 2, "Succeeded"))).await;
    }
    store.exported("traces", &seen[0]).await.unwrap();
    assert_eq!(waiting(&store, "traces").await, [(id, true)]);
    tell(&store, "traces").await;
    assert_eq!(waiting(&store, "traces").await, []);
}

pub async fn reported_runs_are_told_too(db: Db) {
    let store = db.store();
    store.set_export_targets(&[LINEAGE]).await.unwrap();
    let report = Report {
        reported_id: "ci-7".into(),
        namespace: "climate".into(),
        namespace_uid: "ns-uid-1".into(),
        name: "co2".into(),
        by: "system:serviceaccount:ci:bot".into(),
        at: time(100_000),
        phase: "Succeeded".into(),
        end: Some(ReportEnd::After(Duration::from_secs(1))),
        message: None,
        started_at: None,
        inputs: json!({}),
        outputs: json!({}),
        digest: "reported:1".into(),
        steps: vec![],
    };
    store.report(&report).await.unwrap();
    let told = waiting(&store, "lineage").await;
    assert_eq!(told.iter().map(|(_, ended)| *ended).collect::<Vec<_>>(), [false, true]);
    store.report(&report).await.unwrap();
    assert_eq!(waiting(&store, "lineage").await, told);
}

pub async fn whoever_is_no_target_any_more_waits_for_nothing(db: Db) {
    let store = db.store();
    store.set_export_targets(&[LINEAGE, TRACES]).await.unwrap();
    let (id, later) = (Uuid::now_v7(), Uuid::now_v7());
    let mut w = start(&store);
    w.store(run_batch(run(id, 1, "Succeeded"))).await;
    let silent = ExportTarget { starts: false, ..LINEAGE };
    store.set_export_targets(&[silent]).await.unwrap();
    assert_eq!(waiting(&store, "traces").await, []);
    assert_eq!(waiting(&store, "lineage").await, [(id, false), (id, true)], "what waits for one that stays, stays");
    w.store(run_batch(run(later, 1, "Succeeded"))).await;
    assert_eq!(waiting(&store, "lineage").await[2..], [(later, true)]);
    store.set_export_targets(&[]).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.exports").await, 0);
    assert_eq!(db.count("SELECT count(*) FROM hearth.export_targets").await, 0);
}
