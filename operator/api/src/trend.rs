//! How the last runs of an object went: counts, the failure rate, and percentiles.

use hearth_history::RunSummary;
use hearth_wire::{Durations, Trend, TrendDay};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Looks at these runs, the newest first.
#[must_use]
pub fn trend(runs: &[RunSummary]) -> Trend {
    let mut phases: BTreeMap<String, u32> = BTreeMap::new();
    let mut days: BTreeMap<String, Vec<&RunSummary>> = BTreeMap::new();
    for run in runs {
        *phases.entry(run.phase.clone()).or_default() += 1;
        let day = run.started_at.timestamp().to_zoned(TimeZone::UTC).date().to_string();
        days.entry(day).or_default().push(run);
    }
    let of = |phase: &str| f64::from(phases.get(phase).copied().unwrap_or(0));
    let ended = of("Succeeded") + of("Failed");
    Trend {
        runs: count(runs.len()),
        failure_rate: (ended > 0.0).then(|| of("Failed") / ended),
        duration: durations(runs.iter()),
        oldest: runs.last().map(|r| r.started_at),
        newest: runs.first().map(|r| r.started_at),
        days: days.into_iter().rev().map(|(day, runs)| of_day(day, &runs)).collect(),
        phases,
    }
}

fn of_day(day: String, runs: &[&RunSummary]) -> TrendDay {
    TrendDay {
        day,
        runs: count(runs.len()),
        failed: count(runs.iter().filter(|r| r.phase == "Failed").count()),
        duration: durations(runs.iter().copied()),
    }
}

/// Of the runs that succeeded: one that failed says nothing about how long the work takes.
fn durations<'a>(runs: impl Iterator<Item = &'a RunSummary>) -> Option<Durations> {
    let mut sorted: Vec<i64> = runs.filter(|r| r.phase == "Succeeded").filter_map(|r| r.duration_ms).collect();
    sorted.sort_unstable();
    let rank = |percent: usize| {
        // The nearest rank: ⌈percent/100 · n⌉, from 1.
        let rank = (percent * sorted.len()).div_ceil(100).max(1);
        sorted.get(rank - 1).copied()
    };
    Some(Durations { min_ms: *sorted.first()?, p50_ms: rank(50)?, p95_ms: rank(95)?, max_ms: *sorted.last()? })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;
    use hearth_crds::time::Time;

    fn ended(number: i64, phase: &str, duration: i64, day: i64) -> RunSummary {
        let row = run(number, "climate", "u").summary;
        let at = Time::from_millis(day * 86_400_000 + 86_399_999);
        RunSummary { phase: phase.to_owned(), duration_ms: Some(duration), started_at: at, ..row }
    }

    #[test]
    fn percentiles_are_durations_of_runs() {
        let runs: Vec<RunSummary> = (1..=100).map(|n| ended(n, "Succeeded", n * 10, 0)).collect();
        let all = trend(&runs).duration.unwrap();
        assert_eq!(all, Durations { min_ms: 10, p50_ms: 500, p95_ms: 950, max_ms: 1000 });
        let one = trend(&runs[4..5]).duration.unwrap();
        assert_eq!(one, Durations { min_ms: 50, p50_ms: 50, p95_ms: 50, max_ms: 50 });
        let three = trend(&runs[..3]).duration.unwrap();
        assert_eq!((three.p50_ms, three.p95_ms), (20, 30));
        assert_eq!(trend(&[]), Trend::default());
    }

    #[test]
    fn only_ends_that_say_something_count() {
        let runs = [
            RunSummary { duration_ms: None, ..ended(5, "Running", 0, 1) },
            ended(4, "Failed", 1, 1),
            ended(3, "Succeeded", 60, 1),
            ended(2, "Cancelled", 2, 0),
            ended(1, "Succeeded", 40, 0),
        ];
        let trend = trend(&runs);
        assert_eq!((trend.runs, trend.failure_rate), (5, Some(1.0 / 3.0)));
        assert_eq!(trend.phases.get("Succeeded"), Some(&2));
        assert_eq!(trend.duration.unwrap().max_ms, 60);
        let days: Vec<_> = trend.days.iter().map(|d| (d.day.as_str(), d.runs, d.failed)).collect();
        assert_eq!(days, [("1970-01-02", 3, 1), ("1970-01-01", 2, 0)]);
        assert_eq!(trend.days[1].duration.unwrap().p50_ms, 40);
        let failed = super::trend(&runs[1..2]);
        assert_eq!((failed.failure_rate, failed.duration), (Some(1.0), None));
    }
}
