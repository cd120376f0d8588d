//! Fan-outs: how long their lists may be, and when their items began.

use crate::common::scene::{Scene, before};
use hearth_crds::workflow::{RunPhase, StepPhase};
use hearth_plan::{Record, facts::ContainerFact};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Arc;

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
