//! What a pass makes of the pod of an attempt.

use crate::common::pass::{Scene, exited, running};
use hearth_plan::{PodFact, facts::PodPhase};
use rstest::rstest;
use serde_json::{Value, json};

fn one_step() -> Value {
    json!({"steps": [{"name": "fit", "image": "i", "retry": {"limit": 9}}]})
}

/// The step in an attempt that began with the run.
fn fit(attempt: u32, fields: Value) -> Value {
    let mut fit = json!({"name": "fit", "phase": "Running", "attempt": attempt, "since": "2026-01-01T00:00:00Z"});
    fit.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    fit
}

#[test]
fn a_pod_that_is_not_ours_decides_nothing() {
    let stranger = PodFact { owned: false, ..exited(0, "") };
    let seen = Scene::new(one_step(), json!([fit(1, json!({}))])).pod("fit", 1, stranger).pass();
    assert_eq!(seen.step("fit")["phase"], "Running");
    assert!(seen.notes().iter().any(|n| n.contains("the name of our pod is taken")), "{:?}", seen.notes());
}

/// Somebody took its labels and gave them back, so that it seemed to be gone.
#[test]
fn a_pod_that_is_there_again_runs_on() {
    let lost = fit(1, json!({"stop": "PodDeleted"}));
    let seen = Scene::new(one_step(), json!([lost])).pod("fit", 1, running()).pass();
    assert!(!seen.deletes_a_pod());
    assert_eq!((&seen.step("fit")["phase"], &seen.step("fit")["stop"]), (&json!("Running"), &Value::Null));
}

/// What stops a run does not stop the step that follows its end.
#[test]
fn a_pod_on_exit_that_is_there_again_runs_on() {
    let spec = json!({"steps": [{"name": "fit", "image": "i"}], "onExit": {"name": "tell", "image": "i"}});
    let steps = json!([{"name": "fit", "phase": "Cancelled", "attempt": 1, "reason": "Cancelled"},
        {"name": "tell", "phase": "Running", "attempt": 1, "since": "2026-01-01T00:01:00Z", "stop": "PodDeleted"}]);
    let mut scene = Scene::new(spec, steps).pod("tell", 1, running());
    scene.run["stop"] = json!("Cancelled");
    let seen = scene.pass();
    assert!(!seen.deletes_a_pod());
    assert_eq!((&seen.step("tell")["phase"], &seen.step("tell")["stop"]), (&json!("Running"), &Value::Null));
}

/// The log of a container that never ran can't be read, and would only hold up the end.
#[rstest]
#[case("its command ended", exited(1, ""), true)]
#[case("its artifacts could not be fetched", PodFact { fetching: true, ..exited(1, "") }, false)]
#[case("it was evicted before it began", evicted(), false)]
fn only_a_log_that_is_there_is_read(#[case] what: &str, #[case] pod: PodFact, #[case] reads: bool) {
    let seen = Scene::new(one_step(), json!([fit(1, json!({}))])).pod("fit", 1, pod).pass();
    assert_eq!(seen.reads_a_log(), reads, "{what}");
    assert_eq!(seen.step("fit")["phase"] == "Running", reads, "{what}");
}

fn evicted() -> PodFact {
    PodFact { owned: true, phase: PodPhase::Failed, reason: Some("Evicted".into()), ..PodFact::default() }
}

/// Five failures of the infrastructure are free.
#[rstest]
#[case(4, "Waiting")]
#[case(5, "Failed")]
fn infrastructure_that_fails_again_and_again_ends_the_step(#[case] before: u32, #[case] phase: &str) {
    let fit = fit(before + 1, json!({"infrastructure": before}));
    let seen = Scene::new(one_step(), json!([fit])).pod("fit", before + 1, evicted()).pass();
    assert_eq!((&seen.step("fit")["phase"], &seen.step("fit")["infrastructure"]), (&json!(phase), &json!(before + 1)));
}

#[rstest]
#[case(3, &[1, 2, 3, 4])]
#[case(4, &[2, 3, 4, 5])]
fn a_step_lists_its_last_four_attempts(#[case] before: u32, #[case] listed: &[u32]) {
    let ended = |attempt| json!({"attempt": attempt, "class": "Application", "reason": "ExitCode", "at": "2026-01-01T00:00:00Z"});
    let ends: Vec<Value> = (1..=before).map(ended).collect();
    let fit = fit(before + 1, json!({"ended": ends, "infrastructure": before}));
    let seen = Scene::new(one_step(), json!([fit])).pod("fit", before + 1, evicted()).pass();
    let ended = seen.step("fit")["ended"].as_array().unwrap();
    assert_eq!(ended.iter().map(|e| e["attempt"].clone()).collect::<Vec<_>>(), listed);
}

/// Nothing can be created for it any more, so no placeholder can tell. A create that is still under way lands in time.
#[rstest]
#[case(24, "Running")]
#[case(25, "Cancelled")]
fn an_attempt_of_a_deleted_object_that_nobody_saw_is_over_in_the_end(#[case] age: i64, #[case] phase: &str) {
    let mut scene = Scene::new(one_step(), json!([fit(1, json!({}))]));
    scene.metadata = json!({"deletionTimestamp": "2026-01-01T00:00:01Z"});
    scene.age = age;
    let seen = scene.pass();
    assert!(seen.plan.fences.is_empty());
    assert_eq!(seen.step("fit")["phase"], phase);
}

/// Its status knows nothing of approvals: all that it says is that the step is under way and has made no attempt.
#[test]
fn what_waits_for_a_person_is_cancelled_when_the_spec_of_its_run_is_gone() {
    let gate = json!({"name": "gate", "phase": "Running", "attempt": 0, "reason": "WaitingForApproval", "since": "2026-01-01T00:00:00Z"});
    let mut scene =
        Scene::new(json!({"steps": [{"name": "gate", "approval": {"message": "publish?"}}]}), json!([gate]));
    scene.run["revision"] = json!("demo-gone");
    let seen = scene.pass();
    assert_eq!(seen.plan.fences, [], "there is no attempt whose pod may be under way");
    assert_eq!((seen.end("gate"), &seen.status["phase"]), (("Cancelled", "InvalidSpec"), &json!("Failed")));
}
