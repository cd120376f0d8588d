//! Objects that do not decode any more: they are parked, and recorded from what can be read when they go.

use crate::common::{RUN, env, under_way::NOW};
use hearth_crds::time::Time;
use hearth_plan::{
    Kind, Record,
    kind::Env,
    record::{EventRow, RunRow},
    workflow::WorkflowKind,
};
use serde_json::{Value, json};

/// The rows of the run and of its end.
fn salvaged(status: &Value) -> Option<(RunRow, EventRow)> {
    let raw = json!({
        "metadata": {"name": "demo", "namespace": "lab", "uid": "uid-a", "deletionTimestamp": "2026-01-01T00:05:00Z"},
        "spec": {"steps": "none"}, "status": status,
    });
    let env = Env { namespace_uids: [("lab".to_owned(), "ns-uid".to_owned())].into(), ..env() };
    let mut records = WorkflowKind::salvage(&raw, &env).into_iter();
    let (run, event) = (records.next()?, records.next()?);
    assert_eq!(records.next(), None);
    match (run, event) {
        (Record::Run(run), Record::Event(event)) => Some((*run, event)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_is_recorded_though_neither_its_spec_nor_its_status_can_be_read() {
    let run = json!({"id": RUN, "number": 3, "seq": 4, "trigger": "Rerun", "startedAt": "2026-01-01T00:00:00Z", "steps": "none"});
    let (row, end) = salvaged(&json!({"phase": "Running", "run": run})).unwrap();
    assert_eq!((row.id.as_str(), row.number, row.seq, row.terminal), (RUN, 3, 5, true));
    assert_eq!(
        (row.phase.as_str(), row.reason.as_deref(), row.trigger.as_str()),
        ("Cancelled", Some("Poisoned"), "Rerun")
    );
    assert_eq!(
        (row.object.name.as_str(), row.object.uid.as_str(), row.namespace_uid.as_str()),
        ("demo", "uid-a", "ns-uid")
    );
    let ended = Time::from_millis(NOW);
    assert_eq!((row.finished_at, row.spec), (Some(ended), json!({"steps": "none"})));
    assert_eq!((end.run_id.as_str(), end.transition.as_str(), end.seq, end.at), (RUN, "Cancelled", 5, ended));
    assert_eq!(salvaged(&json!({"phase": "Pending"})), None, "it never had a run");
}

/// `TYPE=STATUS since TIME` of each condition of the parked object.
fn parked(conditions: &Value) -> Vec<String> {
    let now = Time::from_millis(NOW);
    let status = json!({"phase": "Running", "conditions": conditions});
    let status = WorkflowKind::poisoned(Some(&status), Some(2), "the stored object does not decode", now);
    assert_eq!((&status["phase"], &status["observedGeneration"]), (&json!("Running"), &json!(2)));
    let told = |c: &Value| [&c["type"], &c["status"], &c["lastTransitionTime"]].map(|v| v.as_str().unwrap().to_owned());
    let conditions = status["conditions"].as_array().unwrap().iter().map(told);
    conditions.map(|[kind, status, at]| format!("{kind}={status} since {at}")).collect()
}

#[test]
fn a_parked_object_says_since_when_it_is_stalled() {
    let condition = |kind: &str, status: &str, at: &str| json!({"type": kind, "status": status, "reason": "Poisoned", "message": "", "lastTransitionTime": at});
    let now = "2026-01-01T00:05:00.000Z";
    let (one, other) = ("2026-01-01T00:01:00.000Z", "2026-01-01T00:02:00.000Z");
    assert_eq!(
        parked(&json!([condition("Ready", "False", one), condition("Stalled", "True", other)])),
        [format!("Ready=False since {one}"), format!("Stalled=True since {other}")],
        "as it was"
    );
    assert_eq!(
        parked(&json!([
            condition("Suspended", "True", other),
            condition("Ready", "True", one),
            condition("Reconciling", "True", one)
        ])),
        [
            format!("Suspended=True since {other}"),
            format!("Ready=False since {now}"),
            format!("Stalled=True since {now}")
        ],
        "what is not of it stays, and what changed changed now"
    );
}
