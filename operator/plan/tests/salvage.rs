//! What is stored of an object that cannot be read any more, when it goes.

use crate::common::{RUN, env};
use hearth_plan::{
    Kind, Record,
    record::{EventRow, RunRow, StepRow},
    workflow::WorkflowKind,
};
use serde_json::{Value, json};

/// An object that somebody broke while its run was under way.
fn broken(status: &Value) -> Value {
    json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z",
            "deletionTimestamp": "2026-01-01T02:00:00Z"},
        "spec": {"steps": "broken"},
        "status": status,
    })
}

#[derive(Default)]
struct Rows {
    runs: Vec<RunRow>,
    steps: Vec<StepRow>,
    events: Vec<EventRow>,
}

fn rows(status: &Value) -> Rows {
    let mut rows = Rows::default();
    for record in WorkflowKind::salvage(&broken(status), &env()) {
        match record {
            Record::Run(run) => rows.runs.push(*run),
            Record::Step(step) => rows.steps.push(*step),
            Record::Event(event) => rows.events.push(event),
            Record::Lineage(_) => {}
        }
    }
    rows
}

#[test]
fn an_object_that_never_had_a_run_leaves_nothing() {
    assert!(WorkflowKind::salvage(&broken(&Value::Null), &env()).is_empty());
    assert!(WorkflowKind::salvage(&broken(&json!({"run": {"number": 1}})), &env()).is_empty());
}

/// The status cannot be read either: what can be read of it makes the row of the run.
#[test]
fn a_run_is_recorded_from_the_fields_that_can_be_read() {
    let status = json!({
        "phase": "Running",
        "run": {"id": RUN, "number": 3, "seq": 7, "trigger": "Schedule", "revision": "demo-1", "digest": "v1:ab", "params": {"n": 1},
            "startedAt": "2026-01-01T01:00:00Z", "steps": "broken"},
    });
    let Rows { runs, steps, events } = rows(&status);
    let [run] = runs.try_into().unwrap();
    assert_eq!((run.id.as_str(), run.number, run.seq, run.terminal), (RUN, 3, 8, true));
    assert_eq!((run.phase.as_str(), run.reason.as_deref()), ("Cancelled", Some("Poisoned")));
    let object = &run.object;
    assert_eq!((object.namespace.as_str(), object.name.as_str(), object.uid.as_str()), ("lab", "demo", "u"));
    assert_eq!((run.trigger.as_str(), run.revision.as_str(), run.digest.as_str()), ("Schedule", "demo-1", "v1:ab"));
    assert_eq!((&run.params, &run.spec), (&json!({"n": 1}), &json!({"steps": "broken"})));
    assert_eq!(run.started_at.to_string(), "2026-01-01T01:00:00.000Z");
    assert_eq!(run.finished_at.unwrap().to_string(), "2026-01-01T02:00:00.000Z", "it ended when the object did");
    let [event] = events.try_into().unwrap();
    assert_eq!((event.run_id.as_str(), event.transition.as_str(), event.seq), (RUN, "Cancelled", 8));
    assert!(steps.is_empty());
}

#[test]
fn a_run_that_had_ended_keeps_its_end() {
    for phase in ["Succeeded", "Failed", "Cancelled"] {
        let status =
            json!({"phase": phase, "run": {"id": RUN, "finishedAt": "2026-01-01T00:30:00Z", "steps": "broken"}});
        let [run] = rows(&status).runs.try_into().unwrap();
        assert_eq!(run.phase, phase);
        assert_eq!(run.started_at.to_string(), "2026-01-01T00:00:00.000Z", "at the latest when the object was made");
        assert_eq!(run.finished_at.unwrap().to_string(), "2026-01-01T00:30:00.000Z");
    }
}

/// The items of a fan-out: 0 has succeeded, 1 runs, 2 waits for its second attempt, 3 has failed, 4 is in its third attempt,
/// 5 has not begun.
#[test]
fn what_had_not_ended_was_cancelled_and_what_had_failed_has_failed() {
    let end = json!({"attempt": 1, "class": "Application", "reason": "ExitCode", "exitCode": 1, "at": "2026-01-01T01:10:00Z"});
    let status = json!({
        "phase": "Running",
        "run": {"id": RUN, "number": 1, "seq": 7, "trigger": "Created", "revision": "demo-1", "digest": "v1:ab", "generation": 1,
            "startedAt": "2026-01-01T01:00:00Z",
            "steps": [
                {"name": "first", "phase": "Succeeded", "attempt": 1, "since": "2026-01-01T01:00:00Z",
                    "startedAt": "2026-01-01T01:00:00Z", "finishedAt": "2026-01-01T01:05:00Z"},
                {"name": "each", "phase": "Running", "attempt": 1, "since": "2026-01-01T01:05:00Z", "startedAt": "2026-01-01T01:05:00Z",
                    "fanOut": {"count": 6, "started": 5, "open": "1-2,4", "failed": "3",
                        "marks": [{"below": 5, "at": "2026-01-01T01:05:00Z"}],
                        "items": [
                            {"index": 2, "phase": "Waiting", "attempt": 1, "retryAt": "2026-01-01T03:00:00Z", "ended": end},
                            {"index": 3, "phase": "Failed", "attempt": 1, "ended": end, "finishedAt": "2026-01-01T01:10:00Z"},
                            {"index": 4, "phase": "Running", "attempt": 3, "since": "2026-01-01T01:20:00Z"}]}},
                {"name": "alone", "phase": "Running", "attempt": 1, "since": "2026-01-01T01:05:00Z"},
            ]},
    });
    let Rows { runs, steps, .. } = rows(&status);
    let [run] = runs.try_into().unwrap();
    assert_eq!((run.phase.as_str(), run.seq, run.terminal), ("Cancelled", 8, true));
    assert_eq!(run.finished_at.unwrap().to_string(), "2026-01-01T02:00:00.000Z");
    let told: Vec<_> =
        steps.iter().map(|s| (s.step.as_str(), s.item, s.attempt, s.phase.as_str(), s.reason.as_deref())).collect();
    assert_eq!(
        told,
        [
            ("first", 0, 1, "Succeeded", None),
            ("each", 1, 1, "Cancelled", Some("Poisoned")),
            ("each", 2, 1, "Failed", Some("ExitCode")),
            ("each", 3, 1, "Failed", Some("ExitCode")),
            ("each", 4, 3, "Cancelled", Some("Poisoned")),
            ("alone", 0, 1, "Cancelled", Some("Poisoned")),
        ],
        "item 0 was recorded when it succeeded"
    );
    for step in steps.iter().filter(|s| s.phase == "Cancelled") {
        assert!(step.terminal, "nothing of a run that is over goes on");
        assert_eq!(step.finished_at.unwrap().to_string(), "2026-01-01T02:00:00.000Z");
    }
}
