//! One run in full: what it was given, what came out, its steps, and why it failed.

use super::{
    age::{between, since},
    folded, plain,
    style::{FAINT, STRONG, of_phase, paint},
    table::{Cell, Column, Table},
};
use hearth_crds::condition::Reason;
use hearth_wire::{Event, Log, Run, Step};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a log that are shown.
const LAST_LINES: usize = 20;

/// A run with all that belongs to it.
#[derive(Debug, Serialize)]
pub struct Described {
    /// The run.
    pub run: Run,
    /// Its attempts.
    pub steps: Vec<Step>,
    /// Its transitions.
    pub events: Vec<Event>,
    /// The end of the log of the attempt that failed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
}

/// The attempt that failed the run: the last failed one of the step that failed first for good.
#[must_use]
pub fn culprit<'a>(run: &Run, steps: &'a [Step]) -> Option<&'a Step> {
    if run.summary.phase != "Failed" {
        return None;
    }
    let last = |s: &&Step| !steps.iter().any(|o| (&o.step, o.item) == (&s.step, s.item) && o.attempt > s.attempt);
    let failed = steps.iter().filter(|s| s.phase == "Failed" && s.attempt > 0);
    failed.filter(last).min_by_key(|s| s.finished_at.map_or(i64::MAX, |t| t.millis()))
}

/// The text for people.
#[must_use]
pub fn describe(described: &Described, wide: bool, width: Option<usize>, now: Timestamp) -> String {
    let mut text = head(&described.run, width, now);
    text += &values("Params", &described.run.params, width);
    text += &values("Results", &described.run.results, width);
    text += &steps(&described.steps, wide, width, now);
    text += &taken_over(&described.steps, width);
    text += &artifacts(&described.steps, width);
    if wide {
        text += &events(&described.events);
    }
    text += &failure(described, width);
    text += &next(described, width);
    text
}

fn head(run: &Run, width: Option<usize>, now: Timestamp) -> String {
    let row = &run.summary;
    let reason = row.reason.as_ref().map_or(String::new(), |r| format!(" ({r})"));
    let end = row.finished_at.map_or(now, |t| t.timestamp());
    let mut lines = vec![
        ("Workflow", format!("{}/{}", row.namespace, row.name)),
        ("Run", row.id.clone()),
        ("Number", row.number.to_string()),
        ("Phase", format!("{}{reason}", row.phase)),
        ("Trigger", row.trigger.clone()),
        ("Started", format!("{} ({} ago)", row.started_at, since(row.started_at, now))),
    ];
    lines.extend(row.finished_at.map(|t| ("Finished", format!("{t} ({} ago)", since(t, now)))));
    lines.push(("Duration", between(row.started_at, end)));
    lines.extend((!row.owner.is_empty()).then(|| ("Owner", row.owner.clone())));
    lines.extend(row.reported_id.as_ref().map(|id| ("Reported", format!("by an outside system, as {id}"))));
    lines.extend((!run.revision.is_empty()).then(|| ("Revision", run.revision.clone())));
    lines.extend(
        (!run.labels.is_empty())
            .then(|| ("Labels", run.labels.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(", "))),
    );
    lines.extend(row.minimal.then(|| ("Record", "shortened: the history store refused the full row".to_owned())));
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let lines = folded(value, &format!("{:<11}", format!("{name}:")), width);
        let style = if *name == "Phase" { of_phase(&row.phase) } else { anstyle::Style::new() };
        lines.iter().for_each(|line| text += &(paint(style, line) + "\n"));
        text
    })
}

/// A map of values, one per line.
fn values(title: &str, value: &Value, limit: Option<usize>) -> String {
    let Some(map) = value.as_object().filter(|m| !m.is_empty()) else { return String::new() };
    let width = map.keys().map(|k| k.chars().count()).max().unwrap_or(0) + 1;
    map.iter().fold(format!("{title}:\n"), |mut text, (name, value)| {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let lead = format!("  {:<width$} ", format!("{}:", plain(name)));
        folded(&shown, &lead, limit).iter().for_each(|line| text += &format!("{}\n", line.trim_end()));
        text
    })
}

fn steps(steps: &[Step], wide: bool, width: Option<usize>, now: Timestamp) -> String {
    if steps.is_empty() {
        return "\nSteps: none has started.\n".to_owned();
    }
    let mut columns: Vec<Column> = vec![
        ("STEP", 0),
        ("ATTEMPT", 1),
        ("PHASE", 0),
        ("REASON", 2),
        ("EXIT", 3),
        ("DURATION", 0),
        ("NODE", 4),
        ("IMAGE", 5),
    ];
    if wide {
        columns.extend([("POD", 0), ("IMAGE ID", 0)]);
    }
    let mut table = Table::new(&columns);
    let fans: BTreeSet<&str> = steps.iter().filter(|s| s.item > 0).map(|s| s.step.as_str()).collect();
    for step in steps {
        let name =
            if fans.contains(step.step.as_str()) { format!("{}[{}]", step.step, step.item) } else { step.step.clone() };
        let took = step
            .started_at
            .map_or(String::new(), |from| between(from, step.finished_at.map_or(now, |t| t.timestamp())));
        let mut row: Vec<Cell> = vec![
            name.into(),
            if step.attempt > 0 { step.attempt.to_string() } else { "-".to_owned() }.into(),
            Cell::styled(of_phase(&step.phase), step.phase.clone()),
            step.reason.clone().unwrap_or_default().into(),
            step.exit_code.map_or(String::new(), |c| c.to_string()).into(),
            took.into(),
            step.node.clone().unwrap_or_default().into(),
            step.image.clone().unwrap_or_default().into(),
        ];
        if wide {
            let pod = step.pod.clone().unwrap_or_default();
            row.extend([pod.into(), step.image_id.clone().unwrap_or_default().into()]);
        }
        table.row(row);
    }
    format!("\nSteps:\n{}", indent(&table.text(width.filter(|_| !wide).map(|w| w.saturating_sub(2))), "  "))
}

/// Steps that did not run, since their work was done before; the items of one step that the same run did are one line.
fn taken_over(steps: &[Step], width: Option<usize>) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (step, run) in steps.iter().filter_map(|s| Some((s.step.as_str(), s.cached_from.as_deref()?))) {
        *counts.entry((step, run)).or_default() += 1;
    }
    let mut table = Table::new(&[("STEP", 0), ("TIMES", 1), ("DONE BY RUN", 0)]);
    for ((step, run), count) in &counts {
        table.row(vec![(*step).to_owned().into(), count.to_string().into(), (*run).to_owned().into()]);
    }
    if counts.is_empty() {
        return String::new();
    }
    format!("\nTaken over:\n{}", indent(&table.text(width.map(|w| w.saturating_sub(2))), "  "))
}

/// What the steps left in the artifact store.
fn artifacts(steps: &[Step], width: Option<usize>) -> String {
    let mut table = Table::new(&[("STEP", 0), ("ARTIFACT", 0), ("BYTES", 0), ("KIND", 1), ("DIGEST", 2)]);
    let mut any = false;
    for step in steps {
        for (name, artifact) in step.artifacts.as_object().into_iter().flatten() {
            any = true;
            let directory = artifact.get("directory").and_then(Value::as_bool) == Some(true);
            table.row(vec![
                step.step.clone().into(),
                name.clone().into(),
                artifact.get("bytes").map_or(String::new(), Value::to_string).into(),
                if directory { "directory" } else { "file" }.to_owned().into(),
                artifact.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned().into(),
            ]);
        }
    }
    if any {
        format!("\nArtifacts:\n{}", indent(&table.text(width.map(|w| w.saturating_sub(2))), "  "))
    } else {
        String::new()
    }
}

/// Every transition, in order.
fn events(events: &[Event]) -> String {
    let mut table = Table::new(&[("AT", 0), ("SUBJECT", 0), ("TRANSITION", 0), ("REASON", 0), ("MESSAGE", 0)]);
    for event in events {
        table.row(vec![
            event.at.to_string().into(),
            event.subject.clone().into(),
            Cell::styled(of_phase(&event.transition), event.transition.clone()),
            event.reason.clone().unwrap_or_default().into(),
            event.message.clone().unwrap_or_default().into(),
        ]);
    }
    if events.is_empty() { String::new() } else { format!("\nEvents:\n{}", indent(&table.text(None), "  ")) }
}

/// Why the run failed: the step, the message and the end of its log.
fn failure(described: &Described, width: Option<usize>) -> String {
    let run = &described.run;
    let step = culprit(run, &described.steps);
    let message = run.summary.message.as_deref().map(plain).filter(|m| !m.is_empty());
    if message.is_none() && step.is_none() {
        return String::new();
    }
    let mut text = String::from(if step.is_some() { "\nFailure:\n" } else { "\nMessage:\n" });
    if let Some(step) = step {
        folded(&headline(step), "  ", width).iter().for_each(|l| text += &(paint(STRONG, l) + "\n"));
    }
    for line in message.as_deref().unwrap_or_default().lines() {
        folded(line, "  ", width).iter().for_each(|l| text += &format!("{l}\n"));
    }
    if let Some(lines) = described.log.as_ref().and_then(|l| l.log.as_deref()).map(tail).filter(|l| !l.is_empty()) {
        text += "  Last lines of its log:\n";
        for line in lines.lines() {
            folded(line, "  | ", width).iter().for_each(|l| text += &(paint(FAINT, l.trim_end()) + "\n"));
        }
    } else if let Some(why) = step.and_then(|s| s.log_unavailable.as_ref()) {
        folded(&format!("Its log is not kept: {why}"), "  ", width).iter().for_each(|l| text += &format!("{l}\n"));
    }
    text
}

fn headline(step: &Step) -> String {
    let item = if step.item > 0 { format!(", item {}", step.item) } else { String::new() };
    let facts: Vec<String> = [
        step.reason.clone(),
        step.exit_code.map(|c| format!("exit code {c}")),
        step.class.as_ref().map(|c| format!("class {c}")),
        step.node.as_ref().map(|n| format!("on node {n}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let facts = if facts.is_empty() { String::new() } else { format!(": {}", facts.join(", ")) };
    plain(&format!("step {}{item}, attempt {}{facts}", step.step, step.attempt))
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let from = lines.len().saturating_sub(LAST_LINES);
    lines.iter().skip(from).map(|l| plain(l) + "\n").collect()
}

/// What to do next. Commands stay on one line, so that they can be copied.
fn next(described: &Described, width: Option<usize>) -> String {
    let run = &described.run.summary;
    let mut lines = Vec::new();
    let step = culprit(&described.run, &described.steps);
    let of_step = step.and_then(|s| s.reason.as_deref()).and_then(known);
    let of_run = run.reason.as_deref().and_then(known);
    if run.terminal && run.phase != "Succeeded" {
        // The step's own reason says more than that a step failed.
        let advice = of_step.and_then(advice).or_else(|| of_run.and_then(advice));
        lines.extend(advice.map(|a| folded(a, "  - ", width).join("\n")));
    }
    if let Some(step) = step.filter(|s| s.has_log) {
        lines.push(format!(
            "  - the whole log: kubectl hearth logs {} --step {} --attempt {}",
            run.id, step.step, step.attempt
        ));
    }
    let gone = of_run == Some(Reason::Deleted);
    if !gone && (run.phase == "Failed" || run.phase == "Cancelled") {
        lines.push(format!("  - run it again: kubectl hearth rerun {} -n {}", run.name, run.namespace));
        lines.push(format!(
            "  - run what failed again: kubectl hearth rerun {} -n {} --from-failed",
            run.name, run.namespace
        ));
    }
    if lines.is_empty() {
        return String::new();
    }
    lines.iter().fold(String::from("\nNext:\n"), |text, line| text + &plain(line) + "\n")
}

fn known(reason: &str) -> Option<Reason> {
    serde_json::from_value(Value::String(reason.to_owned())).ok()
}

/// What helps against a reason; None where nothing needs to be done, or where only the message knows.
fn advice(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::ExitCode => Some(
            "the program ended with an error: read its log, fix it, and let it exit with 75 where trying again helps (spec.steps[].retry)",
        ),
        Reason::OutOfMemory => Some("raise spec.steps[].pod.resources.limits.memory of this step"),
        Reason::TimedOut => Some("raise timeout, or see what the step was waiting for"),
        Reason::PendingTimeout | Reason::Unschedulable => {
            Some("no node took the pod in time: lower its requests, add nodes, or raise spec.pendingTimeout")
        }
        Reason::ImagePullFailed => Some("check the image's name, and spec.pod.imagePullSecrets for a private registry"),
        Reason::ContainerCannotRun => Some("check command, and the Secrets and ConfigMaps that the pod names"),
        Reason::QuotaExceeded => Some("the namespace's quota leaves no room: free some, or have it raised"),
        Reason::PodRefused | Reason::PodInvalid => Some("change what the API server's message names"),
        Reason::Evicted | Reason::Preempted | Reason::NodeLost | Reason::PodDeleted => {
            Some("the cluster took the pod away, more often than is tried again; nothing in the step needs to change")
        }
        Reason::OutputsTooLong => Some("write at most 3 KiB to /dev/termination-log; put more into a file"),
        Reason::OutputsNotJson => Some("write one JSON object, and nothing else, to /dev/termination-log"),
        Reason::OutputUndeclared | Reason::OutputMissing | Reason::OutputMistyped => {
            Some("let spec.steps[].outputs and what the step writes agree")
        }
        Reason::ResultsTooLong => Some("keep results under 8 KiB in all"),
        Reason::ExpressionFailed | Reason::InvalidSpec => Some("change the field that the message names"),
        Reason::InvalidWith => Some("write spec.steps[].with as the runtime documents it; the message names the place"),
        Reason::ArtifactMissing => Some("see why it is not there: the step that leaves it, or the artifact store"),
        Reason::NameTaken => Some("another object has the pod's name: delete or rename it"),
        Reason::Deleted => Some("the Workflow was deleted while it ran; apply it again to run it again"),
        Reason::StepFailed
        | Reason::ItemsFailed
        | Reason::RunFailed
        | Reason::NeedFailed
        | Reason::FailFast
        | Reason::Cancelled
        | Reason::Suspended
        | Reason::SpecChanged
        | Reason::ImageDrift => None,
        Reason::WaitingForApproval => {
            Some("somebody has to decide: kubectl hearth approve WORKFLOW STEP, or kubectl hearth cancel WORKFLOW")
        }
        Reason::WaitingForTemplate => Some("apply the Workflow that spec.from.workflow names, or correct the name"),
        Reason::Accepted
        | Reason::Running
        | Reason::Completed
        | Reason::WhenFalse
        | Reason::OutcomeUnmet
        | Reason::Reused
        | Reason::Cached
        | Reason::CacheUnknown
        | Reason::Approved
        | Reason::Template
        | Reason::Scheduled
        | Reason::Replaced
        | Reason::Healthy => None,
        Reason::Stored | Reason::Pending | Reason::Backlog | Reason::SpoolFull | Reason::Poisoned => None,
    }
}

fn indent(text: &str, with: &str) -> String {
    text.lines().map(|line| format!("{with}{line}").trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::tests::summary;
    use hearth_crds::time::Time;
    use serde_json::json;

    fn time(text: &str) -> Time {
        Time::new(text.parse().unwrap())
    }

    fn step(name: &str, attempt: i32, phase: &str, end: &str) -> Step {
        let failed = phase == "Failed";
        Step {
            step: name.to_owned(),
            item: 0,
            attempt,
            seq: 3,
            phase: phase.to_owned(),
            terminal: true,
            class: failed.then(|| "Application".to_owned()),
            reason: failed.then(|| "ExitCode".to_owned()),
            message: None,
            exit_code: Some(i32::from(failed)),
            pod: None,
            node: Some("node-1".to_owned()),
            image: Some("hearth.dev/busybox:dev".to_owned()),
            image_id: None,
            outputs: Value::Null,
            artifacts: Value::Null,
            has_log: failed,
            log_unavailable: None,
            started_at: Some(time("2026-11-18T06:00:01Z")),
            finished_at: Some(time(end)),
            duration_ms: None,
            cached_from: None,
        }
    }

    fn failed() -> Described {
        let mut summary = summary("co2-report", 11, "Failed", "2026-11-18T06:00:00Z", Some("2026-11-18T06:07:30Z"));
        summary.message = Some("step fit: the container ended with exit code 1".to_owned());
        let run = Run {
            summary,
            seq: 9,
            revision: "co2-report-5d9c7b".to_owned(),
            digest: "1:ab".to_owned(),
            labels: [("team".to_owned(), "climate".to_owned())].into(),
            spec: json!({}),
            params: json!({"window": 12, "station": "mlo"}),
            results: Value::Null,
        };
        let mut skipped = step("report", 0, "Skipped", "2026-11-18T06:07:30Z");
        skipped = Step {
            started_at: None,
            exit_code: None,
            node: None,
            image: None,
            reason: Some("NeedFailed".to_owned()),
            ..skipped
        };
        let log = (1..=25).map(|n| format!("line {n}\n")).collect::<String>() + "ValueError: \u{1b}[31mno data\n";
        Described {
            run,
            steps: vec![
                step("clean", 1, "Succeeded", "2026-11-18T06:00:04Z"),
                step("fit", 1, "Failed", "2026-11-18T06:01:00Z"),
                step("fit", 2, "Failed", "2026-11-18T06:07:29Z"),
                skipped,
            ],
            events: Vec::new(),
            log: Some(Log {
                step: "fit".to_owned(),
                item: 0,
                attempt: 2,
                phase: "Failed".to_owned(),
                pod: None,
                log: Some(log),
                log_unavailable: None,
                whole: None,
                whole_unavailable: None,
            }),
        }
    }

    fn text(described: &Described, wide: bool, width: Option<usize>) -> String {
        let text = describe(described, wide, width, "2026-11-21T08:00:00Z".parse().unwrap());
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_narrow_terminal_gets_short_lines() {
        insta::assert_snapshot!(text(&failed(), false, Some(60)));
    }

    #[test]
    fn wide_shows_every_column_and_all_events() {
        let mut described = failed();
        described.events = vec![Event {
            at: time("2026-11-18T06:00:01Z"),
            subject: "step/clean/1".to_owned(),
            transition: "Started".to_owned(),
            seq: 2,
            reason: None,
            message: None,
        }];
        insta::assert_snapshot!(text(&described, true, Some(60)));
    }

    #[test]
    fn a_failure_is_explained_in_one_place() {
        insta::assert_snapshot!(text(&failed(), false, None));
    }

    #[test]
    fn a_success_shows_its_results() {
        let mut described = failed();
        described.run.summary = summary("hello", 1, "Succeeded", "2026-11-21T07:12:00Z", Some("2026-11-21T07:12:04Z"));
        described.run.results = json!({"greeting": "hello", "growth": {"ppm": 1.5}});
        described.steps.truncate(1);
        described.log = None;
        insta::assert_snapshot!(text(&described, false, None));
    }

    #[test]
    fn what_was_taken_over_is_told_with_its_run() {
        let mut described = failed();
        described.run.summary = summary("again", 2, "Succeeded", "2026-11-21T07:12:00Z", Some("2026-11-21T07:12:04Z"));
        let hit = |name: &str, item: i32, run: &str| Step {
            item,
            attempt: 0,
            reason: Some("Cached".to_owned()),
            started_at: None,
            node: None,
            image: None,
            exit_code: None,
            cached_from: Some(run.to_owned()),
            ..step(name, 0, "Succeeded", "2026-11-21T07:12:01Z")
        };
        let (old, older) = ("01993b6a-7c00-7000-8000-000000000011", "01993b6a-7c00-7000-8000-000000000009");
        described.steps = vec![hit("clean", 0, old), hit("fit", 0, old), hit("fit", 1, older), hit("fit", 2, old)];
        described.log = None;
        insta::assert_snapshot!(text(&described, false, Some(80)));
    }

    #[test]
    fn the_culprit_is_the_last_attempt_of_the_first_step_that_failed() {
        let described = failed();
        let found = culprit(&described.run, &described.steps).unwrap();
        assert_eq!((found.step.as_str(), found.attempt), ("fit", 2));
    }
}
