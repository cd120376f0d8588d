//! Where the limits of a spec are, and what is kept of it.

use hearth_crds::workflow::WorkflowSpec;
use hearth_plan::{
    offer::Offer,
    workflow::{
        fan_out::MAX_ITEMS,
        valid::Valid,
        validate::{MAX_SPEC, validate},
    },
};
use rstest::rstest;
use serde_json::{Value, json};
use std::time::Duration;

fn checked(spec: Value) -> Result<Valid, String> {
    let spec: WorkflowSpec = serde_json::from_value(spec).unwrap();
    validate(&spec, &Offer::default()).map_err(|e| e.to_string())
}

#[test]
fn a_spec_must_fit_in_its_revision() {
    let spec = |text: usize| {
        let param = json!({"name": "p", "default": "", "description": "x".repeat(text)});
        json!({"params": [param], "steps": [{"name": "a", "image": "i"}]})
    };
    let typed: WorkflowSpec = serde_json::from_value(spec(0)).unwrap();
    let room = MAX_SPEC - serde_json::to_vec(&typed).unwrap().len();
    assert_eq!(checked(spec(room)).err(), None, "it just fits");
    for more in [1, 1000] {
        let refused = checked(spec(room + more)).unwrap_err();
        assert!(refused.starts_with(&format!("spec: is {} bytes", MAX_SPEC + more)), "{refused}");
    }
}

#[test]
fn a_list_has_ten_thousand_items_at_most() {
    let spec = |items: usize| json!({"steps": [{"name": "each", "image": "i", "forEach": {"items": vec![0; items]}}]});
    assert_eq!(checked(spec(MAX_ITEMS)).err(), None);
    for items in [MAX_ITEMS + 1, MAX_ITEMS + 9] {
        let refused = checked(spec(items)).unwrap_err();
        assert_eq!(refused, format!("spec.steps[each].forEach.items: has {items} items, at most 10000 are allowed"));
    }
}

#[rstest]
#[case(json!({"base": "10s", "max": "10s"}), Ok((10, 10)))]
#[case(json!({"base": "10s", "max": "11s"}), Ok((10, 11)))]
#[case(json!({"base": "10s", "max": "9s"}), Err(()))]
#[case(json!({"max": "4s"}), Err(()))]
#[case(json!({"base": "10m"}), Ok((600, 600)))]
fn no_pause_is_shorter_than_the_first(#[case] backoff: Value, #[case] expected: Result<(u64, u64), ()>) {
    let retry = json!({"limit": 2, "backoff": backoff});
    let found = checked(json!({"steps": [{"name": "a", "image": "i", "retry": retry}]}));
    let pauses = found.as_ref().map(|valid| (valid.steps[0].retry.base, valid.steps[0].retry.max));
    assert_eq!(pauses.ok(), expected.ok().map(|(base, max)| (Duration::from_secs(base), Duration::from_secs(max))));
    if let Err(refused) = found {
        assert!(refused.starts_with("spec.steps[a].retry.backoff.max: is shorter than the first pause"), "{refused}");
    }
}

/// A status tells steps that are over by their places in the spec, which are not those in the order of their needs.
#[test]
fn steps_know_their_places_in_the_spec() {
    let valid = checked(
        json!({"image": "i", "steps": [{"name": "c", "needs": ["b"]}, {"name": "a"}, {"name": "b", "needs": ["a"]}]}),
    );
    let valid = valid.unwrap();
    let places: Vec<_> = valid.steps.iter().map(|step| (step.name.as_str(), step.place)).collect();
    assert_eq!(places, [("a", 1), ("b", 2), ("c", 0)]);
}
