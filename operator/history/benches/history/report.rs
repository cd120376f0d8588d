//! The table.

use crate::measure::Figures;
use std::time::Duration;

/// Figures of both back ends, one line each, with what they should reach on two cores.
pub fn table(postgres: &Figures, sqlite: &Figures) -> String {
    let rate = |f: &Figures, of: fn(&Figures) -> f64| format!("{:.0}", of(f));
    let mut out = String::from("\n| figure | Postgres | SQLite | goal |\n| --- | --- | --- | --- |\n");
    let mut line = |name: &str, of: &dyn Fn(&Figures) -> String, goal: &str| {
        out += &format!("| {name} | {} | {} | {goal} |\n", of(postgres), of(sqlite));
    };
    line("event rows a second, durable", &|f| rate(f, |f| f.writer), "≥ 60,000");
    line("the same by the bare loop", &|f| rate(f, |f| f.bare), "");
    line("writer to bare loop", &|f| format!("{:.0} %", 100.0 * f.writer / f.bare), "≥ 70 %");
    line("rows of whole runs a second", &|f| rate(f, |f| f.whole), "");
    line("event to committed at 5,000 a second, p50", &|f| part(&f.committed, 50), "");
    line("event to committed at 5,000 a second, p99", &|f| part(&f.committed, 99), "≤ 50 ms");
    line("newest 50 runs, p99", &|f| part(&f.newest, 99), "≤ 5 ms");
    line("newest 50 of a namespace, p99", &|f| part(&f.narrowed, 99), "≤ 5 ms");
    line("a run's timeline, p99", &|f| part(&f.timeline, 99), "≤ 5 ms");
    out
}

/// The time that so many percent stay within.
fn part(times: &[Duration], percent: usize) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or("-".to_owned(), |t| format!("{:.2} ms", t.as_secs_f64() * 1000.0))
}
