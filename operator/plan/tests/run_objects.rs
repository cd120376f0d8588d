//! Objects that ask for one run of another Workflow: when they run, and when they go.

use crate::common::{RUN, ended_pod, env_with_artifacts, plan, with_log};
use hearth_crds::{
    trigger::{Caller, annotations, name},
    workflow::WorkflowStatus,
};
use hearth_plan::{Action, Facts, Plan, facts::Peer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Whose step asks for the run.
const PARENT: &str = "parent-uid";

/// An object that asks for a run of `inner`.
fn object(scope: &str, id: &str) -> Value {
    json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name("inner", scope, id), "namespace": "lab", "uid": "u", "generation": 1,
            "finalizers": ["hearth.dev/record"], "annotations": annotations(scope, id, "ada")},
        "spec": {"from": {"workflow": "inner"}},
    })
}

fn inner() -> (String, Peer) {
    let spec = json!({"runPolicy": "Manual", "steps": [{"name": "a", "image": "example.org/a:1"}]});
    ("inner".to_owned(), Peer { uid: "inner-uid".into(), generation: 1, spec, ..Peer::default() })
}

fn deletes_itself(plan: &Plan<WorkflowStatus>) -> bool {
    plan.actions.iter().any(|(action, _)| *action == Action::DeleteObject { uid: "u".into() })
}

/// What becomes of an object that a step asked for.
#[derive(Debug, PartialEq)]
enum Fate {
    /// Its step starts.
    Runs,
    /// It starts no step for now.
    Waits,
    /// Nobody waits for it.
    Goes,
}

/// What becomes of the object that the second attempt of step `sub`, or of an item of it, made, while its Workflow is so.
fn fate(item: Option<u32>, parent: Peer) -> Fate {
    let caller = Caller { run: RUN.into(), step: "sub".into(), item, attempt: 2 };
    let mut object = object(PARENT, &caller.id());
    let owner = |controller: bool, name: &str, uid: &str| json!({"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "controller": controller, "name": name, "uid": uid});
    // Others may have a share in it.
    object["metadata"]["ownerReferences"] =
        json!([owner(false, "friend", "friend-uid"), owner(true, "parent", PARENT)]);
    let peers: BTreeMap<String, Peer> = [inner(), ("parent".to_owned(), parent)].into();
    let facts = Facts { peers, store_up: true, ..Facts::default() };
    let plan = plan(&object, &facts, &env_with_artifacts(), "2026-01-01T00:00:00Z");
    if deletes_itself(&plan) {
        Fate::Goes
    } else if plan.intents.is_empty() {
        Fate::Waits
    } else {
        Fate::Runs
    }
}

/// The Workflow whose step waits, with one thing changed in its status.
fn parent(step: &Value, pointer: &str, value: Value) -> Peer {
    let mut status = json!({"phase": "Running", "run": {
        "id": RUN, "number": 1, "seq": 3, "revision": "r", "digest": "v1:0", "generation": 1, "trigger": "Created",
        "startedAt": "2026-01-01T00:00:00Z", "steps": [step]}});
    let (at, field) = pointer.rsplit_once('/').unwrap();
    status.pointer_mut(at).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
    Peer { uid: PARENT.into(), generation: 1, spec: json!({"steps": []}), status, ..Peer::default() }
}

#[test]
fn an_object_runs_while_its_attempt_waits_for_it() {
    let step = json!({"name": "sub", "phase": "Running", "attempt": 2, "since": "2026-01-01T00:00:00Z"});
    let of = |pointer: &str, value: Value| fate(None, parent(&step, pointer, value));
    assert_eq!(of("/phase", json!("Running")), Fate::Runs);
    for (pointer, value) in [
        ("/run/id", json!("another")),
        ("/run/finishedAt", json!("2026-01-01T00:00:00Z")),
        ("/run/steps/0/name", json!("other")),
        ("/run/steps/0/phase", json!("Failed")),
        ("/run/steps/0/attempt", json!(3)),
        ("/run/steps/0/stop", json!("Cancelled")),
        ("/run/steps/0/fanOut", json!({"count": 1, "started": 1, "open": "0"})),
        ("/run", Value::Null),
        ("/run", json!("odd")),
    ] {
        assert_eq!(of(pointer, value.clone()), Fate::Goes, "{pointer}: {value}");
    }
    let whole = parent(&step, "/phase", json!("Running"));
    assert_eq!(fate(None, Peer { uid: "made again".into(), ..whole.clone() }), Fate::Goes);
    assert_eq!(fate(Some(0), whole), Fate::Goes, "the step has no items");
}

#[test]
fn an_object_runs_while_its_item_waits_for_it() {
    let item = |attempt| json!({"index": 3, "phase": "Running", "attempt": attempt});
    let step = json!({"name": "sub", "phase": "Running", "attempt": 1, "since": "2026-01-01T00:00:00Z",
        "fanOut": {"count": 9, "started": 6, "open": "3-4", "items": [item(2)]}});
    let of = |index, pointer: &str, value: Value| fate(Some(index), parent(&step, pointer, value));
    assert_eq!(of(3, "/phase", json!("Running")), Fate::Runs);
    assert_eq!(of(3, "/run/steps/0/fanOut/items", json!([item(3)])), Fate::Goes, "its next attempt runs");
    assert_eq!(of(4, "/phase", json!("Running")), Fate::Goes, "its first attempt runs");
    assert_eq!(of(2, "/phase", json!("Running")), Fate::Goes, "it is over");
    assert_eq!(of(7, "/phase", json!("Running")), Fate::Goes, "it has not begun");
}

#[test]
fn nothing_starts_for_a_workflow_that_is_suspended() {
    let step = json!({"name": "sub", "phase": "Running", "attempt": 2, "since": "2026-01-01T00:00:00Z"});
    let asked = json!({"by": "ada", "at": "2026-01-01T00:00:00Z"});
    let plain = parent(&step, "/phase", json!("Running"));
    let by_request = parent(&step, "/suspension", asked);
    let by_spec = |suspend: bool| json!({"steps": [], "suspend": suspend});
    assert_eq!(fate(None, Peer { spec: by_spec(true), ..plain.clone() }), Fate::Waits);
    assert_eq!(fate(None, Peer { spec: by_spec(false), ..plain }), Fate::Runs);
    assert_eq!(fate(None, by_request), Fate::Waits);
}

#[test]
fn an_object_goes_an_hour_after_its_record_is_stored_but_not_before_its_whole_logs_are() {
    let mut object = object("inner-uid", "1");
    object["status"] = json!({
        "observedGeneration": 1, "phase": "Succeeded",
        "conditions": [{"type": "HistoryStored", "status": "True", "reason": "Stored", "message": "", "lastTransitionTime": "2026-01-01T01:00:00Z"}],
        "run": {"id": RUN, "number": 1, "seq": 3, "revision": "", "digest": "", "generation": 1, "trigger": "Requested",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:59:00Z",
            "steps": [{"name": "a", "phase": "Succeeded", "attempt": 1}]},
    });
    let pod = with_log(ended_pod(object["metadata"]["name"].as_str().unwrap(), "a", None));
    let plain = Facts { peers: [inner()].into(), store_up: true, ..Facts::default() };
    let waiting = Facts { pods: [(pod.name.clone(), pod.clone().into())].into(), ..plain.clone() };
    let kept = Facts { kept_logs: [pod.name].into(), ..waiting.clone() };
    for (now, what, facts, goes) in [
        ("2026-01-01T01:59:59Z", "before its time", &plain, false),
        ("2026-01-01T02:00:00Z", "at its time", &plain, true),
        ("2026-01-01T02:00:00Z", "with a log that is still to be stored", &waiting, false),
        ("2026-01-01T03:00:00Z", "with a log that is still to be stored", &waiting, false),
        ("2026-01-01T03:00:00Z", "with a log that is stored", &kept, true),
    ] {
        let plan = plan(&object, facts, &env_with_artifacts(), now);
        assert_eq!(deletes_itself(&plan), goes, "{now}, {what}");
        assert!(goes || facts == &waiting || plan.requeue.is_some(), "it looks again");
    }
}

#[test]
fn a_run_says_who_asked_for_it() {
    let object = object("inner-uid", "1");
    let by = |object: &Value| {
        let facts = Facts { peers: [inner()].into(), store_up: true, ..Facts::default() };
        let plan = plan(object, &facts, &env_with_artifacts(), "2026-01-01T00:00:00Z");
        plan.status.unwrap().run.unwrap().requested_by
    };
    assert_eq!(by(&object), Some("ada".to_owned()));
    let mut own = object.clone();
    own["spec"] = inner().1.spec;
    own["spec"]["runPolicy"] = json!("OnChange");
    assert_eq!(by(&own), None, "annotations of an object that asks for no run say nothing");
}
