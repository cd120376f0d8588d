//! The history store: rows by key, with the rule that decides which write wins.

use hearth_crds::time::Time;
use hearth_plan::{
    Intent, Record,
    record::{EventRow, LineageRow, RecordBatch, RunRow, StepRow},
    work::{Answer, Sought, Work},
};
use std::collections::{BTreeMap, BTreeSet};

/// Key of a step's row: run, step, item, attempt.
pub type StepKey = (String, String, i32, i32);

/// The store.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// Whether it answers.
    pub up: bool,
    /// Runs by id.
    pub runs: BTreeMap<String, RunRow>,
    /// Attempts of steps.
    pub steps: BTreeMap<StepKey, StepRow>,
    /// Transitions by run, subject and transition.
    pub events: BTreeMap<(String, String, String), EventRow>,
    /// What came of what, each once.
    pub lineage: BTreeSet<LineageRow>,
    /// Batches that were taken, with their run id and seq.
    pub taken: Vec<(String, i64, bool)>,
    /// Whether the blobs of artifacts are gone.
    pub lost_blobs: bool,
    /// Names of objects whose run rows are refused, for the test of poison rows.
    pub refuses: Vec<String>,
}

impl Store {
    /// A store that is up.
    #[must_use]
    pub fn new() -> Self {
        Self { up: true, ..Self::default() }
    }

    /// Takes a batch whole. `excluded.seq > t.seq AND NOT t.terminal` decides row by row. Says whether the run's row had to be cut to its minimal form.
    pub fn take(&mut self, batch: &RecordBatch) -> bool {
        let mut minimal = false;
        for record in &batch.records {
            match record {
                Record::Run(row) if self.refuses.contains(&row.object.name) => {
                    minimal = true;
                    self.take_run(RunRow {
                        spec: serde_json::Value::Null,
                        params: serde_json::Value::Null,
                        results: serde_json::Value::Null,
                        ..(**row).clone()
                    });
                }
                Record::Run(row) => self.take_run((**row).clone()),
                Record::Step(row) => {
                    let key = (row.run_id.clone(), row.step.clone(), row.item, row.attempt);
                    if self.steps.get(&key).is_none_or(|t| row.seq > t.seq && !t.terminal) {
                        self.steps.insert(key, (**row).clone());
                    }
                }
                Record::Event(row) => {
                    self.events
                        .entry((row.run_id.clone(), row.subject.clone(), row.transition.clone()))
                        .or_insert_with(|| row.clone());
                }
                Record::Lineage(row) => {
                    self.lineage.insert(LineageRow { seq: 0, ..row.clone() });
                }
            }
        }
        self.taken.push((batch.run_id.clone(), batch.seq, batch.last));
        minimal
    }

    fn take_run(&mut self, row: RunRow) {
        if self.runs.get(&row.id).is_none_or(|t| row.seq > t.seq && !t.terminal) {
            self.runs.insert(row.id.clone(), row);
        }
    }

    /// Whether work was done before: the newest success with that key, if what it left is there.
    #[must_use]
    pub fn look_up(&self, sought: &Sought, now: Time) -> Answer {
        if !self.up {
            return Answer::Unknown("the store is away".to_owned());
        }
        let done = |s: &&StepRow| {
            s.work_key.as_ref() == Some(&sought.key)
                && s.phase == "Succeeded"
                && s.attempt > 0
                && self.runs.get(&s.run_id).is_some_and(|r| r.namespace_uid == sought.namespace_uid)
        };
        let newest = self.steps.values().filter(done).max_by_key(|s| (s.finished_at, &s.run_id));
        newest
            .and_then(work)
            .filter(|w| w.is_fresh(sought.max_age, now) && (w.artifacts.is_empty() || !self.lost_blobs))
            .map_or(Answer::Nothing, |w| Answer::Done(Box::new(w)))
    }

    /// Whether the attempt's row is there and final.
    #[must_use]
    pub fn has_attempt(&self, of: &Intent) -> bool {
        let numbers = (i32::try_from(of.item).unwrap_or(-1), i32::try_from(of.attempt).unwrap_or(-1));
        self.steps.get(&(of.run_id.clone(), of.step.clone(), numbers.0, numbers.1)).is_some_and(|row| row.terminal)
    }

    /// Whether the run's row is there and final.
    #[must_use]
    pub fn has_end(&self, run_id: &str) -> bool {
        self.runs.get(run_id).is_some_and(|r| r.terminal)
    }
}

fn work(row: &StepRow) -> Option<Work> {
    Some(Work {
        run_id: row.run_id.clone(),
        step: row.step.clone(),
        item: u32::try_from(row.item).ok()?,
        finished_at: row.finished_at?,
        outputs: serde_json::from_value(row.outputs.clone()).ok()?,
        artifacts: serde_json::from_value(row.artifacts.clone()).ok()?,
    })
}
