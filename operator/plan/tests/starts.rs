//! What starts a run, and what does not.

use crate::common::{env, plan};
use hearth_plan::Facts;
use serde_json::{Value, json};

/// A Workflow that runs when it is asked to, with a rerun token that was there from the start.
fn restored(status: Value) -> Value {
    json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "u", "generation": 1},
        "spec": {"runPolicy": "Manual", "image": "example.org/a:1", "steps": [{"name": "a"}], "rerun": {"token": "kept-in-git"}},
        "status": status,
    })
}

/// The token of an object that was never looked at stands for no wish: its runs may have been those of another cluster.
#[test]
fn a_token_that_was_there_before_the_first_look_starts_no_run() {
    let now = "2026-01-01T00:00:00Z";
    for (status, runs) in [
        (Value::Null, false),
        (json!({}), false),
        // The API server's default.
        (json!({"observedGeneration": -1}), false),
        (json!({"observedGeneration": 1}), true),
    ] {
        let plan = plan(&restored(status.clone()), &Facts::default(), &env(), now);
        let next = plan.status.expect("a status");
        assert_eq!((next.run.is_some(), next.rerun_token.as_deref()), (runs, Some("kept-in-git")), "{status}");
    }
}
