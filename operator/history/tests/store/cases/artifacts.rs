//! What steps left in the artifact store.

use crate::{
    harness::{Db, start},
    rows::{batch, run, run_record, step, step_record},
};
use hearth_history::BlobName;
use hearth_plan::record::Record;
use serde_json::{Value, json};
use uuid::Uuid;

fn left(digest: &str) -> Value {
    json!({"digest": digest, "bytes": 12, "directory": true})
}

pub async fn rows_keep_blobs_and_tell_them_by_name(db: Db) {
    let (id, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut w = start(&db.store());
    let mut first = step(id, "fit", 1, 1, "Succeeded");
    first.artifacts = json!({"model": left("sha256:a"), "table-1": left("sha256:b")});
    let mut second = step(id, "fit", 2, 1, "Succeeded");
    second.artifacts = json!({"model": left("sha256:c")});
    let plain = step(id, "plain", 1, 1, "Succeeded");
    let mut records: Vec<Record> = vec![first, second, plain].into_iter().map(step_record).collect();
    records.push(run_record(run(id, 1, "Succeeded")));
    w.store(batch(id, 1, true, records)).await;
    let mut same = step(other, "fit", 1, 1, "Succeeded");
    same.artifacts = json!({"model": left("sha256:a")});
    w.store(batch(other, 1, true, vec![step_record(same), run_record(run(other, 1, "Succeeded"))])).await;

    let store = db.store();
    let mut blobs = store.blobs().await.unwrap();
    blobs.sort();
    let named = |digest: &str| BlobName { namespace_uid: "ns-uid-1".into(), digest: digest.into() };
    assert_eq!(blobs, ["sha256:a", "sha256:b", "sha256:c"].map(named), "each once");

    let digest = async |step: &str, name: &str| {
        store.artifact(id, step, name).await.unwrap().map(|a| (a.digest, a.bytes, a.directory))
    };
    assert_eq!(digest("fit", "model").await, Some(("sha256:c".into(), 12, true)), "that of the last attempt");
    assert_eq!(digest("fit", "table-1").await, Some(("sha256:b".into(), 12, true)));
    assert_eq!((digest("fit", "none").await, digest("plain", "model").await), (None, None));
    let page = store.list_steps(id, None, 10).await.unwrap();
    assert_eq!(page.items[0].artifacts["table-1"]["digest"], "sha256:b");
    assert_eq!((page.items[1].step.as_str(), &page.items[1].artifacts), ("plain", &json!({})), "by their start");

    store.bury(&[id], "test").await.unwrap();
    assert_eq!(store.blobs().await.unwrap(), [named("sha256:a")], "what no row names is free");
}
