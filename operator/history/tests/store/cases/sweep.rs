//! Runs whose object is gone, and runs that are deleted for good.

use crate::{
    harness::{Db, start},
    rows::{batch, event, object, run, run_batch, run_record, step, step_record},
};
use hearth_plan::record::Record;
use std::time::Duration;
use uuid::Uuid;

pub async fn only_open_runs_of_the_cluster_that_rest_long_enough_are_listed(db: Db) {
    let mut w = start(&db.store());
    let (open, done, other) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let mut elsewhere = run(other, 1, "Running");
    elsewhere.cluster = "cluster-2".into();
    w.send(run_batch(run(open, 1, "Running")));
    w.send(run_batch(elsewhere));
    w.store(run_batch(run(done, 1, "Succeeded"))).await;
    let store = db.store();
    let found = store.running("cluster-1", Duration::ZERO).await.unwrap();
    assert_eq!(found.iter().map(|u| u.run_id).collect::<Vec<_>>(), [open]);
    assert_eq!((found[0].object.clone(), found[0].number), (object("co2"), 1));
    assert_eq!(store.running("cluster-1", Duration::from_secs(600)).await.unwrap(), []);
    db.age().await;
    assert_eq!(store.running("cluster-1", Duration::from_secs(600)).await.unwrap().len(), 1);
}

pub async fn the_list_of_open_runs_has_no_end_of_page(db: Db) {
    let w = start(&db.store());
    for _ in 0..2100 {
        w.send(run_batch(run(Uuid::now_v7(), 1, "Running")));
    }
    w.finish().await;
    let found = db.store().running("cluster-1", Duration::ZERO).await.unwrap();
    let unique: std::collections::BTreeSet<_> = found.iter().map(|u| u.run_id).collect();
    assert_eq!((found.len(), unique.len()), (2100, 2100));
}

pub async fn vanished_gives_way_once_to_a_true_end(db: Db) {
    let mut w = start(&db.store());
    let store = db.store();
    let id = Uuid::now_v7();
    let marker = Uuid::now_v7();
    w.send(batch(
        id,
        3,
        false,
        vec![
            run_record(run(id, 3, "Running")),
            step_record(step(id, "fit", 1, 3, "Running")),
            step_record(step(id, "clean", 1, 2, "Succeeded")),
        ],
    ));
    w.store(run_batch(run(marker, 1, "Succeeded"))).await;
    assert_eq!(store.vanish(&[id, marker]).await.unwrap(), 1);
    assert_eq!(db.run(id).await, Some((3, "Vanished".into(), true)));
    assert_eq!(db.attempt(id, "fit", 1).await, Some((3, "Vanished".into(), true)));
    assert_eq!(db.attempt(id, "clean", 1).await, Some((2, "Succeeded".into(), true)));
    assert_eq!(db.run(marker).await, Some((1, "Succeeded".into(), true)));
    assert_eq!(store.vanish(&[id]).await.unwrap(), 0);
    // What is no end does not bring it back.
    w.store(batch(id, 4, true, vec![run_record(run(id, 4, "Running"))])).await;
    assert_eq!(db.run(id).await, Some((3, "Vanished".into(), true)));
    w.store(batch(id, 5, true, vec![run_record(run(id, 5, "Failed")), step_record(step(id, "fit", 1, 5, "Failed"))]))
        .await;
    assert_eq!(db.run(id).await, Some((5, "Failed".into(), true)));
    assert_eq!(db.attempt(id, "fit", 1).await, Some((5, "Failed".into(), true)));
    w.store(batch(id, 6, true, vec![run_record(run(id, 6, "Succeeded"))])).await;
    assert_eq!(db.run(id).await, Some((5, "Failed".into(), true)));
}

pub async fn under_a_tombstone_rows_are_dropped_and_acknowledged(db: Db) {
    let mut w = start(&db.store());
    let (id, kept) = (Uuid::now_v7(), Uuid::now_v7());
    let last = |id: Uuid| {
        batch(
            id,
            3,
            true,
            vec![
                run_record(run(id, 3, "Failed")),
                step_record(step(id, "fit", 1, 3, "Failed")),
                Record::Event(event(id, "run", "Failed", 3)),
            ],
        )
    };
    w.store(last(id)).await;
    w.store(last(kept)).await;
    assert_eq!(db.store().bury(&[id], "asked for").await.unwrap(), 1);
    let ack = w.store(last(id)).await;
    assert!(!ack.minimal);
    for (table, rows) in [
        ("runs", "SELECT count(*) FROM hearth.runs"),
        ("steps", "SELECT count(*) FROM hearth.steps"),
        ("events", "SELECT count(*) FROM hearth.events"),
        ("tombstones", "SELECT count(*) FROM hearth.tombstones WHERE reason = 'asked for'"),
    ] {
        assert_eq!(db.count(rows).await, 1, "{table}");
    }
    assert!(db.run(kept).await.is_some());
    assert_eq!(db.store().bury(&[id], "again").await.unwrap(), 0);
}
