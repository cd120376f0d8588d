//! Steps that run another Workflow.

use super::{at, plan, running, seen, written};
use crate::common::RUN;
use hearth_crds::{
    trigger::{self, Caller},
    workflow::Workflow,
};
use hearth_plan::{Action, Facts, Kind, facts::Peer, workflow::WorkflowKind};
use rstest::rstest;
use serde_json::{Value, json};

/// A Workflow whose step `sub` runs another one.
fn calls(known: &Value) -> Workflow {
    let spec = json!({"steps": [
        {"name": "sub", "workflow": {"ref": "report", "params": {"window": 12}}},
        {"name": "fit", "image": "i:1"},
    ]});
    running(&spec, known)
}

/// One whose run object was asked for a minute after midnight.
fn waits() -> Workflow {
    calls(&json!({"steps": [
        {"name": "sub", "phase": "Running", "attempt": 1, "since": at("00:01:00"), "workflow": "report"},
        {"name": "fit", "phase": "Running", "attempt": 1, "since": at("00:01:00")},
    ]}))
}

fn run_object() -> String {
    let caller = Caller { run: RUN.into(), step: "sub".into(), item: None, attempt: 1 };
    trigger::name("report", "uid-a", &caller.id())
}

/// Facts with the run object in that state.
fn answers(deleting: bool, status: Value) -> Facts {
    let peer = Peer {
        uid: "uid-r".into(),
        controller: Some("uid-a".into()),
        deleting,
        generation: 1,
        spec: json!({"from": {"workflow": "report"}}),
        status,
    };
    Facts { peers: [(run_object(), peer)].into(), ..seen([super::pod("fit", None, 1)]) }
}

/// A status whose run ended like that.
fn over(phase: &str) -> Value {
    json!({"phase": phase, "run": {"id": "r2", "number": 1, "seq": 9, "revision": "r", "digest": "v1:0", "generation": 1,
        "trigger": "Created", "startedAt": at("00:01:00"), "finishedAt": at("00:02:00")}})
}

#[test]
fn the_object_that_asks_for_a_run_says_whose_it_is() {
    let plan = plan(&calls(&json!({})), &seen([]), "00:01:00");
    let posted = plan.actions.iter().find_map(|(action, _)| match action {
        Action::PostObject { object, .. } => Some(&**object),
        _ => None,
    });
    let posted = posted.expect("an object is posted");
    assert_eq!(posted["spec"], json!({"from": {"workflow": "report", "params": {"window": 12}}}));
    assert_eq!(
        posted["metadata"],
        json!({
            "name": run_object(),
            "namespace": "lab",
            "labels": {"hearth.dev/workflow": "demo", "hearth.dev/step": "sub", "hearth.dev/run-id": RUN},
            "annotations": {
                "hearth.dev/trigger-id": format!("{RUN}/sub/-/1"),
                "hearth.dev/trigger-scope": "uid-a",
                "hearth.dev/requested-by": "step sub of Workflow demo",
                "hearth.dev/depth": "1",
            },
            "ownerReferences": posted["metadata"]["ownerReferences"],
        })
    );
    let owner = &posted["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["uid"], &owner["controller"]), (&json!("uid-a"), &json!(true)));
}

#[test]
fn only_the_objects_that_steps_wait_for_are_read() {
    assert_eq!(WorkflowKind::reads(&waits()), [run_object()], "a step with a pod waits for none");
    let again =
        json!({"name": "sub", "phase": "Waiting", "attempt": 1, "retryAt": at("00:05:00"), "workflow": "report"});
    assert!(WorkflowKind::reads(&calls(&json!({"steps": [again]}))).is_empty(), "nor does one between two attempts");
}

/// Who is to blame decides whether another attempt is made.
#[rstest]
#[case::cancelled(false, over("Cancelled"), Some("run r2 of Workflow OBJECT was cancelled"))]
#[case::failed(false, over("Failed"), Some("run r2 of Workflow OBJECT failed"))]
#[case::deleted_as_it_ran(true, over("Cancelled"), None)]
#[case::deleted_before_it_ran(true, json!({}), None)]
fn a_called_run_fails_its_step_unless_somebody_deleted_it(
    #[case] deleting: bool,
    #[case] status: Value,
    #[case] fails: Option<&str>,
) {
    let run = &written(&plan(&waits(), &answers(deleting, status), "00:03:00"))["run"];
    let (step, end) = (&run["steps"][0], &run["steps"][0]["ended"][0]);
    match fails {
        Some(why) => {
            assert_eq!(
                (&step["phase"], &end["class"], &end["reason"]),
                (&json!("Failed"), &json!("Application"), &json!("RunFailed"))
            );
            assert_eq!(run["failure"]["message"], format!("step sub: {}", why.replace("OBJECT", &run_object())));
        }
        None => {
            assert_eq!((&end["class"], &end["reason"]), (&json!("Infrastructure"), &json!("Deleted")));
            assert_eq!(run["failure"], Value::Null, "another attempt follows");
        }
    }
}

#[test]
fn a_called_run_that_never_begins_fails_with_what_its_object_says() {
    let condition = |type_: &str, status: &str, message: &str| json!({"type": type_, "status": status, "reason": "Suspended", "message": message, "lastTransitionTime": at("00:01:00")});
    let suspended = json!({"conditions": [condition("Suspended", "True", "no new step starts"), condition("Ready", "True", "suspended by hand")]});
    let facts = answers(false, suspended);
    assert!(!written(&plan(&waits(), &facts, "00:15:59")).to_string().contains("cannot run"), "it may still begin");
    let written = written(&plan(&waits(), &facts, "00:16:00"));
    let told = format!("step sub: Workflow {} cannot run: suspended by hand", run_object());
    assert_eq!(written["run"]["failure"]["message"], told);
}
