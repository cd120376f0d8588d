//! Final records that wait for the store beside their object.

use super::history;
use crate::{
    facts::RevisionFact,
    record::{Record, RecordBatch, StepRow},
};
use hearth_crds::{label, workflow::Workflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A spooled record stays below this, as JSON: an object of the API server has 1.5 MiB at most.
const MAX_BYTES: usize = 512 * 1024;
/// Without logs it may be so long.
const MOST_BYTES: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Spool {
    run_id: String,
    seq: i64,
    records: Vec<Record>,
}

/// A final batch as a spool holds it. What is too large is shortened: logs go first, then lineage and transitions, then
/// what the rows of attempts say of their pods. None when even that is too long: then the next run waits for the store.
pub(super) fn write(batch: RecordBatch) -> Option<Value> {
    let mut spool = Spool { run_id: batch.run_id, seq: batch.seq, records: batch.records };
    if let Some(value) = within(&spool, MAX_BYTES) {
        return Some(value);
    }
    each_attempt(&mut spool, |row| {
        row.log = None;
        row.log_unavailable = Some("left out: the record waited for the store beside the object".into());
    });
    if let Some(value) = within(&spool, MOST_BYTES) {
        return Some(value);
    }
    spool.records.retain(|record| !matches!(record, Record::Lineage(_) | Record::Event(_)));
    each_attempt(&mut spool, |row| {
        row.log_unavailable = Some("left out".into());
        (row.pod, row.node, row.image, row.image_id) = (None, None, None, None);
    });
    within(&spool, MOST_BYTES)
}

fn within(spool: &Spool, most: usize) -> Option<Value> {
    serde_json::to_value(spool).ok().filter(|value| value.to_string().len() <= most)
}

fn each_attempt(spool: &mut Spool, change: impl Fn(&mut StepRow)) {
    for record in &mut spool.records {
        if let Record::Step(row) = record {
            change(row);
        }
    }
}

/// The batch that a spool holds.
pub(super) fn read(cr: &Workflow, revision: &RevisionFact) -> Option<RecordBatch> {
    if revision.role != label::REVISION_SPOOL {
        return None;
    }
    let spool: Spool = serde_json::from_str(&revision.data).ok()?;
    Some(RecordBatch {
        object: history::key(cr),
        run_id: spool.run_id,
        seq: spool.seq,
        last: true,
        records: spool.records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::time::Time;
    use serde_json::json;

    fn batch(attempts: usize, text: usize) -> RecordBatch {
        let long = "x".repeat(text);
        let row = |n: usize| {
            let row = json!({
                "run_id": "r", "run_started_at": Time::from_millis(0), "step": format!("step-{n}"), "item": 0, "attempt": 1,
                "seq": 9, "phase": "Succeeded", "terminal": true, "outputs": {}, "artifacts": {}, "log": long,
                "pod": format!("w-step-{n}-abcdefgh"), "node": "node-1", "image": "example.org/fit:1",
                "image_id": format!("example.org/fit@sha256:{}", "0".repeat(64)),
            });
            Record::Step(Box::new(serde_json::from_value(row).unwrap()))
        };
        let object = serde_json::from_value(json!({"kind": "Workflow", "namespace": "n", "name": "w", "uid": "u"}));
        RecordBatch {
            object: object.unwrap(),
            run_id: "r".into(),
            seq: 9,
            last: true,
            records: (0..attempts).map(row).collect(),
        }
    }

    /// Rows, and those among them with a log and with a pod.
    fn kept(attempts: usize, text: usize) -> Option<(usize, usize, usize)> {
        let value = write(batch(attempts, text))?;
        assert!(value.to_string().len() <= MOST_BYTES);
        let spool: Spool = serde_json::from_value(value).unwrap();
        let count = |has: fn(&StepRow) -> bool| {
            spool.records.iter().filter(|r| matches!(r, Record::Step(row) if has(row))).count()
        };
        Some((count(|_| true), count(|row| row.log.is_some()), count(|row| row.pod.is_some())))
    }

    #[test]
    fn what_is_too_long_for_an_object_is_shortened_and_no_row_is_left_out() {
        assert_eq!(kept(10, 1000), Some((10, 10, 10)));
        assert_eq!(kept(100, 10_000), Some((100, 0, 100)));
        assert_eq!(kept(2000, 0), Some((2000, 0, 0)));
        assert_eq!(kept(20_000, 0), None);
    }
}
