//! The table of a proof, as text.

use crate::{seconds, tally::Tally};
use serde_json::Value;
use std::time::Duration;

/// One side of a proof, counted.
#[derive(Clone, Debug)]
pub struct Side {
    /// Runs, rows and ledgers.
    pub tally: Tally,
    /// What went wrong beside those.
    pub misses: Vec<String>,
    /// How often an operator ended without being asked to.
    pub by_itself: u32,
    /// How long it took.
    pub took: Duration,
    /// The rows of an undisturbed run.
    pub like: Option<Value>,
}

impl Side {
    /// The goals that were missed.
    pub fn missed(&self) -> Vec<String> {
        let goals = self.tally.goals();
        let counted = goals.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{what}: {count}"));
        counted.chain(self.misses.iter().cloned()).collect()
    }
}

/// A proof.
#[derive(Debug)]
pub struct Report {
    /// Lines about machine, command and date.
    pub circumstances: Vec<String>,
    /// The runs that were left alone.
    pub calm: Side,
    /// The runs that were disturbed.
    pub disturbed: Side,
    /// Lines about what was done to those.
    pub facts: Vec<String>,
}

/// A figure that has no goal: its name, and how it is told of a side.
type Figure = (&'static str, fn(&Side) -> String);

impl Report {
    /// The goals that were missed, on either side.
    pub fn missed(&self) -> Vec<String> {
        let calm = self.calm.missed().into_iter().map(|what| format!("undisturbed, {what}"));
        calm.chain(self.disturbed.missed()).collect()
    }

    /// The whole as markdown.
    pub fn markdown(&self) -> String {
        let mut out: String = self.circumstances.iter().chain(&self.facts).map(|line| format!("- {line}\n")).collect();
        out += "\n| figure | undisturbed | disturbed | goal | |\n| --- | --- | --- | --- | --- |\n";
        let sides = [&self.calm, &self.disturbed];
        let figures: [Figure; 5] = [
            ("runs", |side| side.tally.runs.to_string()),
            ("attempts that ran", |side| side.tally.ran.to_string()),
            ("attempts given up before they ran (void)", |side| side.tally.void.to_string()),
            ("operators that ended by themselves", |side| side.by_itself.to_string()),
            ("all of it took", |side| seconds(side.took)),
        ];
        for (what, figure) in figures {
            let [calm, disturbed] = sides.map(figure);
            out += &format!("| {what} | {calm} | {disturbed} | | |\n");
        }
        for ((what, calm), (_, disturbed)) in self.calm.tally.goals().into_iter().zip(self.disturbed.tally.goals()) {
            let met = if calm + disturbed == 0 { "met" } else { "**missed**" };
            out += &format!("| {what} | {calm} | {disturbed} | 0 | {met} |\n");
        }
        for miss in self.calm.misses.iter().chain(&self.disturbed.misses) {
            out += &format!("\n**Missed**: {miss}.\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(stuck: usize, misses: &[&str]) -> Report {
        let side = |stuck| Side {
            tally: Tally { runs: 50, ran: 500, stuck, ..Tally::default() },
            misses: Vec::new(),
            by_itself: 0,
            took: Duration::from_secs(90),
            like: None,
        };
        let misses = misses.iter().map(|miss| (*miss).to_owned()).collect();
        let disturbed = Side { misses, ..side(stuck) };
        Report { circumstances: vec!["here".into()], calm: side(0), disturbed, facts: vec!["100 kills".into()] }
    }

    #[test]
    fn zeros_are_met() {
        let report = report(0, &[]);
        assert!(report.missed().is_empty());
        let text = report.markdown();
        assert!(text.contains("| stuck runs | 0 | 0 | 0 | met |"), "{text}");
        assert!(text.contains("| all of it took | 90.0 s | 90.0 s | | |"), "{text}");
        assert!(!text.contains("issed"), "{text}");
    }

    #[test]
    fn a_miss_is_said_plainly() {
        let report = report(2, &["a leader stayed"]);
        assert_eq!(report.missed(), ["stuck runs: 2", "a leader stayed"]);
        let text = report.markdown();
        assert!(text.contains("| stuck runs | 0 | 2 | 0 | **missed** |"), "{text}");
        assert!(text.contains("**Missed**: a leader stayed."), "{text}");
    }
}
