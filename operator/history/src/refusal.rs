//! What happens to rows that the store refuses: found by halving, kept as dead letters, and a run's own row written
//! again in minimal form. One bad row stops nobody.

use crate::clean::{CleanRun, Row, run_id, text};
use crate::error::{Class, Error};
use crate::flush::Rows;
use crate::store::Store;
use hearth_crds::time::Time;
use hearth_plan::record::Record;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The most that is kept of a refused row, and of a text in a minimal row.
const CONTENT_LIMIT: usize = 1 << 20;
const TEXT_LIMIT: usize = 1024;
/// 9999-12-31: later times are not true.
const LATEST: i64 = 253_402_214_400_000;

/// A row that was refused, with the reason.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    pub table: Table,
    pub run_id: String,
    pub seq: i64,
    pub error: String,
    pub content: String,
}

/// The table that a row was meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Runs,
    Steps,
    Events,
    Lineage,
}

impl Table {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Steps => "steps",
            Self::Events => "events",
            Self::Lineage => "lineage",
        }
    }
}

impl Letter {
    /// The same for the same row, however often it is refused and with what words.
    pub fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [self.table.as_str(), " ", &self.run_id, " ", &self.content] {
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    pub fn is_run(&self) -> bool {
        self.table == Table::Runs
    }
}

/// The letter of a record that can't be sent at all.
pub(crate) fn of_record(record: &Record) -> Letter {
    let (table, seq) = match record {
        Record::Run(r) => (Table::Runs, r.seq),
        Record::Step(s) => (Table::Steps, s.seq),
        Record::Event(e) => (Table::Events, e.seq),
        Record::Lineage(l) => (Table::Lineage, l.seq),
    };
    let id = run_id(record);
    Letter {
        table,
        run_id: text(cut(id, TEXT_LIMIT).to_owned()),
        seq,
        error: text(Error::RunId(cut(id, 64).to_owned()).to_string()),
        content: content(record),
    }
}

fn of_row(row: &Row, error: &Error) -> Letter {
    let (table, id, seq) = match row {
        Row::Run(r) => (Table::Runs, r.id, r.seq),
        Row::Step(s) => (Table::Steps, s.run_id, s.seq),
        Row::Event(e) => (Table::Events, e.run_id, e.seq),
        Row::Lineage(l) => (Table::Lineage, l.run_id, l.seq),
    };
    Letter { table, run_id: id.to_string(), seq, error: text(error.to_string()), content: content(row) }
}

fn content<T: serde::Serialize>(row: &T) -> String {
    let json = serde_json::to_string(row).unwrap_or_else(|e| format!("not JSON: {e}"));
    cut(&json, CONTENT_LIMIT).to_owned()
}

/// The longest prefix of at most `limit` bytes that ends at a character.
fn cut(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or_default()
}

/// What became of a flush.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Rows that changed something, per table.
    pub runs: u64,
    pub steps: u64,
    pub events: u64,
    pub lineage: u64,
    /// Rows that were refused.
    pub letters: Vec<Letter>,
    /// Runs whose row is there in minimal form only.
    pub minimal: BTreeSet<Uuid>,
}

/// Writes all rows: in one transaction when none is refused, else in as many as it takes to find those that are.
/// An error means that the store is away; the same rows may then be written again.
pub(crate) async fn write(store: &Store, rows: Rows) -> Result<Written, Error> {
    let mut written = Written::default();
    let mut work = vec![rows];
    while let Some(rows) = work.pop() {
        match store.insert(&rows).await {
            Ok(counts) => written.count(counts),
            Err(e) if e.class() == Class::Transient => return Err(e),
            Err(_) if rows.len() > 1 => {
                let (first, second) = rows.halves();
                work.push(second);
                work.push(first);
            }
            Err(e) => {
                for row in rows.into_rows() {
                    refuse(store, row, &e, &mut written).await?;
                }
            }
        }
    }
    Ok(written)
}

/// Keeps a refused row as a letter, and writes a run's own row in minimal form.
async fn refuse(store: &Store, row: Row, error: &Error, written: &mut Written) -> Result<(), Error> {
    let letter = of_row(&row, error);
    deliver(store, &letter).await?;
    written.letters.push(letter);
    let Row::Run(run) = row else { return Ok(()) };
    written.minimal.insert(run.id);
    match store.insert(&Rows { runs: vec![minimal(*run, error)], ..Rows::default() }).await {
        Ok(counts) => written.count(counts),
        Err(e) if e.class() == Class::Transient => return Err(e),
        Err(e) => {
            tracing::error!(error = %e, "the minimal form of a run's row was refused too; its dead letter is its record")
        }
    }
    Ok(())
}

/// Stores a letter. One that is refused itself is logged whole in its place: nothing else is left to do.
pub(crate) async fn deliver(store: &Store, letter: &Letter) -> Result<(), Error> {
    tracing::warn!(table = letter.table.as_str(), run = %letter.run_id, seq = letter.seq, error = %letter.error, "row refused by the history store; kept in dead_letter");
    match store.insert_dead_letter(letter).await {
        Err(e) if e.class() == Class::Transient => Err(e),
        Err(e) => {
            tracing::error!(run = %letter.run_id, error = %e, "dead letter refused");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

impl Written {
    fn count(&mut self, counts: [u64; 4]) {
        let [runs, steps, events, lineage] = counts;
        self.runs += runs;
        self.steps += steps;
        self.events += events;
        self.lineage += lineage;
    }
}

/// Ids, phase, times and the error: what the store takes of any run.
fn minimal(run: CleanRun, error: &Error) -> CleanRun {
    let short = |text: String| cut(&text, 253).to_owned();
    CleanRun {
        id: run.id,
        cluster: short(run.cluster),
        kind: short(run.kind),
        namespace: short(run.namespace),
        namespace_uid: short(run.namespace_uid),
        name: short(run.name),
        uid: short(run.uid),
        number: run.number.max(0),
        seq: run.seq,
        phase: known_phase(&run.phase, run.terminal),
        terminal: run.terminal,
        reason: run.reason.map(short),
        message: Some(text(
            cut(&format!("only the minimal record of this run was stored: {error}"), TEXT_LIMIT).to_owned(),
        )),
        trigger: short(run.trigger),
        revision: short(run.revision),
        digest: short(run.digest),
        spec: "{}".into(),
        params: "{}".into(),
        results: "{}".into(),
        labels: "{}".into(),
        owner: String::new(),
        started_at: plausible(run.started_at),
        finished_at: run.finished_at.map(plausible),
        minimal: true,
    }
}

fn known_phase(phase: &str, terminal: bool) -> String {
    let known = if terminal { ["Succeeded", "Failed", "Cancelled"].as_slice() } else { &["Pending", "Running"] };
    let fallback = if terminal { "Failed" } else { "Running" };
    known.iter().find(|p| **p == phase).unwrap_or(&fallback).to_string()
}

fn plausible(at: Time) -> Time {
    Time::from_millis(at.millis().clamp(0, LATEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_ends_at_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("", 3), "");
    }

    #[test]
    fn an_unknown_phase_keeps_whether_it_was_an_end() {
        assert_eq!(known_phase("Odd", true), "Failed");
        assert_eq!(known_phase("Odd", false), "Running");
        assert_eq!(known_phase("Running", true), "Failed");
        assert_eq!(known_phase("Cancelled", true), "Cancelled");
    }
}
