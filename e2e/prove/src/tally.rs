//! Rows, ledgers and objects counted against each other.

#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null")]

use crate::{report::Side, world::World};
use anyhow::Result;
use hearth_e2e::{
    diamond,
    ledger::{Attempt, Ledger},
    rows,
    status::{number, says_true, text},
    store,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// What the runs of one side came to. All but the first three are to be 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Diamonds that were started.
    pub runs: usize,
    /// Attempts that ran, by the ledgers.
    pub ran: usize,
    /// Attempts that were given up before they ran, by the rows.
    pub void: usize,
    /// Runs without a final row.
    pub runs_lost: usize,
    /// Rows of runs beyond one per diamond.
    pub runs_doubled: usize,
    /// Steps without a row, and attempts that ran without a final one.
    pub steps_lost: usize,
    /// Rows of attempts that did not run, other than void ones.
    pub steps_doubled: usize,
    /// Attempts that ran twice, by the ledgers.
    pub twice: usize,
    /// Attempts that began while another one of their step was alive, by the ledgers.
    pub overlapping: usize,
    /// Runs that did not end, or whose record was not stored.
    pub stuck: usize,
    /// Runs with another end or other results than they must have.
    pub wrong_ends: usize,
    /// Runs whose rows are not those of an undisturbed run.
    pub unlike: usize,
}

/// Counts.
pub fn side(world: &World, like: Option<&Value>, took: Duration) -> Result<Side> {
    let objects = world.objects()?;
    let rows = store::runs_in(&world.scene.namespace)?;
    let mut like = like.cloned();
    let mut tally = Tally::default();
    for name in world.names() {
        let object = objects.iter().find(|object| text(object, "/metadata/name") == name);
        let of_name: Vec<&Value> = rows.iter().filter(|row| text(row, "/name") == name).collect();
        tally.take_run(object.unwrap_or(&Value::Null), &of_name);
        for row in of_name {
            let id = text(row, "/id");
            tally.take_steps(&name, &store::steps(id)?, &world.ledger(id)?);
            let comparable = rows::comparable(id)?;
            let undisturbed = like.get_or_insert_with(|| comparable.clone());
            if comparable != *undisturbed {
                println!("{name} is unlike an undisturbed run:\n{comparable:#}\n{undisturbed:#}");
                tally.unlike += 1;
            }
        }
    }
    let by_itself = world.operators.iter().map(crate::kept::Kept::by_itself).sum();
    Ok(Side { tally, misses: world.misses.clone(), by_itself, took, like })
}

impl Tally {
    /// Takes a Workflow, and the rows of its runs.
    fn take_run(&mut self, object: &Value, rows: &[&Value]) {
        let (name, id) = (text(object, "/metadata/name"), text(object, "/status/run/id"));
        let note = |count: &mut usize, what: &str| {
            println!("{name}, run {id}: {what}");
            *count += 1;
        };
        self.runs += 1;
        let own = rows.iter().find(|row| text(row, "/id") == id && row["terminal"] == json!(true));
        if own.is_none() {
            note(&mut self.runs_lost, "it has no final row");
        }
        for _ in rows.iter().skip(1) {
            note(&mut self.runs_doubled, "it has more than one row");
        }
        if !says_true(object, "HistoryStored") {
            note(&mut self.stuck, "it is stuck");
        }
        let right = |row: &Value| row["phase"] == json!("Succeeded") && row["results"]["sum"] == json!(diamond::PODS);
        if text(object, "/status/phase") != "Succeeded" || !own.is_some_and(|row| right(row)) {
            note(&mut self.wrong_ends, "it did not end as it must");
        }
    }

    /// Takes the rows of a run's steps, and its ledger.
    fn take_steps(&mut self, name: &str, rows: &[Value], ledger: &Ledger) {
        let void = |row: &&Value| text(row, "/phase") == "Void";
        let attempt = |row: &Value| (text(row, "/step").to_owned(), number(row, "/attempt"));
        let real: BTreeSet<Attempt> = rows.iter().filter(|row| !void(row)).map(attempt).collect();
        let done: BTreeSet<Attempt> =
            rows.iter().filter(|row| !void(row) && row["terminal"] == json!(true)).map(attempt).collect();
        let without = |step: &str| !real.iter().chain(&ledger.ran).any(|(of, _)| of == step);
        let lost = ledger.ran.difference(&done).count() + diamond::steps().filter(|(step, _)| without(step)).count();
        let doubled = real.difference(&ledger.ran).count();
        if lost + doubled + ledger.twice.len() + ledger.overlapping.len() + ledger.nonsense.len() > 0 {
            println!("{name}: the ledger and the rows do not fit: {ledger:?}\n{rows:?}");
        }
        self.ran += ledger.ran.len();
        self.void += rows.iter().filter(void).count();
        self.steps_lost += lost;
        self.steps_doubled += doubled;
        self.twice += ledger.twice.len();
        self.overlapping += ledger.overlapping.len() + ledger.nonsense.len();
    }

    /// What is to be 0, with its name.
    pub fn goals(&self) -> [(&'static str, usize); 9] {
        [
            ("run rows lost", self.runs_lost),
            ("run rows doubled", self.runs_doubled),
            ("step rows lost", self.steps_lost),
            ("step rows doubled", self.steps_doubled),
            ("attempts that ran twice", self.twice),
            ("two live attempts of a step at once", self.overlapping),
            ("stuck runs", self.stuck),
            ("wrong ends", self.wrong_ends),
            ("runs whose rows are not those of an undisturbed run", self.unlike),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "r-1";

    fn object(stored: &str) -> Value {
        json!({"metadata": {"name": "d"}, "status": {"phase": "Succeeded", "run": {"id": ID},
            "conditions": [{"type": "HistoryStored", "status": stored}]}})
    }

    fn row(id: &str, phase: &str, sum: usize) -> Value {
        json!({"id": id, "phase": phase, "terminal": phase != "Running", "results": {"sum": sum}})
    }

    fn of_run(object: &Value, rows: &[Value]) -> Tally {
        let mut tally = Tally::default();
        tally.take_run(object, &rows.iter().collect::<Vec<_>>());
        tally
    }

    #[test]
    fn a_run_with_one_true_row_is_right() {
        assert_eq!(of_run(&object("True"), &[row(ID, "Succeeded", 10)]), Tally { runs: 1, ..Tally::default() });
    }

    #[test]
    fn what_is_wrong_with_a_run_is_counted() {
        let base = Tally { runs: 1, ..Tally::default() };
        let good = row(ID, "Succeeded", 10);
        let lost = Tally { runs_lost: 1, wrong_ends: 1, ..base };
        assert_eq!(of_run(&object("True"), &[]), lost);
        assert_eq!(of_run(&object("True"), &[row("other", "Succeeded", 10)]), lost);
        assert_eq!(of_run(&object("True"), &[row(ID, "Running", 10)]), lost);
        let doubled = Tally { runs_doubled: 1, ..base };
        assert_eq!(of_run(&object("True"), &[good.clone(), row("other", "Succeeded", 10)]), doubled);
        assert_eq!(of_run(&object("Unknown"), &[good]), Tally { stuck: 1, ..base });
        for wrong in [row(ID, "Failed", 10), row(ID, "Succeeded", 9)] {
            assert_eq!(of_run(&object("True"), &[wrong]), Tally { wrong_ends: 1, ..base });
        }
    }

    fn step(name: &str, attempt: i64, phase: &str) -> Value {
        json!({"step": name, "attempt": attempt, "phase": phase, "terminal": phase != "Running"})
    }

    fn of_steps(rows: &[Value], lines: &[String]) -> Tally {
        let mut tally = Tally::default();
        tally.take_steps("d", rows, &Ledger::read(lines.iter().map(String::as_str)));
        tally
    }

    #[test]
    fn what_is_wrong_with_steps_is_counted() {
        let mut rows: Vec<Value> = diamond::steps().map(|(name, _)| step(name, 1, "Succeeded")).collect();
        let mut lines: Vec<String> =
            diamond::steps().flat_map(|(name, _)| [format!("{name} 1 start"), format!("{name} 1 end")]).collect();
        let good = Tally { ran: 10, ..Tally::default() };
        assert_eq!(of_steps(&rows, &lines), good);
        rows.push(step("last", 2, "Void"));
        assert_eq!(of_steps(&rows, &lines), Tally { void: 1, ..good });
        rows.pop();
        rows.push(step("last", 2, "Succeeded"));
        assert_eq!(of_steps(&rows, &lines), Tally { steps_doubled: 1, ..good });
        rows.truncate(9);
        assert_eq!(of_steps(&rows, &lines), Tally { steps_lost: 1, ..good });
        rows.push(step("last", 1, "Running"));
        assert_eq!(of_steps(&rows, &lines), Tally { steps_lost: 1, ..good });
        rows.truncate(9);
        lines.truncate(18);
        assert_eq!(of_steps(&rows, &lines), Tally { steps_lost: 1, ran: 9, ..good });
        lines.push("first 1 start".to_owned());
        assert_eq!(of_steps(&rows, &lines), Tally { steps_lost: 1, ran: 9, twice: 1, ..good });
        lines.push("first 2 start".to_owned());
        rows.push(step("first", 2, "Succeeded"));
        assert_eq!(of_steps(&rows, &lines), Tally { steps_lost: 1, ran: 10, twice: 1, overlapping: 1, ..good });
    }
}
