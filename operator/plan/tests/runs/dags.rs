//! How large a DAG may be, and what is said of one that cannot run.

use super::object;
use crate::common::env;
use hearth_plan::{Facts, Kind, workflow::WorkflowKind};
use rstest::rstest;
use serde_json::{Value, json};

/// What is wrong with a spec, if anything is.
fn fault(spec: &Value) -> Option<String> {
    let specs = WorkflowKind::specs(&object(spec), &Facts::default(), &env(), None);
    specs.current.checked.as_ref().err().map(ToString::to_string)
}

/// That many steps, the first of which run for each item of a list.
fn steps(count: usize, fan_outs: usize) -> Value {
    let step = |at: usize| {
        let mut step = json!({"name": format!("s{at}"), "image": "i:1"});
        if at < fan_outs {
            step["forEach"] = json!({"items": [1, 2]});
        }
        step
    };
    json!({"steps": (0..count).map(step).collect::<Vec<_>>()})
}

#[rstest]
#[case::most_steps(2000, 0, None)]
#[case::too_many_steps(2001, 0, Some("there are 2001 steps, at most 2000 are allowed"))]
#[case::fan_outs_of_a_listed_run(128, 17, None)]
#[case::most_fan_outs_of_a_long_run(129, 16, None)]
#[case::too_many_fan_outs_of_a_long_run(129, 17, Some("17 steps have forEach, at most 16 may"))]
fn a_dag_has_its_limits(#[case] count: usize, #[case] fan_outs: usize, #[case] wrong: Option<&str>) {
    let fault = fault(&steps(count, fan_outs));
    match wrong {
        None => assert_eq!(fault, None),
        Some(wrong) => assert!(fault.as_ref().is_some_and(|f| f.contains(wrong)), "{fault:?}"),
    }
}

#[rstest]
#[case::all(50, "s48, s49")]
#[case::the_first(51, "s48, s49, …")]
fn a_need_that_is_not_there_is_told_with_the_names_that_are(#[case] count: usize, #[case] end: &str) {
    let mut spec = steps(count, 0);
    spec["steps"][0]["needs"] = json!(["s1O"]);
    let fault = fault(&spec).unwrap();
    assert!(fault.starts_with("spec.steps[s0].needs: there is no step named s1O: the steps are s0, s1, "), "{fault}");
    assert!(fault.ends_with(end), "{fault}");
}

/// A run succeeds though the step that follows a failure is left out, and so are those that need it: what they write is null then.
#[test]
fn a_result_minds_that_a_step_may_be_left_out() {
    let read = |step: &str| {
        let output = json!([{"name": "n", "type": "integer"}]);
        fault(&json!({
            "image": "i:1",
            "steps": [
                {"name": "fit", "outputs": output},
                {"name": "mend", "after": {"fit": ["Failed"]}, "outputs": output},
                {"name": "tell", "needs": ["mend"], "outputs": output},
            ],
            "results": {"n": format!("${{steps.{step}.outputs.n + 1}}")},
        }))
    };
    assert_eq!(read("fit"), None);
    for step in ["mend", "tell"] {
        let fault = read(step).unwrap_or_else(|| panic!("{step} may be left out"));
        assert!(fault.starts_with("spec.results.n: "), "{fault}");
    }
}
