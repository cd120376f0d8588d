//! Where whole logs are.

use crate::{
    cases::retention::{DAY, aged},
    harness::{Db, start},
    rows::{batch, run, run_record, step, step_record},
};
use hearth_history::{AttemptKey, BlobName, Retention, Store, WholeLog};
use hearth_plan::record::Record;
use std::time::Duration;
use uuid::Uuid;

fn of(run_id: Uuid, attempt: i32) -> AttemptKey {
    AttemptKey { run_id, step: "fit".into(), item: 0, attempt }
}

fn whole(digest: &str) -> WholeLog {
    WholeLog { digest: digest.into(), bytes: 70_000, left_out: 12 }
}

/// A run that is over, with so many attempts of its step.
async fn over(db: &Db, id: Uuid, attempts: i32) {
    let mut records: Vec<Record> = (1..=attempts).map(|n| step_record(step(id, "fit", n, 3, "Failed"))).collect();
    records.push(run_record(run(id, 3, "Failed")));
    start(&db.store()).store(batch(id, 3, true, records)).await;
}

async fn told(store: &Store, id: Uuid, attempt: i32) -> (Option<WholeLog>, Option<String>) {
    let log = store.get_log(id, "fit", 0, Some(attempt)).await.unwrap().unwrap();
    (log.whole, log.whole_unavailable)
}

pub async fn a_whole_log_is_told_with_its_attempt(db: Db) {
    let (store, id) = (db.store(), Uuid::now_v7());
    // It may come before the rows of its run.
    store.put_log(&of(id, 1), Ok(&whole("sha256:a"))).await.unwrap();
    over(&db, id, 3).await;
    store.put_log(&of(id, 2), Err("the pod\0 was gone")).await.unwrap();
    assert_eq!(told(&store, id, 1).await, (Some(whole("sha256:a")), None));
    assert_eq!(told(&store, id, 2).await, (None, Some("the pod\u{fffd} was gone".into())));
    assert_eq!(told(&store, id, 3).await, (None, None));
    let last = store.get_log(id, "fit", 0, None).await.unwrap().unwrap();
    assert_eq!(last.attempt, 2, "the last that has one or says why not");
    let steps = store.list_steps(id, None, 10).await.unwrap().items;
    assert_eq!(steps.iter().map(|s| s.has_log).collect::<Vec<_>>(), [true, false, false]);
}

pub async fn a_stored_log_stays_as_it_is(db: Db) {
    let (store, id) = (db.store(), Uuid::now_v7());
    over(&db, id, 1).await;
    store.put_log(&of(id, 1), Err("the node was away")).await.unwrap();
    store.put_log(&of(id, 1), Err("again")).await.unwrap();
    assert_eq!(told(&store, id, 1).await, (None, Some("the node was away".into())));
    for digest in ["sha256:a", "sha256:b"] {
        store.put_log(&of(id, 1), Ok(&whole(digest))).await.unwrap();
        assert_eq!(told(&store, id, 1).await, (Some(whole("sha256:a")), None));
    }
    store.put_log(&of(id, 1), Err("gone")).await.unwrap();
    assert_eq!(told(&store, id, 1).await, (Some(whole("sha256:a")), None));
}

pub async fn a_log_keeps_its_blob_and_goes_with_its_run(db: Db) {
    let (store, id, early) = (db.store(), Uuid::now_v7(), Uuid::now_v7());
    over(&db, id, 2).await;
    for (of, digest) in [(of(id, 1), "sha256:a"), (of(id, 2), "sha256:a"), (of(early, 1), "sha256:b")] {
        store.put_log(&of, Ok(&whole(digest))).await.unwrap();
    }
    let named =
        |namespace_uid: &str, digest: &str| BlobName { namespace_uid: namespace_uid.into(), digest: digest.into() };
    let mut blobs = store.blobs().await.unwrap();
    blobs.sort();
    // Whose the second is, is not known yet.
    assert_eq!(blobs, [named("", "sha256:b"), named("ns-uid-1", "sha256:a")]);
    store.bury(&[id, early], "asked for").await.unwrap();
    assert_eq!(store.blobs().await.unwrap(), []);
    store.put_log(&of(id, 1), Ok(&whole("sha256:a"))).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.logs").await, 0, "a tombstone keeps it away");

    let (old, young) = (aged(400), aged(1));
    for id in [old, young] {
        over(&db, id, 1).await;
        store.put_log(&of(id, 1), Ok(&whole("sha256:c"))).await.unwrap();
    }
    store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.logs").await, 1);
    assert_eq!(told(&store, young, 1).await.0, Some(whole("sha256:c")));
}
