//! Rows to write.

use hearth_crds::time::Time;
use hearth_history::{ObjectKey, RecordBatch};
use hearth_plan::record::{EventRow, LineageRow, Record, Relation, RunRow, StepRow};
use serde_json::json;
use uuid::Uuid;

/// 2026-11-21T08:00:00Z.
pub const START: i64 = 1_795_248_000_000;

pub fn time(ms: i64) -> Time {
    Time::from_millis(START + ms)
}

pub fn object(name: &str) -> ObjectKey {
    ObjectKey { kind: "Workflow".into(), namespace: "climate".into(), name: name.into(), uid: format!("uid-{name}") }
}

fn ends(phase: &str) -> bool {
    !matches!(phase, "Pending" | "Running" | "Waiting")
}

pub fn run(id: Uuid, seq: i64, phase: &str) -> RunRow {
    RunRow {
        id: id.to_string(),
        cluster: "cluster-1".into(),
        object: object("co2"),
        namespace_uid: "ns-uid-1".into(),
        number: 1,
        seq,
        phase: phase.into(),
        terminal: ends(phase),
        reason: None,
        message: None,
        trigger: "Created".into(),
        revision: "co2-5d4f".into(),
        digest: "1:abcd".into(),
        spec: json!({"steps": [{"name": "fit"}]}),
        params: json!({"window": 12, "mode": "fast"}),
        results: json!({}),
        labels: [("team".to_owned(), "carbon".to_owned())].into(),
        owner: "ada".into(),
        started_at: time(0),
        finished_at: ends(phase).then(|| time(1500)),
    }
}

pub fn step(id: Uuid, name: &str, attempt: i32, seq: i64, phase: &str) -> StepRow {
    StepRow {
        run_id: id.to_string(),
        run_started_at: time(0),
        step: name.into(),
        item: 0,
        attempt,
        seq,
        phase: phase.into(),
        terminal: ends(phase),
        class: None,
        reason: None,
        message: None,
        exit_code: None,
        pod: Some(format!("co2-{name}-{attempt}")),
        node: Some("node-1".into()),
        image: Some("example.org/fit".into()),
        image_id: None,
        outputs: json!({}),
        artifacts: json!({}),
        log: None,
        log_unavailable: None,
        started_at: Some(time(i64::from(attempt))),
        finished_at: ends(phase).then(|| time(i64::from(attempt) + 100)),
        work_key: None,
        cached_from: None,
    }
}

pub fn event(id: Uuid, subject: &str, transition: &str, seq: i64) -> EventRow {
    EventRow {
        run_id: id.to_string(),
        subject: subject.into(),
        transition: transition.into(),
        seq,
        at: time(seq),
        reason: None,
        message: None,
    }
}

/// A batch of one run; final when told.
pub fn batch(id: Uuid, seq: i64, last: bool, records: Vec<Record>) -> RecordBatch {
    RecordBatch { object: object("co2"), run_id: id.to_string(), seq, last, records }
}

/// A batch with the run's row alone.
pub fn run_batch(row: RunRow) -> RecordBatch {
    RecordBatch {
        object: row.object.clone(),
        run_id: row.id.clone(),
        seq: row.seq,
        last: row.terminal,
        records: vec![Record::Run(Box::new(row))],
    }
}

pub fn run_record(row: RunRow) -> Record {
    Record::Run(Box::new(row))
}

pub fn step_record(row: StepRow) -> Record {
    Record::Step(Box::new(row))
}

/// That a run read or wrote data by its first attempt of a step, ran an image, or came of something as a whole.
pub fn lineage(id: Uuid, relation: Relation, other: &str, step: &str) -> Record {
    let (from, to) = match relation {
        Relation::Wrote => (id.to_string(), other.to_owned()),
        Relation::Read
        | Relation::RanImage
        | Relation::RanTemplate
        | Relation::RerunOf
        | Relation::Called
        | Relation::Cached => (other.to_owned(), id.to_string()),
    };
    let (step, attempt, name) = (step.to_owned(), i32::from(!step.is_empty()), "table".to_owned());
    Record::Lineage(LineageRow { run_id: id.to_string(), seq: 1, relation, from, to, step, attempt, name })
}
