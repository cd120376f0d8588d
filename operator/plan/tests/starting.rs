//! Which steps of a run start, and with what.

use crate::common::{
    RUN, env,
    under_way::{NOW, SEQ, plan, under_way},
};
use hearth_crds::{
    time::Time,
    workflow::{RunPhase, StepPhase},
};
use hearth_plan::{
    Facts, Kind,
    facts::{ContainerFact, PodFact, PodPhase},
    kind::{Accepted, Subject},
    workflow::{WorkflowKind, digest::pod_name},
};
use rstest::rstest;
use serde_json::{Value, json};

#[rstest]
#[case(json!([]), &["a", "b"], &["c", "d"])]
#[case(json!([{"name": "a", "phase": "Running", "attempt": 1, "since": "2026-01-01T00:04:00Z"}]), &["b"], &["c", "d"])]
fn as_many_pods_as_parallelism_allows_work_at_one_time(
    #[case] steps: Value,
    #[case] started: &[&str],
    #[case] waiting: &[&str],
) {
    let spec =
        json!({"image": "i", "parallelism": 2, "steps": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]});
    let name = pod_name("demo", "uid-a", RUN, "a", None, 1);
    let pod = PodFact {
        name: name.clone(),
        owned: true,
        phase: PodPhase::Running,
        container: ContainerFact::Running { at: None },
        ..PodFact::default()
    };
    let facts = Facts { pods: [(name, pod.into())].into(), ..Facts::default() };
    let plan = plan(&under_way(&spec, json!({ "steps": steps })), &facts);
    assert_eq!(plan.intents.iter().map(|i| i.step.as_str()).collect::<Vec<_>>(), started);
    let notes = plan.notes.iter().filter(|n| n.message == "waiting for room within parallelism");
    let steps: Vec<_> = notes.map(|n| n.subject.clone()).collect();
    assert_eq!(steps, waiting.iter().map(|name| Subject::Step((*name).to_owned())).collect::<Vec<_>>());
}

/// It has no pod.
#[test]
fn what_waits_for_a_person_takes_no_room() {
    let spec = json!({"image": "i", "parallelism": 1, "steps": [{"name": "ask", "approval": {"message": "go on?"}}, {"name": "work"}]});
    let asked = json!([{"name": "ask", "phase": "Running", "attempt": 0, "reason": "WaitingForApproval", "since": "2026-01-01T00:04:00Z"}]);
    let plan = plan(&under_way(&spec, json!({ "steps": asked })), &Facts::default());
    assert_eq!(plan.intents.iter().map(|i| i.step.as_str()).collect::<Vec<_>>(), ["work"]);
}

/// Conditions hold for steps of every kind.
#[rstest]
#[case(json!({"image": "i"}))]
#[case(json!({"approval": {"message": "go on?"}}))]
#[case(json!({"workflow": {"ref": "other"}}))]
fn a_step_starts_only_after_the_ends_and_when_it_asks_for(#[case] kind: Value) {
    let of_kind = |conditions: Value| {
        let fields = [kind.clone(), conditions].map(|v| v.as_object().unwrap().clone());
        Value::Object(fields.into_iter().flatten().collect())
    };
    let spec = json!({"params": [{"name": "mode", "default": "slow"}], "steps": [
        {"name": "a", "image": "i"},
        of_kind(json!({"name": "tidy", "after": {"a": ["Failed"]}})),
        of_kind(json!({"name": "race", "needs": ["a"], "when": "${params.mode == 'fast'}"})),
        of_kind(json!({"name": "walk", "needs": ["a"], "when": "${params.mode == 'slow'}"})),
    ]});
    let steps = json!([{"name": "a", "phase": "Succeeded", "attempt": 1}]);
    let run = plan(&under_way(&spec, json!({ "steps": steps })), &Facts::default()).status.unwrap().run.unwrap();
    let found = |name: &str| run.steps.named(name).map(|s| (s.phase, s.reason.map(|r| r.as_str())));
    assert_eq!(found("tidy"), Some((StepPhase::Skipped, Some("OutcomeUnmet"))));
    assert_eq!(found("race"), Some((StepPhase::Skipped, Some("WhenFalse"))));
    assert_eq!(found("walk").map(|(phase, _)| phase), Some(StepPhase::Running));
}

/// What all items wrote is there for the steps that follow, though it was another run that worked on them.
#[test]
fn a_rerun_from_what_failed_takes_over_the_outputs_of_all_items() {
    let spec = json!({"image": "i", "rerun": {"token": "again", "from": "Failed"}, "steps": [
        {"name": "each", "forEach": {"items": ["x", "y"]}, "outputs": [{"name": "n", "type": "integer"}]},
        {"name": "sum", "needs": ["each"], "args": ["${string(size(steps.each.outputs))} ${string(steps.each.outputs[1].n)}"]},
    ]});
    let fan_out = json!({"count": 2, "started": 2, "outputs": {"0": {"n": 3}, "1": {"n": 4}}});
    let mut cr = under_way(
        &spec,
        json!({
            "finishedAt": "2026-01-01T00:04:00Z",
            "steps": [{"name": "each", "phase": "Succeeded", "attempt": 0, "fanOut": fan_out}, {"name": "sum", "phase": "Failed", "attempt": 1}],
        }),
    );
    let status = cr.status.as_mut().unwrap();
    status.phase = Some(RunPhase::Failed);
    let facts = Facts { stored: [(RUN.to_owned(), SEQ)].into(), ..Facts::default() };
    let plan = plan(&cr, &facts);
    let status = plan.status.unwrap();
    let run = status.run.as_ref().unwrap();
    assert_eq!((run.number, run.started_at), (2, Time::from_millis(NOW)));
    assert_eq!(run.steps.named("each").unwrap().reason.map(|r| r.as_str()), Some("Reused"));
    let specs = WorkflowKind::specs(&cr, &facts, &env(), None);
    let starts = WorkflowKind::starts(&cr, &specs, &Accepted::by_server(status), &plan.intents, &env());
    let [start] = &starts[..] else { panic!("{} starts", starts.len()) };
    assert_eq!(start.pod().spec.as_ref().unwrap().containers[0].args, Some(vec!["2 4".to_owned()]));
}

/// Progress alone may wait a moment, an answer to somebody may not.
#[test]
fn what_somebody_asked_for_is_answered_at_once() {
    let running = json!({"name": "a", "phase": "Running", "attempt": 1, "since": "2026-01-01T00:04:59Z"});
    let mut cr = under_way(&json!({"image": "i", "steps": [{"name": "a"}]}), json!({ "steps": [running] }));
    cr.status.as_mut().unwrap().run.as_mut().unwrap().updated_at = Some(Time::from_millis(NOW - 60));
    let name = pod_name("demo", "uid-a", RUN, "a", None, 1);
    let container = ContainerFact::Running { at: Some(Time::from_millis(NOW - 10)) };
    let pod = PodFact { name: name.clone(), owned: true, phase: PodPhase::Running, container, ..PodFact::default() };
    let facts = Facts { pods: [(name, pod.into())].into(), ..Facts::default() };
    assert!(plan(&cr, &facts).status.is_none(), "the container runs");
    let mut seen = cr.clone();
    seen.metadata.generation = Some(2);
    assert_eq!(plan(&seen, &facts).status.unwrap().observed_generation, Some(2));
    let mut suspended = cr.clone();
    suspended.spec.suspend = Some(true);
    assert!(plan(&suspended, &facts).status.is_some());
}
