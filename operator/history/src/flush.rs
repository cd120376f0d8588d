//! What one transaction writes: the rows of many batches, reduced to one per key.

use crate::clean::{CleanEvent, CleanLineage, CleanRun, CleanStep, Row, run_id};
use crate::refusal::{Letter, of_record};
use crate::retention::is_past;
use hearth_plan::record::{Ack, RecordBatch};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Rows of all tables, unique by key and sorted by it, so that two writers never lock in opposite order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub runs: Vec<CleanRun>,
    pub steps: Vec<CleanStep>,
    pub events: Vec<CleanEvent>,
    pub lineage: Vec<CleanLineage>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.runs.len() + self.steps.len() + self.events.len() + self.lineage.len()
    }

    /// Two halves; neither is empty when there are two rows or more. What belongs to runs comes before the runs: whoever is
    /// told of a run's end by its row finds the others.
    pub fn halves(mut self) -> (Self, Self) {
        let mut keep = self.len() / 2;
        let tail = Self {
            steps: split(&mut self.steps, &mut keep),
            events: split(&mut self.events, &mut keep),
            lineage: split(&mut self.lineage, &mut keep),
            runs: split(&mut self.runs, &mut keep),
        };
        (self, tail)
    }

    /// The rows one by one, in the same order.
    pub fn into_rows(self) -> impl Iterator<Item = Row> {
        let runs = self.runs.into_iter().map(|r| Row::Run(Box::new(r)));
        let steps = self.steps.into_iter().map(|s| Row::Step(Box::new(s)));
        let lineage = self.lineage.into_iter().map(Row::Lineage);
        steps.chain(self.events.into_iter().map(Row::Event)).chain(lineage).chain(runs)
    }
}

/// Cuts off what is beyond `keep`, and takes what stays from it.
fn split<T>(rows: &mut Vec<T>, keep: &mut usize) -> Vec<T> {
    let at = rows.len().min(*keep);
    *keep -= at;
    rows.split_off(at)
}

/// Batches that are written together.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    runs: BTreeMap<Uuid, CleanRun>,
    steps: BTreeMap<(Uuid, String, i32, i32), CleanStep>,
    events: BTreeMap<(Uuid, String, String), CleanEvent>,
    /// By the row without its seq.
    lineage: BTreeMap<CleanLineage, CleanLineage>,
    letters: Vec<Letter>,
    /// Run ids as given of those runs whose own row can't be written at all.
    unwritable: BTreeSet<String>,
    owed: Vec<Ack>,
    size: usize,
    bytes: usize,
}

impl Flush {
    /// Takes a batch in.
    pub fn add(&mut self, batch: RecordBatch) {
        let RecordBatch { object, run_id, seq, last, records } = batch;
        for record in records {
            self.size += 1;
            match Row::from_record(record) {
                Ok(row) => self.add_row(row),
                Err(record) => self.refuse(&record),
            }
        }
        self.owe(Ack { object, run_id, seq, last, minimal: false });
    }

    /// One acknowledgement a run: a later one says all that an earlier one does, unless that was of the final batch.
    fn owe(&mut self, ack: Ack) {
        match self.owed.iter_mut().find(|o| o.run_id == ack.run_id) {
            Some(owed) if ack.last || !owed.last => *owed = Ack { seq: owed.seq.max(ack.seq), ..ack },
            Some(_) => {}
            None => self.owed.push(ack),
        }
    }

    fn refuse(&mut self, record: &hearth_plan::Record) {
        let letter = of_record(record);
        if letter.is_run() {
            self.unwritable.insert(run_id(record).to_owned());
        }
        self.letters.push(letter);
    }

    fn add_row(&mut self, row: Row) {
        self.bytes += row.bytes();
        match row {
            Row::Run(r) => {
                if self
                    .runs
                    .get(&r.id)
                    .is_none_or(|old| supersedes((r.seq, &r.phase, r.terminal), (old.seq, &old.phase, old.terminal)))
                {
                    self.runs.insert(r.id, *r);
                }
            }
            Row::Step(s) => {
                let key = (s.run_id, s.step.clone(), s.item, s.attempt);
                if self
                    .steps
                    .get(&key)
                    .is_none_or(|old| supersedes((s.seq, &s.phase, s.terminal), (old.seq, &old.phase, old.terminal)))
                {
                    self.steps.insert(key, *s);
                }
            }
            Row::Event(e) => {
                self.events.entry((e.run_id, e.subject.clone(), e.transition.clone())).or_insert(e);
            }
            Row::Lineage(l) => {
                self.lineage.entry(CleanLineage { seq: 0, ..l.clone() }).or_insert(l);
            }
        }
    }

    /// How many records came in.
    pub fn size(&self) -> usize {
        self.size
    }

    /// About how many bytes came in.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows to write: those of runs from `cutoff` on.
    pub fn rows(&self, cutoff: Option<Uuid>) -> Rows {
        let kept = |id: Uuid| !is_past(id, cutoff);
        Rows {
            runs: self.runs.values().filter(|r| kept(r.id)).cloned().collect(),
            steps: self.steps.values().filter(|s| kept(s.run_id)).cloned().collect(),
            events: self.events.values().filter(|e| kept(e.run_id)).cloned().collect(),
            lineage: self.lineage.values().filter(|l| kept(l.run_id)).cloned().collect(),
        }
    }

    /// What can't even be sent.
    pub fn letters(&self) -> &[Letter] {
        &self.letters
    }

    /// The acknowledgements that are due after the commit; `minimal` names the runs stored in minimal form.
    pub fn acks(&self, minimal: &BTreeSet<Uuid>) -> Vec<Ack> {
        let is_minimal =
            |id: &str| self.unwritable.contains(id) || Uuid::parse_str(id).is_ok_and(|id| minimal.contains(&id));
        self.owed.iter().map(|ack| Ack { minimal: is_minimal(&ack.run_id), ..ack.clone() }).collect()
    }
}

/// The rule of the store's upserts, so that a reduced flush ends as its batches would have, one after the other.
fn supersedes(new: (i64, &str, bool), old: (i64, &str, bool)) -> bool {
    let (new_seq, new_phase, new_terminal) = new;
    let (old_seq, old_phase, old_terminal) = old;
    (new_seq > old_seq && !old_terminal) || (old_phase == VANISHED && new_terminal && new_phase != VANISHED)
}

/// The phase that the store gives to runs whose object went without an end.
pub(crate) const VANISHED: &str = "Vanished";

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_plan::record::Record;

    fn step(n: i32) -> CleanStep {
        CleanStep {
            run_id: Uuid::nil(),
            run_started_at: hearth_crds::time::Time::from_millis(0),
            step: "s".into(),
            item: 0,
            attempt: n,
            seq: 1,
            phase: "Running".into(),
            terminal: false,
            class: None,
            reason: None,
            message: None,
            exit_code: None,
            pod: None,
            node: None,
            image: None,
            image_id: None,
            outputs: "{}".into(),
            artifacts: "{}".into(),
            log: None,
            log_unavailable: None,
            started_at: None,
            finished_at: None,
            work_key: None,
            cached_from: None,
        }
    }

    fn run() -> CleanRun {
        let row = serde_json::json!({
            "id": Uuid::nil(), "cluster": "c", "object": {"kind": "Workflow", "namespace": "n", "name": "w", "uid": "u"},
            "namespace_uid": "", "number": 1, "seq": 1, "phase": "Failed", "terminal": true, "trigger": "Created",
            "revision": "r", "digest": "d", "spec": {}, "params": {}, "results": {}, "labels": {}, "owner": "",
            "started_at": "2026-01-01T00:00:00Z",
        });
        match Row::from_record(Record::Run(serde_json::from_value(row).unwrap())) {
            Ok(Row::Run(run)) => *run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn halves_lose_nothing_and_shrink() {
        for steps in 0..5 {
            for events in 0..5 {
                let event = |n: i32| CleanEvent {
                    run_id: Uuid::nil(),
                    subject: n.to_string(),
                    transition: "Running".into(),
                    seq: 1,
                    at: hearth_crds::time::Time::from_millis(0),
                    reason: None,
                    message: None,
                };
                let rows = Rows {
                    runs: vec![run()],
                    steps: (0..steps).map(step).collect(),
                    events: (0..events).map(event).collect(),
                    lineage: vec![],
                };
                let all: Vec<Row> = rows.clone().into_rows().collect();
                assert!(matches!(all.last(), Some(Row::Run(_))), "what belongs to a run comes before it");
                let (a, b) = rows.halves();
                if all.len() >= 2 {
                    assert!(a.len() > 0 && b.len() > 0);
                }
                assert_eq!(a.into_rows().chain(b.into_rows()).collect::<Vec<_>>(), all);
            }
        }
    }

    #[test]
    fn the_higher_seq_wins_until_an_end() {
        assert!(supersedes((2, "Running", false), (1, "Running", false)));
        assert!(!supersedes((1, "Running", false), (1, "Pending", false)));
        assert!(!supersedes((9, "Running", false), (3, "Succeeded", true)));
        assert!(!supersedes((9, "Failed", true), (3, "Succeeded", true)));
        assert!(supersedes((1, "Failed", true), (3, "Vanished", true)));
        assert!(!supersedes((9, "Running", false), (3, "Vanished", true)));
    }
}
