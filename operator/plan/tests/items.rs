//! Fan-outs: how long their lists may be, and when their items began.

use crate::common::scene::{Scene, before};
use hearth_crds::{
    condition::Reason,
    workflow::{FanOut, RunPhase, StepPhase, StepStatus},
};
use hearth_plan::{
    Record,
    facts::{ContainerFact, PodPhase},
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const MAX_ITEMS: usize = 10_000;
const MAX_ITEM: usize = 4096;

/// Text that is so many bytes long as JSON.
fn text(bytes: usize) -> Value {
    json!("x".repeat(bytes - 2))
}

#[rstest]
#[case::as_many_as_may_be(json!(vec![0; MAX_ITEMS]), Ok(MAX_ITEMS))]
#[case::one_too_many(json!(vec![0; MAX_ITEMS + 1]), Err("${steps.list.outputs.all}: the length of a list is over the limit of 10000"))]
#[case::as_long_as_may_be(json!([0, text(MAX_ITEM)]), Ok(2))]
#[case::too_long(json!([0, text(MAX_ITEM + 1)]), Err("item 1 of forEach is longer than 4096 bytes: pass a name, not the data"))]
fn a_list_that_a_step_wrote_has_limits(#[case] list: Value, #[case] expected: Result<usize, &str>) {
    let spec = json!({"steps": [
        {"name": "list", "image": "i", "outputs": [{"name": "all", "type": "array"}]},
        {"name": "each", "image": "i", "needs": ["list"], "forEach": {"expression": "${steps.list.outputs.all}"}},
    ]});
    let done = json!({"name": "list", "phase": "Succeeded", "attempt": 1, "outputs": {"all": list}});
    let status = Scene::new(spec, json!([done])).plan().status.unwrap();
    let run = status.run.unwrap();
    let each = run.steps.named("each").unwrap();
    match expected {
        Ok(count) => assert_eq!(each.fan_out.as_ref().unwrap().count as usize, count),
        Err(why) => {
            assert_eq!((each.phase, status.phase), (StepPhase::Failed, Some(RunPhase::Failed)));
            assert_eq!(run.failure.unwrap().message, format!("step each: {why}"));
        }
    }
}

#[rstest]
#[case::as_long_as_may_be(MAX_ITEM, None)]
#[case::too_long(
    MAX_ITEM + 1,
    Some("spec.steps[each].forEach.items[1]: is longer than 4096 bytes of JSON: pass a name, not the data")
)]
fn a_list_of_the_spec_has_limits(#[case] bytes: usize, #[case] wrong: Option<&str>) {
    let spec = json!({"steps": [{"name": "each", "image": "i", "forEach": {"items": [0, text(bytes)]}}]});
    let checked = &Scene::new(spec, json!([])).specs().current.checked;
    assert_eq!(checked.as_ref().err().map(ToString::to_string).as_deref(), wrong);
}

/// Items start in their order, so the moves of one mark tell when each began.
#[test]
fn items_began_when_the_mark_passed_them() {
    let (first, second, third, last) = (before(120_000), before(90_000), before(60_000), before(6_000));
    let marks = json!([{"below": 2, "at": first}, {"below": 4, "at": second}, {"below": 5, "at": third}]);
    let fan = json!({"count": 5, "started": 5, "open": "0-3", "marks": marks});
    let each = json!({"name": "each", "phase": "Running", "attempt": 0, "startedAt": first, "fanOut": fan});
    let spec = json!({"steps": [{"name": "each", "image": "i", "forEach": {"items": [0, 1, 2, 3, 4]}}]});
    let scene = Scene::new(spec, json!([each])).with(|s| {
        // Nothing says when the container ended: the status that says so first is from then.
        s.succeeded("each", Some(4), &json!({}));
        s.facts.pods.values_mut().for_each(|pod| Arc::make_mut(pod).container = ContainerFact::None);
    });
    let rows = scene.records().into_iter().filter_map(|record| match record {
        Record::Step(row) => Some((row.item, row.started_at, row.finished_at)),
        Record::Event(_) | Record::Run(_) | Record::Lineage(_) => None,
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            (0, Some(first), None),
            (1, Some(first), None),
            (2, Some(second), None),
            (3, Some(second), None),
            // Marks of what is over are merged with later ones: its own time is not known any more.
            (4, None, Some(last)),
        ]
    );
}

/// A fan-out over so many items, of which so many may run at once, as it is listed.
fn each(items: usize, at_once: usize, fan: Value) -> Scene {
    let list: Vec<usize> = (0..items).collect();
    let spec = json!({"steps": [{"name": "each", "image": "i", "retry": {"limit": 2},
        "forEach": {"items": list, "maxParallel": at_once}}]});
    let mut listed = json!({"name": "each", "phase": "Running", "attempt": 0, "startedAt": before(200_000), "since": before(200_000)});
    listed["fanOut"] = json!({"count": items});
    listed["fanOut"].as_object_mut().unwrap().extend(fan.as_object().unwrap().clone());
    Scene::new(spec, json!([listed]))
}

/// The step after a pass, its fan-out, and whether it is said to wait for room.
fn after(scene: &Scene) -> (StepStatus, FanOut, bool) {
    let plan = scene.plan();
    let step = scene.step(&plan, "each").unwrap();
    let fan = *step.fan_out.clone().unwrap();
    (step, fan, plan.notes.iter().any(|note| note.message.contains("room within parallelism")))
}

fn marks(fan: &FanOut) -> Vec<u32> {
    fan.marks.iter().map(|m| m.below).collect()
}

#[test]
fn a_fan_out_begins_with_as_many_items_as_there_is_room_for() {
    let begun = |at_once: usize| {
        let spec =
            json!({"steps": [{"name": "each", "image": "i", "forEach": {"items": [0, 1, 2], "maxParallel": at_once}}]});
        after(&Scene::new(spec, json!([])))
    };
    let (step, fan, waits) = begun(2);
    assert_eq!((step.since, step.started_at, step.finished_at), (Some(before(0)), Some(before(0)), None));
    assert_eq!((fan.started, fan.open.to_string().as_str(), marks(&fan)), (2, "0-1", vec![2]));
    assert_eq!(fan.marks[0].at, before(0));
    assert!(!waits);
    assert_eq!(begun(3).1.started, 3);
}

#[rstest]
#[case::for_room(3, 1, true)]
#[case::for_nothing(1, 1, false)]
fn a_fan_out_says_what_it_waits_for(#[case] items: usize, #[case] at_once: usize, #[case] says: bool) {
    let scene = each(items, at_once, json!({"started": 1, "open": "0"}));
    assert_eq!(after(&scene.with(|s| s.posted("each", Some(0)))).2, says);
}

#[rstest]
#[case::there_is_room(15, (1..=16).collect())]
#[case::the_oldest_goes(16, (2..=17).collect())]
fn sixteen_moves_of_the_mark_are_told_apart(#[case] moves: u32, #[case] kept: Vec<u32>) {
    let listed: Vec<Value> = (1..=moves).map(|below| json!({"below": below, "at": before(100_000)})).collect();
    let scene = each(40, 2, json!({"started": moves, "open": "0", "marks": listed}));
    let (_, fan, _) = after(&scene.with(|s| s.posted("each", Some(0))));
    assert_eq!((fan.started, marks(&fan)), (moves + 1, kept));
}

#[test]
fn marks_of_items_that_are_over_go() {
    let at = before(100_000);
    let listed = json!([{"below": 2, "at": at}, {"below": 4, "at": at}]);
    let scene = each(4, 4, json!({"started": 4, "open": "2-3", "marks": listed}));
    let (_, fan, _) = after(&scene.with(|s| {
        s.posted("each", Some(3));
        s.succeeded("each", Some(2), &json!({}));
    }));
    assert_eq!((fan.open.to_string().as_str(), marks(&fan)), ("3", vec![4]));
    let scene = each(4, 4, json!({"started": 4, "open": "2-3", "marks": listed}));
    let (_, fan, _) = after(&scene.with(|s| {
        s.posted("each", Some(2));
        s.succeeded("each", Some(3), &json!({}));
    }));
    assert_eq!((fan.open.to_string().as_str(), marks(&fan)), ("2", vec![4]), "the first mark is of items before it");
}

#[test]
fn what_waits_for_its_next_attempt_is_cancelled_with_its_step() {
    let waiting = json!([{"index": 0, "phase": "Waiting", "attempt": 1, "retryAt": before(-60_000)}]);
    let mut scene = each(5, 1, json!({"started": 2, "open": "0", "items": waiting}));
    scene.run["steps"][0]["stop"] = json!("TimedOut");
    let (step, fan, _) = after(&scene);
    assert_eq!((step.phase, fan.cancelled.to_string().as_str()), (StepPhase::Cancelled, "0"));
    assert_eq!(fan.started, 2, "no other item begins");
}

#[test]
fn an_item_is_listed_with_what_stops_it_alone() {
    let listed = json!([{"index": 0, "phase": "Running", "attempt": 1, "stop": "TimedOut"}]);
    let scene = each(2, 2, json!({"started": 2, "open": "0-1", "items": listed}));
    let (_, fan, _) = after(&scene.with(|s| {
        s.posted("each", Some(0));
        s.succeeded("each", Some(1), &json!({}));
    }));
    assert_eq!(fan.items.iter().map(|i| (i.index, i.stop)).collect::<Vec<_>>(), [(0, Some(Reason::TimedOut))]);
}

#[rstest]
#[case::none_failed("Waiting", 21)]
#[case::as_many_as_are_listed("Failed", 20)]
fn twenty_failed_items_are_listed(#[case] others: &str, #[case] listed: usize) {
    let known: Vec<Value> = (0..20)
        .map(|i| json!({"index": i, "phase": others, "attempt": 3, "reason": "StepFailed", "retryAt": (others == "Waiting").then(|| before(-60_000))}))
        .collect();
    let failed = others == "Failed";
    let open = if failed { "20" } else { "0-20" };
    let mut fan = json!({"started": 21, "open": open, "items": known});
    if failed {
        fan["failed"] = json!("0-19");
    }
    let scene = each(21, 30, fan).with(|s| {
        s.spec["steps"][0]["retry"] = json!({"limit": 0});
        s.succeeded("each", Some(20), &json!({}));
        s.facts.pods.values_mut().map(Arc::make_mut).for_each(|pod| {
            pod.phase = PodPhase::Failed;
            if let ContainerFact::Ended { exit_code, .. } = &mut pod.container {
                *exit_code = 1;
            }
        });
        s.facts.logs = s.facts.pods.keys().map(|name| (name.clone(), Ok(String::new()))).collect();
    });
    let (_, fan, _) = after(&scene);
    assert!(fan.failed.contains(20), "{fan:?}");
    assert_eq!(fan.items.len(), listed);
}

#[test]
fn an_item_that_is_due_starts_and_asks_for_no_other_pass() {
    let waiting = json!([{"index": 0, "phase": "Waiting", "attempt": 1, "retryAt": before(0)}]);
    let scene = each(1, 1, json!({"started": 1, "open": "0", "items": waiting}));
    let plan = scene.plan();
    let fan = scene.step(&plan, "each").unwrap().fan_out.unwrap();
    assert_eq!(fan.items.iter().map(|i| (i.phase, i.attempt)).collect::<Vec<_>>(), [(StepPhase::Running, 2)]);
    assert!(plan.requeue.is_none_or(|pause| pause > Duration::from_millis(1)), "{:?}", plan.requeue);
}

#[test]
fn an_item_whose_expressions_fail_has_made_no_attempt() {
    let spec = json!({"steps": [{"name": "each", "image": "i", "args": ["${item.name}"], "forEach": {"items": [{"name": "x"}, {"other": 1}]}}]});
    let scene = Scene::new(spec, json!([]));
    let (_, fan, _) = after(&scene);
    assert_eq!((fan.open.to_string().as_str(), fan.failed.to_string().as_str()), ("0", "1"));
    let listed: Vec<_> = fan.items.iter().map(|i| (i.index, i.phase, i.attempt, i.reason)).collect();
    assert_eq!(listed, [(1, StepPhase::Failed, 0, Some(Reason::ExpressionFailed))]);
}
