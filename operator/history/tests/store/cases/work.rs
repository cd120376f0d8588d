//! Work that was done before.

use crate::{
    harness::{Db, start},
    rows::{batch, run, run_record, step, step_record, time},
};
use hearth_history::Retention;
use hearth_plan::{
    record::{Record, RunRow, StepRow},
    work::Work,
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

fn did(id: Uuid, name: &str, attempt: i32, phase: &str, key: &str, ms: i64) -> StepRow {
    StepRow {
        work_key: Some(key.into()),
        outputs: json!({"n": ms}),
        finished_at: Some(time(ms)),
        ..step(id, name, attempt, 1, phase)
    }
}

async fn keep(db: &Db, run: RunRow, steps: Vec<StepRow>) {
    let id: Uuid = run.id.parse().unwrap();
    let records = std::iter::once(run_record(run)).chain(steps.into_iter().map(step_record)).collect::<Vec<Record>>();
    start(&db.store()).store(batch(id, 1, true, records)).await;
}

async fn found(db: &Db, keys: &[&str]) -> BTreeMap<String, Work> {
    let keys: Vec<String> = keys.iter().map(|k| (*k).to_owned()).collect();
    db.store().work("ns-uid-1", &keys).await.unwrap()
}

pub async fn the_newest_success_is_found_by_its_key(db: Db) {
    let (old, new) = (Uuid::now_v7(), Uuid::now_v7());
    let mut item = did(old, "each", 1, "Succeeded", "v1:item", 50);
    item.item = 7;
    item.artifacts = json!({"model": {"digest": "sha256:a", "bytes": 12, "directory": true}});
    let failed = did(old, "fit", 1, "Failed", "v1:failed", 60);
    keep(&db, run(old, 1, "Failed"), vec![did(old, "fit", 2, "Succeeded", "v1:fit", 100), failed, item]).await;
    keep(&db, run(new, 1, "Succeeded"), vec![did(new, "tune", 1, "Succeeded", "v1:fit", 200)]).await;

    let all = found(&db, &["v1:fit", "v1:item", "v1:failed", "v1:none", "' OR 1=1 --"]).await;
    assert_eq!(all.keys().collect::<Vec<_>>(), ["v1:fit", "v1:item"]);
    let fit = &all["v1:fit"];
    assert_eq!((fit.run_id.as_str(), fit.step.as_str(), fit.item), (new.to_string().as_str(), "tune", 0));
    assert_eq!((fit.finished_at, json!(fit.outputs)), (time(200), json!({"n": 200})));
    let item = &all["v1:item"];
    assert_eq!((item.run_id.as_str(), item.item), (old.to_string().as_str(), 7), "also of a run that failed");
    assert_eq!(item.artifacts["model"].bytes, 12);
    assert_eq!(found(&db, &[]).await, BTreeMap::new());
}

pub async fn work_of_other_namespaces_is_not_found(db: Db) {
    let id = Uuid::now_v7();
    let elsewhere = RunRow { namespace_uid: "ns-uid-2".into(), ..run(id, 1, "Succeeded") };
    keep(&db, elsewhere, vec![did(id, "fit", 1, "Succeeded", "v1:fit", 100)]).await;
    assert_eq!(found(&db, &["v1:fit"]).await, BTreeMap::new());
    assert_eq!(db.store().work("ns-uid-2", &["v1:fit".to_owned()]).await.unwrap().len(), 1);
    assert_eq!(db.store().work("", &["v1:fit".to_owned()]).await.unwrap().len(), 0);
}

pub async fn what_was_taken_over_is_no_work_of_its_own(db: Db) {
    let (did_it, took_it) = (Uuid::now_v7(), Uuid::now_v7());
    keep(&db, run(did_it, 1, "Succeeded"), vec![did(did_it, "fit", 1, "Succeeded", "v1:fit", 100)]).await;
    let hit = StepRow { cached_from: Some(did_it.to_string()), ..did(took_it, "fit", 0, "Succeeded", "v1:fit", 500) };
    keep(&db, run(took_it, 1, "Succeeded"), vec![hit]).await;
    assert_eq!(found(&db, &["v1:fit"]).await["v1:fit"].run_id, did_it.to_string());
    let page = db.store().list_steps(took_it, None, 10).await.unwrap();
    assert_eq!(page.items[0].cached_from, Some(did_it.to_string()));
    let page = db.store().list_steps(did_it, None, 10).await.unwrap();
    assert_eq!(page.items[0].cached_from, None);
    // Its run goes from the record, and the work with it.
    db.store().bury(&[did_it], "test").await.unwrap();
    assert_eq!(found(&db, &["v1:fit"]).await, BTreeMap::new());
}

pub async fn work_goes_with_the_retention_of_its_run(db: Db) {
    let old = Uuid::from_u128((1_600_000_000_000 << 80) | (7 << 76) | (2 << 62));
    keep(&db, run(old, 1, "Succeeded"), vec![did(old, "fit", 1, "Succeeded", "v1:fit", 100)]).await;
    assert_eq!(found(&db, &["v1:fit"]).await.len(), 1);
    db.store().upkeep(Retention(Some(Duration::from_secs(365 * 86_400)))).await.unwrap();
    assert_eq!(found(&db, &["v1:fit"]).await, BTreeMap::new());
}
