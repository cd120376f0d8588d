//! A run that is under way, and one pass over it.

use super::{RUN, env};
use hearth_crds::{
    time::Time,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::{Facts, Kind, Plan, workflow::WorkflowKind};
use serde_json::{Value, json};

/// 2026-01-01T00:05:00Z.
pub const NOW: i64 = 1_767_225_900_000;
/// How many changes of the run that is under way were accepted.
pub const SEQ: i64 = 7;

/// A Workflow whose run began at 00:00:00 and was written last at 00:04:00. `said` is merged into what its status says of the
/// run.
pub fn under_way(spec: &Value, said: Value) -> Workflow {
    let mut cr: Workflow = serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "uid-a", "generation": 1, "finalizers": ["hearth.dev/record"]},
        "spec": spec,
    }))
    .unwrap();
    let specs = WorkflowKind::specs(&cr, &Facts::default(), &env(), None);
    if let Err(e) = &specs.current.checked {
        panic!("{e}");
    }
    let params = specs.current.checked.as_ref().map(|valid| valid.params.clone()).unwrap_or_default();
    let mut run = json!({
        "id": RUN, "number": 1, "seq": SEQ, "revision": specs.current.revision, "digest": specs.current.digest, "generation": 1,
        "trigger": "Created", "params": params, "startedAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:04:00Z",
    });
    let Value::Object(said) = said else { panic!("{said} is no object") };
    run.as_object_mut().unwrap().extend(said);
    cr.status = serde_json::from_value(json!({"observedGeneration": 1, "phase": "Running", "run": run})).unwrap();
    cr
}

/// What is decided about it at 00:05:00.
pub fn plan(cr: &Workflow, facts: &Facts) -> Plan<WorkflowStatus> {
    let specs = WorkflowKind::specs(cr, facts, &env(), None);
    WorkflowKind::plan(cr, &specs, facts, &env(), Time::from_millis(NOW))
}
