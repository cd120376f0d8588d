//! Figures over many runs.

use super::{
    age::{human_millis, since},
    prose,
    style::{FAINT, STRONG, of_phase},
    table::{Cell, Table},
};
use hearth_wire::{Durations, Trend, Usage};
use jiff::Timestamp;

/// The longest bar.
const BAR: usize = 30;

/// How the last runs of a Workflow went, as a whole and day by day.
#[must_use]
pub fn trend(namespace: &str, name: &str, trend: &Trend, width: Option<usize>, now: Timestamp) -> String {
    let oldest = trend.oldest.map_or(String::new(), |t| format!(", the oldest {} ago", since(t, now)));
    let mut text = prose(&format!("Workflow {namespace}/{name}, {} runs{oldest}", trend.runs), width, STRONG);
    let phases: Vec<String> = trend.phases.iter().map(|(phase, n)| format!("{n} {phase}")).collect();
    text += &prose(&phases.join(", "), width, FAINT);
    text.push('\n');
    let mut whole = Table::new(&[("FAILED", 0), ("P50", 0), ("P95", 0), ("FASTEST", 1), ("SLOWEST", 1)]);
    let failed = trend.failure_rate.map_or("-".to_owned(), |r| format!("{:.1} %", r * 100.0));
    let style = if trend.failure_rate.is_some_and(|r| r > 0.0) { of_phase("Failed") } else { of_phase("Succeeded") };
    let figure = |of: fn(&Durations) -> i64| trend.duration.as_ref().map_or("-".to_owned(), |d| human_millis(of(d)));
    whole.row(vec![
        Cell::styled(style, failed),
        figure(|d| d.p50_ms).into(),
        figure(|d| d.p95_ms).into(),
        figure(|d| d.min_ms).into(),
        figure(|d| d.max_ms).into(),
    ]);
    text += &whole.text(width);
    text.push('\n');
    text += &days(trend).text(width);
    text
}

/// A row for each day; the bar is the day's median, the longest one fills it.
fn days(trend: &Trend) -> Table {
    let mut table = Table::new(&[("DAY", 0), ("RUNS", 0), ("FAILED", 0), ("P50", 0), ("P95", 1), ("", 2)]);
    let longest = trend.days.iter().filter_map(|d| d.duration).map(|d| d.p50_ms).max().unwrap_or(0).max(1);
    for day in &trend.days {
        let bar = day.duration.map_or(0, |d| {
            let part = d.p50_ms.clamp(0, longest).saturating_mul(i64::try_from(BAR).unwrap_or(0)) / longest;
            usize::try_from(part).unwrap_or(0).max(1)
        });
        let figure = |of: fn(&Durations) -> i64| day.duration.as_ref().map_or("-".to_owned(), |d| human_millis(of(d)));
        let style = if day.failed > 0 { of_phase("Failed") } else { anstyle::Style::new() };
        table.row(vec![
            day.day.clone().into(),
            day.runs.to_string().into(),
            Cell::styled(style, day.failed.to_string()),
            figure(|d| d.p50_ms).into(),
            figure(|d| d.p95_ms).into(),
            Cell::styled(of_phase("Running"), "━".repeat(bar)),
        ]);
    }
    table
}

/// What runs asked for, in hours.
#[must_use]
pub fn usage(usage: &Usage, width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("NAMESPACE", 0),
        ("OWNER", 0),
        ("RUNS", 0),
        ("FAILED", 2),
        ("ATTEMPTS", 4),
        ("POD HOURS", 3),
        ("CPU HOURS", 0),
        ("GIB HOURS", 1),
        ("GPU HOURS", 0),
    ]);
    let hours = |seconds: f64| Cell::from(format!("{:.2}", seconds / 3600.0));
    for of in &usage.items {
        table.row(vec![
            of.namespace.clone().into(),
            if of.owner.is_empty() { "-".to_owned() } else { of.owner.clone() }.into(),
            of.runs.to_string().into(),
            of.failed.to_string().into(),
            of.attempts.to_string().into(),
            hours(of.pod_seconds),
            hours(of.cpu_seconds),
            hours(of.memory_gib_seconds),
            hours(of.gpu_seconds),
        ]);
    }
    let mut text = prose(&format!("Runs that started from {} to {}", usage.from, usage.to), width, FAINT);
    text.push('\n');
    text += &table.text(width);
    if usage.more {
        text += &prose("There may be more: name a namespace, or a shorter time.", width, FAINT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;
    use serde_json::{from_value, json};

    #[test]
    fn a_trend_is_read_from_its_bars() {
        let durations = |min, p50, p95, max| json!({"minMs": min, "p50Ms": p50, "p95Ms": p95, "maxMs": max});
        let found = from_value(json!({
            "runs": 41, "phases": {"Failed": 2, "Running": 1, "Succeeded": 38}, "failureRate": 0.05,
            "duration": durations(4_200, 61_000, 190_000, 240_000),
            "oldest": "2026-11-19T08:00:00Z", "newest": "2026-11-21T08:00:00Z",
            "days": [
                {"day": "2026-11-21", "runs": 20, "failed": 2, "duration": durations(1, 120_000, 190_000, 4)},
                {"day": "2026-11-20", "runs": 20, "failed": 0, "duration": durations(1, 60_000, 61_000, 4)},
                {"day": "2026-11-19", "runs": 1, "failed": 0},
            ],
        }))
        .unwrap();
        let now = "2026-11-21T09:00:00Z".parse().unwrap();
        insta::assert_snapshot!(strip_str(&trend("climate", "co2", &found, None, now)).to_string());
    }

    #[test]
    fn usage_is_counted_in_hours() {
        let found = from_value(json!({
            "from": "2026-11-14T08:00:00Z", "to": "2026-11-21T08:00:00Z", "more": true, "items": [
                {"namespace": "climate", "owner": "ada", "runs": 120, "failed": 3, "attempts": 480, "podSeconds": 36_000.0,
                    "cpuSeconds": 18_000.0, "memoryGibSeconds": 9_000.0, "gpuSeconds": 0.0},
                {"namespace": "lab", "owner": "", "runs": 1, "failed": 0, "attempts": 1, "podSeconds": 5.0,
                    "cpuSeconds": 10.0, "memoryGibSeconds": 5.0, "gpuSeconds": 7_200.0},
            ],
        }))
        .unwrap();
        insta::assert_snapshot!(strip_str(&usage(&found, None)).to_string());
        insta::assert_snapshot!(strip_str(&usage(&found, Some(60))).to_string());
    }
}
