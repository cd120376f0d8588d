//! What was taken over from earlier work, and the room that it takes in the status until it is on record.

use crate::common::{
    RUN,
    scene::{NOW, SEQ, Scene, before, looks_again_in, outputs, sought},
};
use hearth_crds::{
    time::Time,
    workflow::{Found, StepPhase, WorkflowStatus},
};
use hearth_plan::{
    Plan, Record,
    work::{Answer, Work},
};
use rstest::rstest;
use serde_json::{Value, json};

const DIGEST: &str = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";
const EARLIER: &str = "01890a5d-ac96-774b-bcce-b302099a8000";
const KIB: usize = 1024;

fn pinned() -> String {
    format!("example.org/i@{DIGEST}")
}

/// A step with `cache`.
fn cached(name: &str, more: Value) -> Value {
    let mut step =
        json!({"name": name, "image": pinned(), "command": ["/work"], "args": [name], "cache": {"maxAge": "1h"}});
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

/// Work that was done before, and what it wrote.
fn done(outputs: Value) -> impl Fn(&hearth_plan::work::Sought) -> Answer {
    move |_| {
        Answer::Done(Box::new(Work {
            run_id: EARLIER.into(),
            step: "tidy".into(),
            item: 0,
            finished_at: Time::from_millis(NOW - 60_000),
            outputs: serde_json::from_value(outputs.clone()).unwrap(),
            artifacts: [].into(),
        }))
    }
}

/// Whether an attempt of the step begins.
fn begins(plan: &Plan<WorkflowStatus>, step: &str) -> bool {
    plan.intents.iter().any(|i| i.step == step)
}

#[rstest]
#[case::a_minute("1m", DIGEST, None)]
#[case::less_than_a_minute("59s", DIGEST, Some("spec.steps[fit].cache.maxAge"))]
#[case::a_short_digest("1h", "sha256:cb83", Some("spec.steps[fit].image"))]
#[case::a_digest_that_is_none(
    "1h",
    "sha256:xb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34",
    Some("spec.steps[fit].image")
)]
fn cache_asks_for_a_pinned_image_and_a_minute(#[case] age: &str, #[case] digest: &str, #[case] wrong: Option<&str>) {
    let step = cached("fit", json!({"image": format!("example.org/i@{digest}"), "cache": {"maxAge": age}}));
    let checked = &Scene::new(json!({"steps": [step]}), json!([])).specs().current.checked;
    let field = checked.as_ref().err().map(|e| e.to_string());
    match wrong {
        None => assert_eq!(field, None),
        Some(wrong) => assert!(field.as_ref().is_some_and(|f| f.starts_with(wrong)), "{field:?}"),
    }
}

/// `reader` reads of each kind of output and artifact one: the others are in the status for the record alone.
fn crowded() -> Scene {
    let written = json!([{"name": "read"}, {"name": "unread"}]);
    let left = json!({"out": [{"name": "read"}, {"name": "unread"}]});
    let spec = json!({"steps": [
        cached("own", json!({"outputs": written, "artifacts": left})),
        cached("fan", json!({"forEach": {"items": [1, 2]}, "outputs": [{"name": "n"}]})),
        cached("late", json!({"outputs": [{"name": "unread"}]})),
        {"name": "maker", "image": "i", "outputs": [{"name": "n"}]},
        {"name": "reader", "image": "i", "command": ["/read"], "needs": ["own", "fan", "late", "maker"], "artifacts": {"in": [{"from": "own.read"}]},
            "args": ["${steps.own.outputs.read}", "${steps.maker.outputs.n}", "${string(steps.fan.outputs.size())}"]},
    ]});
    Scene::new(spec, json!([])).with(|s| {
        s.posted("maker", None);
        s.posted("fan", Some(1));
    })
}

fn steps(one: Value) -> Value {
    let fan = json!({"name": "fan", "phase": "Running", "attempt": 0, "startedAt": before(60_000),
        "fanOut": {"count": 2, "started": 2, "open": "1"}});
    let own = json!({"name": "own", "phase": "Succeeded", "attempt": 1});
    let maker = json!({"name": "maker", "phase": "Running", "attempt": 1, "since": before(60_000)});
    let others = [own, fan, maker].into_iter().filter(|s| s["name"] != one["name"]);
    others.chain([one.clone()]).collect()
}

/// A step whose work was taken over.
fn hit(outputs: Value, artifacts: Value) -> Value {
    json!({"name": "own", "phase": "Succeeded", "attempt": 0, "reason": "Cached", "cache": {"found": "Hit", "run": EARLIER},
        "outputs": outputs, "artifacts": artifacts})
}

fn stored(name: &str) -> Value {
    json!({name: {"digest": DIGEST, "bytes": 9}})
}

/// One item is over, and wrote much.
fn fan(items: Value) -> Value {
    json!({"name": "fan", "phase": "Running", "attempt": 0, "startedAt": before(60_000),
        "fanOut": {"count": 2, "started": 2, "open": "1", "items": items, "outputs": {"0": outputs("n", 15 * KIB)}}})
}

#[rstest]
#[case::what_a_step_wrote_is_read_later(json!({"name": "own", "phase": "Succeeded", "attempt": 1, "outputs": outputs("read", 15 * KIB)}), false)]
#[case::what_was_taken_over_is_read_later(hit(outputs("read", 15 * KIB), stored("read")), false)]
#[case::an_output_that_nobody_reads(hit(outputs("unread", 15 * KIB), json!({})), true)]
#[case::an_artifact_that_nobody_reads(hit(outputs("read", 15 * KIB), stored("unread")), true)]
#[case::an_item_that_was_taken_over(fan(json!([{"index": 0, "phase": "Succeeded", "attempt": 0, "cache": {"found": "Hit"}}])), true)]
#[case::what_an_item_wrote_is_read_later(fan(json!([])), false)]
fn a_hit_waits_only_for_room_that_a_record_makes(#[case] holds_the_room: Value, #[case] waits: bool) {
    let scene = crowded().with(|s| s.run["steps"] = steps(holds_the_room));
    let plan = scene.answered(done(outputs("unread", 2 * KIB)));
    let late = scene.step(&plan, "late");
    if waits {
        assert_eq!((late, begins(&plan, "late")), (None, false));
        assert!(looks_again_in(&plan, 1000), "{:?}", plan.requeue);
    } else {
        let found = late.unwrap().cache.unwrap().found;
        assert_eq!((found, begins(&plan, "late")), (Found::Missed, true), "the work is done again");
    }
}

#[rstest]
#[case::for_a_while(9_999, true, true)]
#[case::no_longer(10_000, true, false)]
#[case::not_for_a_store_that_is_away(6_000, false, false)]
fn room_is_waited_for_while_the_store_answers(
    #[case] since_last_change: i64,
    #[case] store_up: bool,
    #[case] waits: bool,
) {
    let scene = crowded().with(|s| {
        s.run["steps"] = steps(hit(outputs("unread", 15 * KIB), json!({})));
        s.run["updatedAt"] = json!(before(since_last_change));
        s.facts.store_up = store_up;
    });
    let plan = scene.answered(done(outputs("unread", 2 * KIB)));
    assert_eq!(begins(&plan, "late"), !waits);
}

#[test]
fn what_one_pass_takes_over_shares_the_room() {
    let written = json!({"outputs": [{"name": "u"}]});
    let both = Scene::new(json!({"steps": [cached("a", written.clone()), cached("b", written.clone())]}), json!([]));
    let plan = both.answered(done(outputs("u", 9 * KIB)));
    assert!(both.step(&plan, "a").is_some() && both.step(&plan, "b").is_none(), "b waits for the record of a");

    let items: Vec<_> = (0..10).collect();
    let each = cached("each", json!({"forEach": {"items": items}, "outputs": [{"name": "u"}]}));
    let each = Scene::new(json!({"steps": [each]}), json!([]));
    let plan = each.answered(done(outputs("u", 5 * KIB)));
    assert_eq!(each.step(&plan, "each").unwrap().fan_out.unwrap().started, 3, "of 5 KiB each");
}

/// Outputs that a later step reads have 16 KiB; what goes with its record stands in nobody's way.
#[rstest]
#[case::what_nobody_reads("unread", StepPhase::Succeeded)]
#[case::what_somebody_reads("read", StepPhase::Failed)]
fn an_attempt_has_the_room_of_hits_that_nobody_reads(#[case] held: &str, #[case] phase: StepPhase) {
    let scene = crowded().with(|s| {
        s.run["steps"] = steps(hit(outputs(held, 15 * KIB), json!({})));
        s.succeeded("maker", None, &outputs("n", 2 * KIB));
    });
    assert_eq!(scene.step(&scene.plan(), "maker").unwrap().phase, phase);
}

#[rstest]
#[case::room_is_scarce(8 * KIB + 1, SEQ, true)]
#[case::there_is_room(8 * KIB, SEQ, false)]
#[case::it_is_not_on_record(8 * KIB + 1, SEQ - 1, false)]
fn a_step_lets_go_of_what_nobody_reads_when_it_is_on_record_and_room_is_scarce(
    #[case] bytes: usize,
    #[case] recorded: i64,
    #[case] goes: bool,
) {
    let scene = crowded().with(|s| {
        s.run["steps"] = steps(hit(outputs("unread", bytes), json!({})));
        s.facts.recorded.insert(RUN.into(), recorded);
    });
    let plan = scene.answered(|_| Answer::Nothing);
    assert_eq!(scene.step(&plan, "own").unwrap().outputs.is_empty(), goes);
}

/// Only the status tells the record of items that were taken over, so each is listed until it is stored; an open one may
/// have to be listed too.
#[rstest]
#[case::all_of_them(0, 0, 32)]
#[case::those_of_another_step_count(20, 0, 12)]
#[case::one_takes_the_room_of_two_open_ones(0, 200, 28)]
fn items_are_taken_over_while_they_can_be_listed(#[case] listed: u32, #[case] open: u32, #[case] taken: u32) {
    let forty: Vec<_> = (0..40).collect();
    let many: Vec<_> = (0..listed + open).collect();
    let other = json!({"name": "other", "image": "i", "forEach": {"items": many}});
    let spec = json!({"parallelism": 300, "steps": [other, cached("each", json!({"forEach": {"items": forty}}))]});
    let hit = |index| json!({"index": index, "phase": "Succeeded", "attempt": 0, "cache": {"found": "Hit"}});
    let count = listed + open;
    let range = if open > 0 { format!("{listed}-{}", count - 1) } else { String::new() };
    let fan = json!({"count": count, "started": count, "open": range, "items": (0..listed).map(hit).collect::<Vec<_>>(),
        "marks": [{"below": count, "at": before(60_000)}]});
    let other = json!({"name": "other", "phase": "Running", "attempt": 0, "startedAt": before(60_000), "fanOut": fan});
    let scene = Scene::new(spec, if count > 0 { json!([other]) } else { json!([]) }).with(|s| {
        if count == 0 {
            s.spec["steps"].as_array_mut().unwrap().remove(0);
        }
        (listed..count).for_each(|item| s.posted("other", Some(item)));
    });
    let plan = scene.answered(done(json!({})));
    assert_eq!(scene.step(&plan, "each").unwrap().fan_out.unwrap().started, taken);
    assert!(!begins(&plan, "each") && looks_again_in(&plan, 1000), "the next one waits for the record");
}

#[test]
fn one_question_asks_for_an_item_and_those_after_it() {
    let items: Vec<_> = (0..100).collect();
    let scene = Scene::new(json!({"steps": [cached("each", json!({"forEach": {"items": items}}))]}), json!([]));
    let asked: Vec<_> = sought(&scene.plan()).into_iter().map(|s| s.item).collect();
    assert_eq!(asked, (0..=64).collect::<Vec<_>>());
}

/// The status of a run of more than 128 steps lists so many by name, and one that was taken over until it is on record.
#[rstest]
#[case::hits_that_are_not_on_record("Hit", SEQ - 1, false)]
#[case::hits_that_are_on_record("Hit", SEQ, true)]
#[case::steps_that_ran("Missed", SEQ - 1, true)]
fn a_long_run_waits_until_its_hits_are_on_record(#[case] found: &str, #[case] recorded: i64, #[case] goes_on: bool) {
    let name = |n: u32| format!("step-{n:03}");
    let all: Vec<_> = (0..130).map(|n| cached(&name(n), json!({}))).collect();
    let over = (0..128).map(|n| {
        json!({"name": name(n), "phase": "Succeeded", "attempt": 0, "finishedAt": before(9000), "cache": {"found": found}})
    });
    let over: Vec<_> = over.collect();
    let scene = Scene::new(json!({"steps": all}), json!(over)).with(|s| {
        s.facts.recorded.insert(RUN.into(), recorded);
    });
    let plan = scene.answered(|_| Answer::Nothing);
    assert_eq!(begins(&plan, &name(128)), goes_on);
}

#[test]
fn a_hit_names_the_item_that_did_its_work() {
    let scene = Scene::new(json!({"steps": [cached("a", json!({}))]}), json!([]));
    let of = |item: u32| {
        let plan = scene.answered(|sought| {
            let Answer::Done(work) = done(json!({}))(sought) else { unreachable!() };
            Answer::Done(Box::new(Work { item, ..*work }))
        });
        scene.step(&plan, "a").unwrap().cache.unwrap().item
    };
    assert_eq!((of(3), of(0)), (Some(3), None), "a step without items has none");
}

#[test]
fn the_record_says_why_work_was_done_when_the_store_did_not_answer() {
    let spec = json!({"steps": [cached("a", json!({})), cached("b", json!({}))]});
    let running =
        |name: &str, found: &str| json!({"name": name, "phase": "Running", "attempt": 1, "cache": {"found": found}});
    let scene = Scene::new(spec, json!([running("a", "Unknown"), running("b", "Missed")]));
    let doubts = scene.records().into_iter().filter_map(|record| match record {
        Record::Event(e) if e.transition == "CacheUnknown" => Some((e.subject, e.message.unwrap())),
        Record::Event(_) | Record::Run(_) | Record::Step(_) | Record::Lineage(_) => None,
    });
    let doubts: Vec<_> = doubts.collect();
    let said = "the history store did not say whether its work was done before, so it is done".to_owned();
    assert_eq!(doubts, [("step/a/0".to_owned(), said)]);
}
