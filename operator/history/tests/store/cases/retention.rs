//! Records past their retention go, and don't come back.

use crate::{
    harness::{Db, quick, start, start_keeping},
    rows::{batch, event, lineage, run, run_record, step, step_record},
};
use hearth_history::{RecordBatch, Retention};
use hearth_plan::record::{Record, Relation};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::{NoContext, Timestamp, Uuid};

pub const DAY: u64 = 86_400;

/// The id of a run that started so many days ago.
pub fn aged(days: u64) -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Uuid::new_v7(Timestamp::from_unix(NoContext, now - days * DAY, 0))
}

fn last(id: Uuid) -> RecordBatch {
    let records = vec![
        run_record(run(id, 3, "Failed")),
        step_record(step(id, "fit", 1, 3, "Failed")),
        Record::Event(event(id, "run", "Failed", 3)),
        lineage(id, Relation::Wrote, "sha256:a", "fit"),
    ];
    batch(id, 3, true, records)
}

async fn rows(db: &Db) -> [i64; 4] {
    [
        db.count("SELECT count(*) FROM hearth.runs").await,
        db.count("SELECT count(*) FROM hearth.steps").await,
        db.count("SELECT count(*) FROM hearth.events").await,
        db.count("SELECT count(*) FROM hearth.lineage").await,
    ]
}

pub async fn what_is_too_old_goes_with_all_its_rows(db: Db) {
    let store = db.store();
    let mut w = start(&store);
    let (old, young) = (aged(400), aged(1));
    w.store(last(young)).await;
    // More than go in one step.
    for n in 0..1200 {
        w.send(RecordBatch { last: false, ..last(aged(400 + n % 300)) });
    }
    w.store(last(old)).await;
    assert_eq!(rows(&db).await, [1202; 4]);
    assert_eq!(store.upkeep(Retention(None)).await.unwrap(), 0, "unset keeps all");
    assert!(store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap() > 0);
    assert_eq!(rows(&db).await, [1; 4]);
    assert!(store.get_run(young).await.unwrap().is_some());
    assert_eq!(store.get_run(old).await.unwrap(), None);
    assert_eq!(store.upkeep(Retention(Some(Duration::from_secs(365 * DAY)))).await.unwrap(), 0);
    assert_eq!(db.count("SELECT count(*) FROM hearth.tombstones").await, 0, "the id itself says that it is too old");
}

pub async fn what_is_too_old_is_acknowledged_and_not_written(db: Db) {
    let store = db.store();
    let mut w = start_keeping(&store, Retention(Some(Duration::from_secs(365 * DAY))), quick(), 64);
    let (old, young) = (aged(400), aged(1));
    let ack = w.store(last(old)).await;
    assert_eq!((ack.run_id, ack.seq, ack.minimal), (old.to_string(), 3, false));
    w.store(last(young)).await;
    assert_eq!(rows(&db).await, [1; 4]);
    assert!(store.get_run(young).await.unwrap().is_some());
}

pub async fn old_dead_letters_go(db: Db) {
    let store = db.store();
    let mut w = start(&store);
    let id = aged(0);
    w.store(batch(
        id,
        1,
        true,
        vec![step_record(step(id, "odd", 1, 1, "NoSuchPhase")), run_record(run(id, 1, "Failed"))],
    ))
    .await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.dead_letter").await, 1);
    store.upkeep(Retention(Some(Duration::from_secs(DAY)))).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.dead_letter").await, 1);
    db.age().await;
    store.upkeep(Retention(Some(Duration::from_secs(600)))).await.unwrap();
    assert_eq!(db.count("SELECT count(*) FROM hearth.dead_letter").await, 0);
}
