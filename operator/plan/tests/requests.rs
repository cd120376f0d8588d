//! What is answered to requests, and what a step that waits for approval says.

use crate::common::{
    RUN,
    pass::{Scene, Seen},
};
use rstest::rstest;
use serde_json::{Value, json};

/// A request about a run; of a kind that is about a step, with that step.
fn request(kind: &str, step: Option<&str>, run: &str) -> Value {
    let mut request = json!({"id": "one", "kind": kind, "run": run, "by": "ann", "at": "2026-01-01T00:04:00Z"});
    if let Some(step) = step {
        request["step"] = json!(step);
    }
    request
}

/// How the request was answered.
fn answer(seen: &Seen) -> (&str, &str) {
    let answer = &seen.status["requests"][0]["answer"];
    (answer["result"].as_str().unwrap_or_default(), answer["message"].as_str().unwrap_or_default())
}

fn waiting() -> Value {
    json!({"name": "gate", "phase": "Running", "attempt": 0, "reason": "WaitingForApproval", "since": "2026-01-01T00:01:00Z"})
}

/// A run in which `fit` has succeeded and `gate` waits.
fn asking() -> Scene {
    let gate = json!({"name": "gate", "needs": ["fit"], "approval": {"message": "publish?"}});
    let spec = json!({"steps": [{"name": "fit", "image": "i"}, gate]});
    Scene::new(spec, json!([{"name": "fit", "phase": "Succeeded", "attempt": 1}, waiting()]))
}

/// Also when the run ends with it.
#[test]
fn an_approval_that_was_heeded_is_done() {
    let mut scene = asking();
    scene.status["requests"] = json!([request("Approve", Some("gate"), RUN)]);
    let seen = scene.pass();
    assert_eq!((seen.end("gate"), &seen.status["phase"]), (("Succeeded", "Approved"), &json!("Succeeded")));
    assert_eq!(answer(&seen), ("Done", "the step is approved"));
}

/// A step that succeeded by its own work was not approved by anybody.
#[test]
fn an_approval_of_a_step_that_asks_nobody_is_refused() {
    let mut scene = asking();
    scene.status["requests"] = json!([request("Approve", Some("fit"), RUN)]);
    let seen = scene.pass();
    assert_eq!(answer(&seen), ("Refused", "that step does not wait for approval"));
    assert_eq!(seen.end("gate").0, "Running");
}

#[rstest]
#[case("Cancel", None)]
#[case("Approve", Some("gate"))]
fn what_is_asked_of_a_run_that_is_over_is_refused(#[case] kind: &str, #[case] step: Option<&str>) {
    let mut scene = asking();
    scene.run["finishedAt"] = json!("2026-01-01T00:03:00Z");
    scene.run["steps"][1] = json!({"name": "gate", "phase": "Succeeded", "attempt": 0, "reason": "Approved"});
    scene.status = json!({"phase": "Succeeded", "requests": [request(kind, step, RUN)]});
    assert_eq!(answer(&scene.pass()), ("Refused", "that run is not under way"));
}

/// An entry of spec.approve that is for another run of this step is named, since its author thinks that it counts.
#[rstest]
#[case("gate", true)]
#[case("other", false)]
fn an_approval_for_another_run_is_named_where_it_was_meant(#[case] step: &str, #[case] named: bool) {
    let mut scene = asking();
    scene.spec["approve"] = json!([{"step": step, "run": "an-earlier-run"}]);
    let seen = scene.pass();
    let notes = seen.notes();
    assert!(notes.iter().any(|n| n.contains("publish?")), "{notes:?}");
    assert_eq!(notes.iter().any(|n| n.contains("the entry for run an-earlier-run is ignored")), named, "{notes:?}");
}
