//! Batches as a diamond of ten steps makes them.

use hearth_crds::time::Time;
use hearth_history::{ObjectKey, RecordBatch};
use hearth_plan::record::{EventRow, Record, RunRow, StepRow};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::{NoContext, Timestamp, Uuid};

/// Printed with the table.
pub const SEED: u64 = 20_261_121;
/// Event rows of a run.
pub const EVENTS: u32 = 10;

/// Numbers that look random and are the same each time.
pub struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(SEED)
    }
}

impl Dice {
    /// Below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % sides.max(1)
    }
}

/// The id of the run with that number: one starts each 10 ms, the last about now.
pub fn id(number: u32, of: u32) -> Uuid {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at = now.saturating_sub(std::time::Duration::from_millis(10) * of.saturating_sub(number));
    Uuid::new_v7(Timestamp::from_unix(NoContext, at.as_secs(), at.subsec_nanos()))
}

fn started(id: Uuid) -> Time {
    let (secs, nanos) = id.get_timestamp().map_or((0, 0), |t| t.to_unix());
    Time::from_millis(i64::try_from(secs).unwrap_or(0) * 1000 + i64::from(nanos / 1_000_000))
}

fn object(id: Uuid) -> ObjectKey {
    let team = id.as_u128() % 20;
    ObjectKey {
        kind: "Workflow".into(),
        namespace: format!("team-{team}"),
        name: "diamond".into(),
        uid: format!("uid-{team}"),
    }
}

/// Ten events of a run, as one final batch.
pub fn events(id: Uuid) -> RecordBatch {
    let records = (0..EVENTS).map(|n| Record::Event(event(id, n))).collect();
    RecordBatch { object: object(id), run_id: id.to_string(), seq: 5, last: true, records }
}

/// One event, as the bare loop writes it too.
pub fn event(id: Uuid, n: u32) -> EventRow {
    EventRow {
        run_id: id.to_string(),
        subject: format!("step/fit-{n}/1"),
        transition: "Succeeded".into(),
        seq: i64::from(n),
        at: started(id).after(std::time::Duration::from_millis(u64::from(n) * 40)),
        reason: Some("Completed".into()),
        message: None,
    }
}

/// A run with its ten attempts and ten events.
pub fn whole(id: Uuid) -> RecordBatch {
    let mut batch = events(id);
    batch.records.extend((0..EVENTS).map(|n| Record::Step(Box::new(step(id, n)))));
    batch.records.push(Record::Run(Box::new(run(id))));
    batch
}

fn run(id: Uuid) -> RunRow {
    let object = object(id);
    RunRow {
        id: id.to_string(),
        cluster: "cluster".into(),
        namespace_uid: object.uid.clone(),
        object,
        number: 1,
        seq: 5,
        phase: "Succeeded".into(),
        terminal: true,
        reason: Some("Completed".into()),
        message: None,
        trigger: "Created".into(),
        revision: "diamond-5d4f".into(),
        digest: "1:abcd".into(),
        spec: json!({"steps": (0..EVENTS).map(|n| json!({"name": format!("fit-{n}"), "image": "example.org/fit:1"})).collect::<Vec<_>>()}),
        params: json!({"window": 12, "mode": "fast"}),
        results: json!({"best": 3}),
        labels: [("team".to_owned(), "carbon".to_owned())].into(),
        owner: "ada".into(),
        started_at: started(id),
        finished_at: Some(started(id).after(std::time::Duration::from_secs(1))),
    }
}

fn step(id: Uuid, n: u32) -> StepRow {
    StepRow {
        run_id: id.to_string(),
        run_started_at: started(id),
        step: format!("fit-{n}"),
        item: 0,
        attempt: 1,
        seq: 5,
        phase: "Succeeded".into(),
        terminal: true,
        class: None,
        reason: Some("Completed".into()),
        message: None,
        exit_code: Some(0),
        pod: Some(format!("diamond-fit-{n}-1")),
        node: Some("node-1".into()),
        image: Some("example.org/fit:1".into()),
        image_id: None,
        outputs: json!({"rows": 12}),
        artifacts: json!({}),
        log: None,
        log_unavailable: None,
        started_at: Some(started(id)),
        finished_at: Some(started(id).after(std::time::Duration::from_millis(100))),
        work_key: None,
        cached_from: None,
    }
}
