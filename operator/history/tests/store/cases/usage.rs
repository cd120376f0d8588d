//! What runs asked for, added up.

use crate::{
    harness::{Db, Running, start},
    rows::{batch, run, run_record, step, step_record, time},
};
use hearth_history::{ObjectKey, UsageFilter};
use hearth_plan::record::{Record, RunRow, StepRow};
use serde_json::{Value, json};
use uuid::Uuid;

fn spec(cpu: &str) -> Value {
    json!({"image": "a", "steps": [
        {"name": "fit", "pod": {"resources": {"requests": {"cpu": cpu}, "limits": {"memory": "2Gi"}}}},
        {"name": "gpu", "pod": {"gpu": {"count": 2}}},
        {"name": "ask"},
    ]})
}

fn all() -> UsageFilter {
    UsageFilter { from: time(-1), to: time(1_000_000), namespace: None, namespace_uid: None }
}

fn send(w: &Running, row: RunRow, steps: &[StepRow]) {
    let id = row.id.parse().unwrap();
    let (seq, last) = (row.seq, row.terminal);
    let mut records: Vec<Record> = vec![run_record(row)];
    records.extend(steps.iter().cloned().map(step_record));
    w.send(batch(id, seq, last, records));
}

fn took(id: Uuid, name: &str, attempt: i32, phase: &str, ms: i64) -> StepRow {
    let finished = (phase != "Running").then(|| time(ms));
    StepRow { started_at: Some(time(0)), finished_at: finished, ..step(id, name, attempt, 2, phase) }
}

pub async fn requests_times_time_by_namespace_and_owner(db: Db) {
    let w = start(&db.store());
    let (a, b, c) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let first = RunRow { spec: spec("500m"), digest: "1:aa".into(), ..run(a, 2, "Failed") };
    send(
        &w,
        first,
        &[
            took(a, "fit", 1, "Failed", 10_000),
            took(a, "fit", 2, "Succeeded", 30_000),
            took(a, "gpu", 1, "Running", 0),
            StepRow { started_at: None, ..took(a, "ask", 0, "Skipped", 0) },
        ],
    );
    let second = RunRow { spec: spec("2"), digest: "1:bb".into(), ..run(b, 2, "Succeeded") };
    send(&w, second, &[took(b, "fit", 1, "Succeeded", 5_000), took(b, "gpu", 1, "Succeeded", 4_000)]);
    let object = ObjectKey { namespace: "lab".into(), ..crate::rows::object("other") };
    let other = RunRow {
        object,
        namespace_uid: "ns-2".into(),
        owner: String::new(),
        started_at: time(500),
        ..run(c, 2, "Succeeded")
    };
    send(&w, other, &[took(c, "fit", 1, "Succeeded", 1_000)]);
    w.finish().await;

    let found = db.store().usage(&all()).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
    let (climate, lab) = (&found[0], &found[1]);
    assert_eq!((climate.namespace.as_str(), climate.owner.as_str()), ("climate", "ada"));
    assert_eq!((climate.runs, climate.failed, climate.attempts), (2, 1, 4));
    assert_eq!((climate.pod_seconds, climate.cpu_seconds, climate.gpu_seconds), (49.0, 0.5 * 40.0 + 2.0 * 5.0, 8.0));
    assert_eq!(climate.memory_byte_seconds, 45.0 * 2f64.powi(31));
    assert_eq!((lab.namespace.as_str(), lab.runs, lab.pod_seconds, lab.cpu_seconds), ("lab", 1, 1.0, 0.0));

    let only = |filter: UsageFilter| {
        let store = db.store();
        async move { store.usage(&filter).await.unwrap().into_iter().map(|u| u.namespace).collect::<Vec<_>>() }
    };
    assert_eq!(only(UsageFilter { namespace: Some("lab".into()), ..all() }).await, ["lab"]);
    assert_eq!(only(UsageFilter { namespace_uid: Some("ns-uid-1".into()), ..all() }).await, ["climate"]);
    assert_eq!(
        only(UsageFilter { namespace_uid: Some(String::new()), ..all() }).await,
        [""; 0],
        "an unknown UID is no wildcard"
    );
    assert_eq!(only(UsageFilter { to: time(500), ..all() }).await, ["climate"]);
    assert_eq!(only(UsageFilter { from: time(500), ..all() }).await, ["lab"]);
}
