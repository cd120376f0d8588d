//! The rows and events of the attempts of a run.

use super::{at, ended, pod, running, seen};
use crate::common::{RUN, env};
use hearth_crds::{
    label,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::{
    Facts, Kind, Record,
    facts::{ContainerFact, PodFact},
    kind::Accepted,
    workflow::WorkflowKind,
};
use serde_json::{Map, Value, json};

/// What history is told when the status of `cr` is accepted after `old`.
pub(super) fn records(cr: &Workflow, old: Option<&WorkflowStatus>, facts: &Facts) -> Vec<Record> {
    let specs = WorkflowKind::specs(cr, facts, &env(), None);
    let accepted = Accepted::by_server(cr.status.clone().unwrap());
    WorkflowKind::records(cr, &specs, old, &accepted, facts, &env()).map(|batch| batch.records).unwrap_or_default()
}

/// The rows of attempts, each without what is empty and what is the same in all of a run.
fn rows(records: &[Record]) -> Vec<Value> {
    let row = |record: &Record| {
        let Record::Step(row) = record else { return None };
        let Value::Object(all) = serde_json::to_value(row).unwrap() else { return None };
        let same = ["run_id", "run_started_at", "seq"];
        let told = |name: &str, value: &Value| {
            let empty = value.is_null() || *value == json!({}) || (name == "item" && *value == 0);
            !empty && !same.contains(&name)
        };
        Some(Value::Object(all.into_iter().filter(|(name, value)| told(name, value)).collect::<Map<_, _>>()))
    };
    records.iter().filter_map(row).collect()
}

/// `STEP[ITEM]#ATTEMPT PHASE from BEGIN to END` of the rows.
pub(super) fn spans(records: &[Record]) -> Vec<String> {
    let time = |at: Option<hearth_crds::time::Time>| at.map_or("-".to_owned(), |at| at.to_string()[11..19].to_owned());
    let span = |record: &Record| {
        let Record::Step(r) = record else { return None };
        let (from, to) = (time(r.started_at), time(r.finished_at));
        Some(format!("{}[{}]#{} {} from {from} to {to}", r.step, r.item, r.attempt, r.phase))
    };
    records.iter().filter_map(span).collect()
}

/// `SUBJECT TRANSITION at TIME: REASON: MESSAGE` of the events.
fn events(records: &[Record]) -> Vec<String> {
    let told = |record: &Record| {
        let Record::Event(e) = record else { return None };
        let why =
            [&e.reason, &e.message].into_iter().flatten().fold(String::new(), |all, text| format!("{all}: {text}"));
        Some(format!("{} {} at {}{why}", e.subject, e.transition, &e.at.to_string()[11..19]))
    };
    records.iter().filter_map(told).collect()
}

fn fit() -> Value {
    json!({"steps": [{"name": "fit", "image": "i:1", "outputs": [{"name": "rmse", "type": "number"}], "retry": {"limit": 9}}]})
}

fn fits(status: &Value) -> Workflow {
    let mut step = json!({"name": "fit", "startedAt": at("00:00:10")});
    step.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    running(&fit(), &json!({"updatedAt": at("00:09:00"), "steps": [step]}))
}

fn name(attempt: u32) -> String {
    pod("fit", None, attempt).name
}

#[test]
fn the_row_of_an_attempt_tells_what_its_pod_did() {
    let cr = fits(&json!({"phase": "Running", "attempt": 2, "since": at("00:01:00"),
        "ended": [{"attempt": 1, "class": "Application", "reason": "ExitCode", "exitCode": 1, "at": at("00:00:30")}]}));
    let mut first = PodFact {
        created_at: Some(at("00:00:11")),
        node: Some("n1".into()),
        image_id: Some("i@sha256:aa".into()),
        ..ended("fit", 1, 1, "00:00:29")
    };
    let ContainerFact::Ended { message, .. } = &mut first.container else { panic!() };
    "no such table".clone_into(message);
    let second = PodFact { created_at: Some(at("00:01:01")), node: Some("n2".into()), ..pod("fit", None, 2) };
    let facts = Facts { logs: [(name(1), Ok("the whole story".into()))].into(), ..seen([first, second]) };
    let records = records(&cr, None, &facts);
    let why = "exit code 1: see the log of each attempt; last lines: no such table";
    assert_eq!(
        rows(&records),
        [
            json!({"step": "fit", "attempt": 1, "phase": "Failed", "terminal": true, "class": "Application", "reason": "ExitCode",
                "message": why, "exit_code": 1, "pod": name(1), "node": "n1", "image": "i:1", "image_id": "i@sha256:aa",
                "log": "the whole story", "started_at": at("00:00:11"), "finished_at": at("00:00:30")}),
            json!({"step": "fit", "attempt": 2, "phase": "Running", "terminal": false, "pod": name(2), "node": "n2",
                "image": "i:1", "started_at": at("00:01:00")}),
        ]
    );
    assert_eq!(
        events(&records),
        [
            "run Started at 00:00:00: Created".to_owned(),
            "step/fit/1 Started at 00:00:11".to_owned(),
            format!("step/fit/1 Failed at 00:00:30: ExitCode: {why}"),
            "step/fit/2 Started at 00:01:00".to_owned(),
        ]
    );
}

#[test]
fn what_a_step_wrote_is_told_of_the_attempt_that_wrote_it() {
    let table = json!({"digest": format!("sha256:{}", "0a".repeat(32)), "bytes": 3});
    let cr = fits(&json!({"phase": "Succeeded", "attempt": 2, "since": at("00:01:00"), "finishedAt": at("00:02:00"),
        "outputs": {"rmse": 0.5}, "artifacts": {"table": table},
        "ended": [{"attempt": 1, "class": "Infrastructure", "reason": "PodDeleted", "node": "n1", "at": at("00:00:30")}]}));
    assert_eq!(
        rows(&records(&cr, None, &seen([]))),
        [
            json!({"step": "fit", "attempt": 1, "phase": "Failed", "terminal": true, "class": "Infrastructure",
                "reason": "PodDeleted", "message": "somebody deleted the pod while it ran", "pod": name(1), "node": "n1",
                "image": "i:1", "finished_at": at("00:00:30")}),
            json!({"step": "fit", "attempt": 2, "phase": "Succeeded", "terminal": true, "pod": name(2), "image": "i:1",
                "outputs": {"rmse": 0.5}, "artifacts": {"table": table},
                "started_at": at("00:01:00"), "finished_at": at("00:02:00")}),
        ]
    );
}

/// The status lists the last ends alone, and the pod is still there.
#[test]
fn an_attempt_that_is_listed_no_more_has_failed() {
    let end = |attempt: u32| json!({"attempt": attempt, "class": "Application", "reason": "ExitCode", "exitCode": 1, "at": at("00:00:30")});
    let cr = fits(&json!({"phase": "Running", "attempt": 3, "since": at("00:01:00"), "ended": [end(2)]}));
    let first = PodFact { created_at: Some(at("00:00:11")), ..ended("fit", 1, 1, "00:00:29") };
    let spans = spans(&records(&cr, None, &seen([first])));
    assert_eq!(spans[0], "fit[0]#1 Failed from 00:00:11 to -");
    assert_eq!(spans[2], "fit[0]#3 Running from 00:01:00 to -");
}

/// A placeholder fences the first attempt, and a stranger has the name of the second.
#[test]
fn what_is_no_pod_of_ours_says_nothing_of_an_attempt() {
    let void = json!({"attempt": 1, "class": "Void", "reason": "Accepted", "at": at("00:00:30")});
    let cr = fits(&json!({"phase": "Running", "attempt": 2, "since": at("00:01:00"), "ended": [void]}));
    let placeholder = PodFact { placeholder: true, created_at: Some(at("00:00:20")), ..pod("fit", None, 1) };
    let stranger = PodFact { owned: false, node: Some("n2".into()), ..pod("fit", None, 2) };
    let records = records(&cr, None, &seen([placeholder, stranger]));
    assert_eq!(
        rows(&records),
        [
            json!({"step": "fit", "attempt": 1, "phase": "Void", "terminal": true, "class": "Void", "reason": "Accepted",
                "pod": name(1), "image": "i:1", "finished_at": at("00:00:30")}),
            json!({"step": "fit", "attempt": 2, "phase": "Running", "terminal": false, "pod": name(2), "image": "i:1",
                "started_at": at("00:01:00")}),
        ]
    );
    let of_first = events(&records).into_iter().filter(|e| e.starts_with("step/fit/1"));
    assert_eq!(of_first.collect::<Vec<_>>(), ["step/fit/1 Void at 00:00:30: Accepted"], "it never started");
}

#[test]
fn an_attempt_that_was_stopped_needs_no_message() {
    let end = json!({"attempt": 1, "class": "Stopped", "reason": "Cancelled", "at": at("00:02:00")});
    let cr = fits(
        &json!({"phase": "Cancelled", "attempt": 1, "since": at("00:01:00"), "finishedAt": at("00:02:00"), "reason": "Cancelled", "ended": [end]}),
    );
    let expected = json!({"step": "fit", "attempt": 1, "phase": "Cancelled", "terminal": true, "class": "Stopped",
        "reason": "Cancelled", "pod": name(1), "image": "i:1", "started_at": at("00:01:00"), "finished_at": at("00:02:00")});
    assert_eq!(rows(&records(&cr, None, &seen([]))), [expected]);
}

#[test]
fn a_step_without_an_attempt_has_a_row_too() {
    let spec = json!({"steps": [
        {"name": "gate", "approval": {"message": "now?"}},
        {"name": "clean", "image": "i:1"},
        {"name": "fit", "image": "i:1", "needs": ["gate"]},
    ]});
    let steps = json!([
        {"name": "gate", "phase": "Failed", "attempt": 0, "reason": "TimedOut", "since": at("00:00:10"), "startedAt": at("00:00:10"), "finishedAt": at("00:01:00")},
        {"name": "clean", "phase": "Succeeded", "attempt": 0, "reason": "Reused", "outputs": {"n": 1}, "finishedAt": at("00:00:00")},
        {"name": "fit", "phase": "Skipped", "attempt": 0, "reason": "NeedFailed", "finishedAt": at("00:01:00")},
    ]);
    let records = records(&running(&spec, &json!({"steps": steps})), None, &seen([]));
    let reused = "it succeeded in an earlier run, whose outputs are taken over";
    assert_eq!(
        rows(&records),
        [
            json!({"step": "gate", "attempt": 0, "phase": "Failed", "terminal": true, "reason": "TimedOut",
                "started_at": at("00:00:10"), "finished_at": at("00:01:00")}),
            json!({"step": "clean", "attempt": 0, "phase": "Succeeded", "terminal": true, "reason": "Reused",
                "message": reused, "outputs": {"n": 1}, "finished_at": at("00:00:00")}),
            json!({"step": "fit", "attempt": 0, "phase": "Skipped", "terminal": true, "reason": "NeedFailed",
                "finished_at": at("00:01:00")}),
        ]
    );
    assert_eq!(
        events(&records)[1..],
        [
            "step/gate/0 Started at 00:00:10".to_owned(),
            "step/gate/0 Failed at 00:01:00: TimedOut".to_owned(),
            format!("step/clean/0 Succeeded at 00:00:00: Reused: {reused}"),
            "step/fit/0 Skipped at 00:01:00: NeedFailed".to_owned(),
        ]
    );
}

#[test]
fn a_run_that_is_over_says_how_it_went() {
    let mut cr = running(
        &fit(),
        &json!({"requestedBy": "ada", "finishedAt": at("00:02:00"),
            "failure": {"reason": "TimedOut", "message": "the run took too long"}}),
    );
    cr.status.as_mut().unwrap().phase = Some(hearth_crds::workflow::RunPhase::Failed);
    assert_eq!(
        events(&records(&cr, None, &seen([]))),
        [
            "run Started at 00:00:00: Created: requested by ada",
            "run Failed at 00:02:00: TimedOut: the run took too long",
        ]
    );
}

/// A step that runs a Workflow has no pod that says why it failed: the status explains the attempt that failed first.
#[test]
fn the_failure_of_a_called_run_is_told_of_the_attempt_that_it_explains() {
    let call = |name: &str| json!({"name": name, "workflow": {"ref": "report"}, "retry": {"limit": 1}});
    let end =
        |attempt: u32| json!({"attempt": attempt, "class": "Application", "reason": "RunFailed", "at": at("00:02:00")});
    let failed = |name: &str| {
        json!({"name": name, "phase": "Failed", "attempt": 2, "since": at("00:01:00"), "workflow": "report",
        "finishedAt": at("00:02:00"), "reason": "RunFailed", "ended": [end(1), end(2)]})
    };
    let failure = json!({"step": "sub", "attempt": 2, "reason": "RunFailed", "message": "step sub: run r2 failed"});
    let cr = running(
        &json!({"steps": [call("other"), call("sub")]}),
        &json!({"failure": failure, "steps": [failed("other"), failed("sub")]}),
    );
    let told = rows(&records(&cr, None, &seen([])));
    let told: Vec<_> =
        told.iter().map(|r| (r["step"].as_str().unwrap(), r["attempt"].clone(), r["message"].clone())).collect();
    assert_eq!(
        told,
        [
            ("other", json!(1), Value::Null),
            ("other", json!(2), Value::Null),
            ("sub", json!(1), Value::Null),
            ("sub", json!(2), json!("step sub: run r2 failed")),
        ]
    );
}

mod items {
    use super::*;

    fn each(fan_out: &Value) -> Workflow {
        let spec = json!({"steps": [{"name": "each", "image": "i:1", "forEach": {"items": [1, 2, 3, 4, 5]}, "retry": {"limit": 3}}]});
        let each = json!({"name": "each", "phase": "Running", "attempt": 0, "since": at("00:01:00"), "startedAt": at("00:01:00"), "fanOut": fan_out});
        running(&spec, &json!({"updatedAt": at("00:09:00"), "steps": [each]}))
    }

    /// A pod with the labels of an item's attempt.
    fn labelled(item: u32, attempt: u32) -> PodFact {
        let labels = [
            (label::RUN, RUN.to_owned()),
            (label::STEP, "each".to_owned()),
            (label::ITEM, item.to_string()),
            (label::ATTEMPT, attempt.to_string()),
        ];
        PodFact {
            labels: labels.map(|(key, value)| (key.to_owned(), value)).into(),
            ..pod("each", Some(item), attempt)
        }
    }

    fn marks() -> Value {
        json!([{"below": 3, "at": at("00:01:00")}, {"below": 5, "at": at("00:02:00")}])
    }

    #[test]
    fn have_rows_as_they_change() {
        let old = each(&json!({"count": 5, "started": 3, "open": "0-2", "marks": marks()}));
        let waits = json!({"index": 1, "phase": "Waiting", "attempt": 1, "retryAt": at("00:05:00"),
            "ended": {"attempt": 1, "class": "Application", "reason": "ExitCode", "exitCode": 1, "at": at("00:03:00")}});
        let new = each(&json!({"count": 5, "started": 4, "open": "0-1,3", "marks": marks(), "items": [waits]}));
        assert_eq!(
            spans(&records(&new, old.status.as_ref(), &seen([]))),
            [
                "each[1]#1 Failed from 00:01:00 to 00:03:00",
                "each[2]#1 Succeeded from 00:01:00 to 00:09:00",
                "each[3]#1 Running from 00:02:00 to -",
            ]
        );
    }

    /// Nothing is known of what was told before. Items that are over and not listed are told by their pods: those go only
    /// when their rows are stored.
    #[test]
    fn have_rows_again_when_nobody_knows_what_was_told() {
        let failed = json!({"index": 0, "phase": "Failed", "attempt": 2, "since": at("00:02:30"), "finishedAt": at("00:03:00"), "reason": "ExitCode"});
        let cr =
            each(&json!({"count": 5, "started": 5, "open": "4", "failed": "0-1", "marks": marks(), "items": [failed]}));
        let second = PodFact { created_at: Some(at("00:01:05")), ..labelled(2, 1) };
        let relabelled = |name: &str, key: &str, value: &str| {
            let mut other = PodFact { name: name.into(), ..labelled(3, 1) };
            other.labels.insert(key.into(), value.into());
            other
        };
        let others = [
            PodFact { owned: false, ..labelled(1, 7) },
            PodFact { placeholder: true, ..labelled(3, 4) },
            relabelled("of an earlier run", label::RUN, "r0"),
            relabelled("of another step", label::STEP, "fit"),
        ];
        assert_eq!(
            spans(&records(&cr, None, &seen([second].into_iter().chain(others)))),
            [
                "each[0]#2 Failed from 00:02:30 to 00:03:00",
                "each[2]#1 Succeeded from 00:01:05 to 00:09:00",
                "each[4]#1 Running from 00:02:00 to -",
            ]
        );
    }
}
