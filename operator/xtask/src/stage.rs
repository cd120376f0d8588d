//! Stages with their minutes: what runs, whether it passed, and how long it took.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};

/// A list of stages that ran, for the table at the end.
#[derive(Default)]
pub struct Stages {
    done: Vec<(String, Duration)>,
}

impl Stages {
    /// Runs one stage. A failure is said at once, with the table of what ran so far.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("\n=== {name}");
        let begun = Instant::now();
        let result = work();
        let took = begun.elapsed();
        let verdict = if result.is_ok() { "passed" } else { "FAILED" };
        println!("=== {name}: {verdict} in {}", minutes(took));
        self.done.push((if result.is_ok() { name.to_owned() } else { format!("{name} (FAILED)") }, took));
        result.with_context(|| format!("stage {name}"))
    }

    /// The table: each stage with its minutes, and their sum.
    pub fn table(&self) -> String {
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        let mut out = String::from("\nstage                                     minutes\n");
        for (name, took) in &self.done {
            out += &format!("{name:<40} {:>8.2}\n", took.as_secs_f64() / 60.0);
        }
        out + &format!("{:<40} {:>8.2}\n", "all", total.as_secs_f64() / 60.0)
    }
}

/// A time for people: `4.2s`, `3m12s`.
pub fn minutes(took: Duration) -> String {
    let seconds = took.as_secs();
    if seconds < 60 { format!("{:.1}s", took.as_secs_f64()) } else { format!("{}m{:02}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_stage_stands_in_the_table() {
        let mut stages = Stages::default();
        stages.run("good", || Ok(())).unwrap();
        stages.run("bad", || -> Result<()> { anyhow::bail!("broken") }).unwrap_err();
        let table = stages.table();
        assert!(table.contains("good ") && table.contains("bad (FAILED)"), "{table}");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(minutes(Duration::from_millis(4_200)), "4.2s");
        assert_eq!(minutes(Duration::from_secs(192)), "3m12s");
    }
}
