//! Runs of so many steps that their status cannot list them all by name.

use crate::common::{
    RUN,
    under_way::{NOW, SEQ, plan, under_way},
};
use hearth_crds::{
    label,
    time::Time,
    workflow::{Run, WorkflowStatus},
};
use hearth_plan::{
    Action, Facts, Plan,
    facts::{ContainerFact, PodFact, PodPhase},
    kind::Subject,
    workflow::digest::pod_name,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn name(place: usize) -> String {
    format!("step-{place:03}")
}

/// That many steps, of which the last needs the first.
fn spec(count: usize) -> Value {
    let mut steps: Vec<Value> = (0..count).map(|place| json!({"name": name(place)})).collect();
    steps[count - 1]["needs"] = json!([name(0)]);
    json!({"image": "i", "parallelism": 1000, "steps": steps})
}

fn running(place: usize) -> Value {
    let at = "2026-01-01T00:01:00Z";
    json!({"name": name(place), "phase": "Running", "attempt": 1, "since": at, "startedAt": at})
}

fn succeeded(place: usize) -> Value {
    let (begin, end) = ("2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z");
    json!({"name": name(place), "phase": "Succeeded", "attempt": 1, "since": begin, "startedAt": begin, "finishedAt": end})
}

/// It was not run, since its work had been done before.
fn hit(place: usize) -> Value {
    let at = "2026-01-01T00:02:00Z";
    let cache =
        json!({"found": "Hit", "run": "01890a5d-ac96-774b-bcce-b302099a8000", "step": name(place), "finishedAt": at});
    json!({"name": name(place), "phase": "Succeeded", "attempt": 0, "finishedAt": at, "reason": "Cached", "cache": cache})
}

/// The pod of a step: it works, or has ended with that exit code.
fn pod(place: usize, end: Option<i32>) -> (String, Arc<PodFact>) {
    let pod_name = pod_name("demo", "uid-a", RUN, &name(place), None, 1);
    let at = Some(Time::from_millis(NOW - 1000));
    let (phase, container) = match end {
        None => (PodPhase::Running, ContainerFact::Running { at }),
        Some(exit_code) => {
            let phase = if exit_code == 0 { PodPhase::Succeeded } else { PodPhase::Failed };
            let (reason, message) = (String::new(), String::new());
            (phase, ContainerFact::Ended { exit_code, reason, message, started_at: at, finished_at: at })
        }
    };
    let labels = [(label::RUN, RUN), (label::ROLE, label::ROLE_ATTEMPT), (label::STEP, &name(place))];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let fact = PodFact {
        name: pod_name.clone(),
        uid: name(place),
        owned: true,
        labels,
        phase,
        container,
        ..PodFact::default()
    };
    (pod_name, fact.into())
}

fn started(plan: &Plan<WorkflowStatus>) -> Vec<&str> {
    plan.intents.iter().map(|i| i.step.as_str()).collect()
}

fn told(plan: &Plan<WorkflowStatus>, place: usize) -> Vec<&str> {
    let of_step = plan.notes.iter().filter(|n| n.subject == Subject::Step(name(place)));
    of_step.map(|n| n.message.as_str()).collect()
}

#[test]
fn at_most_128_steps_of_so_large_a_run_are_under_way() {
    let facts = Facts { store_up: true, ..Facts::default() };
    let plan = plan(&under_way(&spec(140), json!({})), &facts);
    assert_eq!(started(&plan), (0..128).map(name).collect::<Vec<_>>());
    assert_eq!(told(&plan, 128), ["at most 128 steps of so large a run are under way at one time"]);
}

/// The row of a step that was taken over comes from its status alone, so that it is listed until that is recorded. Nobody
/// waits for a store that is away.
#[rstest]
#[case::nothing_is_recorded(true, None, false)]
#[case::an_earlier_status_is_recorded(true, Some(SEQ - 1), false)]
#[case::it_is_recorded(true, Some(SEQ), true)]
#[case::the_store_is_away(false, None, true)]
fn steps_start_when_those_that_were_taken_over_are_recorded(
    #[case] store_up: bool,
    #[case] recorded: Option<i64>,
    #[case] starts: bool,
) {
    let steps: Vec<Value> = (0..128).map(hit).collect();
    let recorded = recorded.map(|seq| (RUN.to_owned(), seq)).into_iter().collect();
    let facts = Facts { store_up, recorded, ..Facts::default() };
    let plan = plan(&under_way(&spec(129), json!({ "steps": steps })), &facts);
    if starts {
        assert_eq!(started(&plan), [name(128)]);
    } else {
        assert_eq!(started(&plan), [""; 0]);
        assert_eq!(told(&plan, 128), ["waiting until the record of what was taken over is stored"]);
    }
}

/// Names of the steps that the status lists, and places of the others that are over.
fn listed(run: &Run) -> (Vec<&str>, Vec<String>) {
    let places = run.over.iter().map(|group| serde_json::to_value(&group.places).unwrap().as_str().unwrap().to_owned());
    (run.steps.iter().map(|s| s.name.as_str()).collect(), places.collect())
}

/// Rows hold the times, which are not told by place.
#[rstest]
#[case::nothing_is_recorded(None, &["step-000", "step-001", "step-128"], "2-127")]
#[case::an_earlier_status_is_recorded(Some(SEQ - 1), &["step-000", "step-001", "step-128"], "2-127")]
#[case::it_is_recorded(Some(SEQ), &["step-001", "step-128"], "0,2-127")]
fn steps_are_told_by_place_once_their_rows_are_stored(
    #[case] recorded: Option<i64>,
    #[case] names: &[&str],
    #[case] places: &str,
) {
    let over = json!([{"phase": "Succeeded", "attempt": 1, "places": "2-127"}]);
    let cr = under_way(&spec(129), json!({"steps": [succeeded(0), running(1), running(128)], "over": over}));
    let recorded = recorded.map(|seq| (RUN.to_owned(), seq)).into_iter().collect();
    let facts = Facts { pods: [pod(1, Some(0)), pod(128, None)].into(), recorded, ..Facts::default() };
    let run = plan(&cr, &facts).status.unwrap().run.unwrap();
    assert_eq!(listed(&run), (names.to_vec(), vec![places.to_owned()]));
}

/// All that is lost of them are their times; but the row of a step that was taken over comes from its status alone.
#[test]
fn a_status_stays_short_while_the_store_is_away() {
    let steps: Vec<Value> = [hit(0)].into_iter().chain((1..499).map(succeeded)).chain([running(499)]).collect();
    let cr = under_way(&spec(501), json!({ "steps": steps }));
    assert!(serde_json::to_vec(&cr.status).unwrap().len() > 60 * 1024, "the story is told of a long status");
    let facts = Facts { pods: [pod(499, None)].into(), ..Facts::default() };
    let status = plan(&cr, &facts).status.unwrap();
    assert!(serde_json::to_vec(&status).unwrap().len() < 60 * 1024);
    assert_eq!(listed(&status.run.unwrap()).0, ["step-000", "step-499", "step-500"], "the hit, and what is under way");
}

/// History has every attempt; a status tells only the last ones, and none when they have no room.
#[test]
fn a_status_stays_short_whatever_failed() {
    let ends: Vec<Value> = (1..=4)
        .map(|attempt| json!({"attempt": attempt, "class": "Application", "reason": "ExitCode", "exitCode": 1, "node": "node-1", "at": "2026-01-01T00:02:00Z"}))
        .collect();
    let failed = |place: usize| {
        let mut step = succeeded(place);
        step["phase"] = json!("Failed");
        step["ended"] = json!(ends);
        step
    };
    let steps: Vec<Value> = (0..126).map(failed).chain([running(126)]).collect();
    let cr = under_way(&spec(128), json!({ "steps": steps }));
    assert!(serde_json::to_vec(&cr.status).unwrap().len() > 60 * 1024, "the story is told of a long status");
    let facts = Facts { pods: [pod(126, None)].into(), ..Facts::default() };
    let status = plan(&cr, &facts).status.unwrap();
    assert!(serde_json::to_vec(&status).unwrap().len() < 60 * 1024);
    let steps = &status.run.as_ref().unwrap().steps;
    assert!((0..126).all(|place| steps[place].ended.iter().map(|e| e.attempt).eq([4])), "the last end is told");
}

/// The first step has ended, so that the last may begin; the others are over. The status was written so long ago.
fn crowded(count: usize, millis: i64) -> Plan<WorkflowStatus> {
    let steps: Vec<Value> = [running(0)].into_iter().chain((1..count - 1).map(succeeded)).collect();
    let mut cr = under_way(&spec(count), json!({ "steps": steps }));
    cr.status.as_mut().unwrap().run.as_mut().unwrap().updated_at = Some(Time::from_millis(NOW - millis));
    plan(&cr, &Facts { pods: [pod(0, Some(0))].into(), ..Facts::default() })
}

#[test]
fn the_status_of_a_large_run_is_written_ten_times_a_second_at_most() {
    let plan = crowded(129, 60);
    assert_eq!((started(&plan), &plan.status, plan.requeue), (vec![], &None, Some(Duration::from_millis(40))));
    for (count, millis) in [(129, 100), (128, 60)] {
        let plan = crowded(count, millis);
        assert_eq!(started(&plan), [name(count - 1)], "{count} steps, written {millis} ms ago");
        assert!(plan.status.is_some());
    }
}

/// What rests on the status that is not written yet waits with it; reading does not, nor the deletion of what is recorded.
#[test]
fn a_write_that_waits_holds_up_no_reading_and_no_cleaning() {
    let steps: Vec<Value> = (0..3).map(running).chain((3..250).map(succeeded)).collect();
    let mut cr = under_way(&spec(251), json!({ "steps": steps }));
    cr.status.as_mut().unwrap().run.as_mut().unwrap().updated_at = Some(Time::from_millis(NOW - 60));
    let mut pods = vec![pod(0, Some(0)), pod(1, Some(1)), pod(2, None)];
    // Somebody took its labels away: they are given back when there is time.
    Arc::make_mut(&mut pods[2].1).labels.clear();
    pods.extend((3..250).map(|place| pod(place, Some(0))));
    let recorded = [(RUN.to_owned(), SEQ)].into();
    let plan = plan(&cr, &Facts { pods: pods.into_iter().collect(), recorded, store_up: true, ..Facts::default() });
    assert_eq!((started(&plan), &plan.status), (vec![], &None));
    let read =
        plan.actions.iter().filter(|(a, _)| matches!(a, Action::ReadLog { name } if *name == pod(1, None).0)).count();
    let cleaned = plan.actions.iter().filter(|(a, _)| matches!(a, Action::DeleteRunPods(_))).count();
    assert_eq!((read, cleaned, plan.actions.len()), (1, 1, 2), "{:?}", plan.actions);
}
