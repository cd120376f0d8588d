//! What came of all mutants, as text.

use crate::{list::Mutant, trial::Verdict};
use anyhow::Result;
use hearth_e2e::machine;
use std::collections::BTreeMap;

/// The table.
#[derive(Debug)]
pub struct Report {
    circumstances: Vec<String>,
    listed: usize,
    noticed: usize,
    time_out: usize,
    impossible: usize,
    untried: usize,
    /// Names of those that no test notices.
    missed: Vec<String>,
}

impl Report {
    /// Counts verdicts.
    ///
    /// # Errors
    /// The machine does not say what it is.
    pub fn new(command: &str, mutants: &[Mutant], verdicts: &BTreeMap<usize, Verdict>, tests: usize) -> Result<Self> {
        let count = |is: fn(&Verdict) -> bool| verdicts.values().filter(|v| is(v)).count();
        let missed = verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Missed(_)));
        Ok(Self {
            circumstances: vec![
                machine::describe()?,
                format!("`{command}`, {} UTC; {tests} tests.", jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M")),
            ],
            listed: mutants.len(),
            noticed: count(|v| matches!(v, Verdict::Noticed(_))),
            time_out: count(|v| matches!(v, Verdict::TimeOut(_))),
            impossible: count(|v| *v == Verdict::Impossible),
            untried: mutants.len() - verdicts.len(),
            missed: missed.filter_map(|(id, _)| mutants.get(*id)).map(|m| m.name.clone()).collect(),
        })
    }

    /// How many no test notices.
    pub fn missed(&self) -> usize {
        self.missed.len()
    }

    /// The whole as markdown.
    pub fn markdown(&self) -> String {
        let mut out: String = self.circumstances.iter().map(|line| format!("- {line}\n")).collect();
        let verdict = if self.missed.is_empty() { "met" } else { "**missed**" };
        out += "\n| mutants | | goal | |\n| --- | --- | --- | --- |\n";
        let rows = [
            ("listed", self.listed),
            ("noticed by a test that fails", self.noticed),
            ("noticed by a test that does not end", self.time_out),
            ("do not compile", self.impossible),
            ("not tried", self.untried),
        ];
        rows.iter().for_each(|(what, n)| out += &format!("| {what} | {n} | | |\n"));
        out += &format!("| noticed by no test | {} | 0 | {verdict} |\n", self.missed.len());
        self.missed.iter().for_each(|name| out += &format!("\n- {name}"));
        out
    }
}
