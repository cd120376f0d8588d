//! Final records that wait for the store beside their object.

use super::history;
use crate::{
    facts::RevisionFact,
    record::{Record, RecordBatch},
};
use hearth_crds::{label, workflow::Workflow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A spooled record stays below this, as JSON.
const MAX_BYTES: usize = 512 * 1024;

#[derive(Serialize, Deserialize)]
struct Spool {
    run_id: String,
    seq: i64,
    records: Vec<Record>,
}

/// A final batch as a spool holds it; logs go when it would be too large.
pub(super) fn write(batch: RecordBatch) -> Option<Value> {
    let mut spool = Spool { run_id: batch.run_id, seq: batch.seq, records: batch.records };
    let value = serde_json::to_value(&spool).ok()?;
    if value.to_string().len() <= MAX_BYTES {
        return Some(value);
    }
    for record in &mut spool.records {
        if let Record::Step(row) = record {
            row.log = None;
            row.log_unavailable = Some("left out: the record waited for the store beside the object".into());
        }
    }
    serde_json::to_value(&spool).ok()
}

/// The batch that a spool holds.
pub(super) fn read(cr: &Workflow, revision: &RevisionFact) -> Option<RecordBatch> {
    if revision.role != label::REVISION_SPOOL {
        return None;
    }
    let spool: Spool = serde_json::from_value(revision.data.clone()).ok()?;
    Some(RecordBatch {
        object: history::key(cr),
        run_id: spool.run_id,
        seq: spool.seq,
        last: true,
        records: spool.records,
    })
}
