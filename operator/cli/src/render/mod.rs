//! Text for people.

mod age;
mod describe;
mod table;

use age::{between, since};
use hearth_wire::{Log, RunSummary};
use jiff::Timestamp;
use table::Table;

pub use describe::{Described, culprit, describe};

/// Runs as kubectl lists things.
#[must_use]
pub fn runs(runs: &[RunSummary], namespaces: bool, now: Timestamp) -> String {
    let mut heads = vec!["WORKFLOW", "RUN", "NUMBER", "PHASE", "REASON", "STARTED", "DURATION"];
    if namespaces {
        heads.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&heads);
    for run in runs {
        let mut row = vec![
            run.name.clone(),
            run.id.clone(),
            run.number.to_string(),
            run.phase.clone(),
            run.reason.clone().unwrap_or_default(),
            since(run.started_at, now),
            duration(run, now),
        ];
        if namespaces {
            row.insert(0, run.namespace.clone());
        }
        table.row(row);
    }
    table.text()
}

/// How long a run took, or has taken so far.
fn duration(run: &RunSummary, now: Timestamp) -> String {
    between(run.started_at, run.finished_at.map_or(now, |t| t.timestamp()))
}

/// A log, under a title when there are several.
#[must_use]
pub fn log(log: &Log, titled: bool) -> String {
    let mut text = String::new();
    if titled {
        let item = if log.item > 0 { format!(", item {}", log.item) } else { String::new() };
        text += &format!("==> {}{item}, attempt {} ({}) <==\n", log.step, log.attempt, log.phase);
    }
    match (&log.log, &log.log_unavailable) {
        (Some(lines), _) if lines.is_empty() && titled => text += "(empty)\n",
        (Some(lines), _) => {
            text += lines;
            if !lines.is_empty() && !lines.ends_with('\n') {
                text.push('\n');
            }
        }
        (None, Some(why)) => text += &format!("(no log: {why})\n"),
        (None, None) => text += "(no log is kept)\n",
    }
    text
}

/// Text without control characters: names and messages come from others, and must not move the cursor of a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n' || *c == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::time::Time;

    pub fn summary(name: &str, number: i64, phase: &str, started: &str, finished: Option<&str>) -> RunSummary {
        let time = |text: &str| Time::new(text.parse().unwrap());
        RunSummary {
            id: format!("01993b6a-7c00-7000-8000-{number:012}"),
            kind: "Workflow".to_owned(),
            namespace: "climate".to_owned(),
            namespace_uid: "u".to_owned(),
            name: name.to_owned(),
            uid: "o".to_owned(),
            cluster: "c".to_owned(),
            number,
            phase: phase.to_owned(),
            terminal: finished.is_some(),
            reason: Some(if phase == "Failed" { "StepFailed" } else { "Completed" }.to_owned())
                .filter(|_| finished.is_some()),
            message: None,
            trigger: "Created".to_owned(),
            owner: String::new(),
            started_at: time(started),
            finished_at: finished.map(time),
            duration_ms: None,
            minimal: false,
        }
    }

    #[test]
    fn runs_read_like_kubectl_get() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let list = [
            summary("co2-report", 12, "Running", "2026-11-21T07:59:15Z", None),
            summary("hello", 1, "Succeeded", "2026-11-21T07:12:00Z", Some("2026-11-21T07:12:04Z")),
            summary("co2-report", 11, "Failed", "2026-11-18T06:00:00Z", Some("2026-11-18T06:07:30Z")),
        ];
        insta::assert_snapshot!(runs(&list, false, now), @r"
        WORKFLOW     RUN                                    NUMBER   PHASE       REASON       STARTED   DURATION
        co2-report   01993b6a-7c00-7000-8000-000000000012   12       Running                  45s       45s
        hello        01993b6a-7c00-7000-8000-000000000001   1        Succeeded   Completed    48m       4s
        co2-report   01993b6a-7c00-7000-8000-000000000011   11       Failed      StepFailed   3d2h      7m30s
        ");
        assert!(runs(&list, true, now).starts_with("NAMESPACE   WORKFLOW"));
    }

    #[test]
    fn logs_say_why_there_is_none() {
        let mut entry = Log {
            step: "fit".to_owned(),
            item: 0,
            attempt: 2,
            phase: "Failed".to_owned(),
            pod: None,
            log: Some("boom".to_owned()),
            log_unavailable: None,
        };
        assert_eq!(log(&entry, false), "boom\n");
        assert_eq!(log(&entry, true), "==> fit, attempt 2 (Failed) <==\nboom\n");
        entry.log = None;
        entry.log_unavailable = Some("the pod was gone".to_owned());
        assert_eq!(log(&entry, false), "(no log: the pod was gone)\n");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\tc"), "a[2Jb\n\tc");
    }
}
