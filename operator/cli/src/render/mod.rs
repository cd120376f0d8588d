//! Text for people.

mod age;
mod audit;
mod compare;
mod describe;
mod figures;
mod lineage;
mod style;
mod table;
mod tree;

use age::{between, since};
use anstyle::Style;
use hearth_wire::{Log, RunSummary};
use jiff::Timestamp;
use style::{of_phase, paint};
use table::{Cell, Column, Table};

pub use audit::{audit, verdict};
pub use compare::{Compared, compare};
pub use describe::{Described, culprit, describe};
pub use figures::{trend, usage};
pub use lineage::{lineage, names as lineage_names};
pub use tree::{changes, graph, picture};

/// Runs as kubectl lists things.
#[must_use]
pub fn runs(runs: &[RunSummary], namespaces: bool, wide: bool, width: Option<usize>, now: Timestamp) -> String {
    let mut columns: Vec<Column> =
        vec![("WORKFLOW", 0), ("RUN", 0), ("NUMBER", 2), ("PHASE", 0), ("REASON", 3), ("STARTED", 1), ("DURATION", 4)];
    if namespaces {
        columns.insert(0, ("NAMESPACE", 0));
    }
    if wide {
        columns.extend([("TRIGGER", 0), ("OWNER", 0), ("MESSAGE", 0)]);
    }
    let mut table = Table::new(&columns);
    for run in runs {
        let mut row: Vec<Cell> = vec![
            run.name.clone().into(),
            run.id.clone().into(),
            run.number.to_string().into(),
            Cell::styled(of_phase(&run.phase), run.phase.clone()),
            run.reason.clone().unwrap_or_default().into(),
            since(run.started_at, now).into(),
            duration(run, now).into(),
        ];
        if namespaces {
            row.insert(0, run.namespace.clone().into());
        }
        if wide {
            let message = run.message.as_deref().and_then(|m| m.lines().next()).unwrap_or_default();
            row.extend([run.trigger.clone().into(), run.owner.clone().into(), message.to_owned().into()]);
        }
        table.row(row);
    }
    table.text(width.filter(|_| !wide))
}

/// A sentence in lines that fit the terminal.
#[must_use]
pub fn prose(text: &str, width: Option<usize>, style: Style) -> String {
    folded(text, "", width).iter().map(|line| paint(style, line) + "\n").collect()
}

/// A line above others.
#[must_use]
pub fn title(text: &str, width: Option<usize>) -> String {
    prose(text, width, style::STRONG)
}

/// What is wrong with a document.
#[must_use]
pub fn finding(words: &str, hint: bool, width: Option<usize>) -> String {
    let style = if hint { style::FAINT } else { of_phase("Failed") };
    folded(words, "  ", width).iter().map(|line| paint(style, line) + "\n").collect()
}

/// The lines of a text, those after the first indented as deep as `lead`.
fn folded(text: &str, lead: &str, width: Option<usize>) -> Vec<String> {
    let text = plain(text);
    let Some(width) = width else { return vec![format!("{lead}{text}")] };
    let rest = " ".repeat(lead.chars().count());
    let options = textwrap::Options::new(width)
        .initial_indent(lead)
        .subsequent_indent(&rest)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(&text, options).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// How long a run took, or has taken so far.
fn duration(run: &RunSummary, now: Timestamp) -> String {
    between(run.started_at, run.finished_at.map_or(now, |t| t.timestamp()))
}

/// A log, under a title when there are several. Of one that is kept whole the title alone: its text follows.
#[must_use]
pub fn log(log: &Log, titled: bool) -> String {
    let mut text = String::new();
    if titled {
        let item = if log.item > 0 { format!(", item {}", log.item) } else { String::new() };
        text += &format!("==> {}{item}, attempt {} ({}) <==\n", log.step, log.attempt, log.phase);
    }
    if log.whole.is_some() {
        return text;
    }
    match (&log.log, log.whole_unavailable.as_ref().or(log.log_unavailable.as_ref())) {
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
    use anstream::adapter::strip_str;
    use hearth_crds::time::Time;
    use hearth_wire::WholeLog;

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
            reported_id: None,
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
        insta::assert_snapshot!(strip_str(&runs(&list, false, false, None, now)).to_string(), @r"
        WORKFLOW     RUN                                    NUMBER   PHASE       REASON       STARTED   DURATION
        co2-report   01993b6a-7c00-7000-8000-000000000012   12       Running                  45s       45s
        hello        01993b6a-7c00-7000-8000-000000000001   1        Succeeded   Completed    48m       4s
        co2-report   01993b6a-7c00-7000-8000-000000000011   11       Failed      StepFailed   3d2h      7m30s
        ");
        assert!(runs(&list, true, false, None, now).starts_with("NAMESPACE   WORKFLOW"));
        insta::assert_snapshot!(strip_str(&runs(&list, false, false, Some(80), now)).to_string(), @r"
        WORKFLOW     RUN                                    NUMBER   PHASE       STARTED
        co2-report   01993b6a-7c00-7000-8000-000000000012   12       Running     45s
        hello        01993b6a-7c00-7000-8000-000000000001   1        Succeeded   48m
        co2-report   01993b6a-7c00-7000-8000-000000000011   11       Failed      3d2h
        ");
        insta::assert_snapshot!(strip_str(&runs(&list, false, true, Some(80), now)).to_string(), @r"
        WORKFLOW     RUN                                    NUMBER   PHASE       REASON       STARTED   DURATION   TRIGGER   OWNER   MESSAGE
        co2-report   01993b6a-7c00-7000-8000-000000000012   12       Running                  45s       45s        Created
        hello        01993b6a-7c00-7000-8000-000000000001   1        Succeeded   Completed    48m       4s         Created
        co2-report   01993b6a-7c00-7000-8000-000000000011   11       Failed      StepFailed   3d2h      7m30s      Created
        ");
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
            whole: None,
            whole_unavailable: None,
        };
        assert_eq!(log(&entry, false), "boom\n");
        assert_eq!(log(&entry, true), "==> fit, attempt 2 (Failed) <==\nboom\n");
        entry.log = None;
        entry.log_unavailable = Some("the pod was gone".to_owned());
        assert_eq!(log(&entry, false), "(no log: the pod was gone)\n");
        entry.whole = Some(WholeLog { digest: "sha256:a".to_owned(), bytes: 70_000, left_out: 0 });
        assert_eq!(log(&entry, true), "==> fit, attempt 2 (Failed) <==\n");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\r\n\tc"), "a[2Jb\n\tc");
    }
}
