//! Runs that are under way: what a pass makes of them, and what history is told of them.

mod calls;
mod dags;
mod long;
mod passes;
mod rows;

use crate::common::{RUN, env};
use hearth_crds::{
    time::Time,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::{
    Action, Facts, Kind, Plan,
    facts::{ContainerFact, PodFact, PodPhase},
    workflow::{WorkflowKind, digest::pod_name},
};
use serde_json::{Value, json};

/// A time on the day of all these runs, which start at midnight.
fn at(time: &str) -> Time {
    Time::new(format!("2026-01-01T{time}Z").parse().unwrap())
}

/// An object that has not run yet.
fn object(spec: &Value) -> Workflow {
    serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "uid-a", "generation": 1, "finalizers": ["hearth.dev/record"]},
        "spec": spec,
    }))
    .unwrap()
}

/// An object with a run under way that is pinned to its spec; `known` is what else is known of the run.
fn running(spec: &Value, known: &Value) -> Workflow {
    let mut cr = object(spec);
    let specs = WorkflowKind::specs(&cr, &Facts::default(), &env(), None);
    if let Err(e) = &specs.current.checked {
        panic!("{e}");
    }
    let mut run = json!({"id": RUN, "number": 1, "seq": 3, "revision": specs.current.revision, "digest": specs.current.digest,
        "generation": 1, "trigger": "Created", "startedAt": at("00:00:00")});
    run.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
    cr.status = serde_json::from_value(json!({"observedGeneration": 1, "phase": "Running", "run": run})).unwrap();
    cr
}

/// A pod of ours whose container runs.
fn pod(step: &str, item: Option<u32>, attempt: u32) -> PodFact {
    let name = pod_name("demo", "uid-a", RUN, step, item, attempt);
    PodFact {
        uid: format!("uid of {name}"),
        name,
        owned: true,
        phase: PodPhase::Running,
        container: ContainerFact::Running { at: None },
        ..PodFact::default()
    }
}

/// The same when its container has ended.
fn ended(step: &str, attempt: u32, exit_code: i32, finished_at: &str) -> PodFact {
    PodFact {
        phase: if exit_code == 0 { PodPhase::Succeeded } else { PodPhase::Failed },
        container: ContainerFact::Ended {
            exit_code,
            reason: "Completed".into(),
            message: String::new(),
            started_at: None,
            finished_at: Some(at(finished_at)),
        },
        ..pod(step, None, attempt)
    }
}

fn seen(pods: impl IntoIterator<Item = PodFact>) -> Facts {
    let pods = pods.into_iter().map(|pod| (pod.name.clone(), pod.into())).collect();
    Facts { pods, store_up: true, ..Facts::default() }
}

fn plan(cr: &Workflow, facts: &Facts, now: &str) -> Plan<WorkflowStatus> {
    let specs = WorkflowKind::specs(cr, facts, &env(), None);
    WorkflowKind::plan(cr, &specs, facts, &env(), at(now))
}

/// The status that a pass writes, as JSON.
fn written(plan: &Plan<WorkflowStatus>) -> Value {
    serde_json::to_value(plan.status.as_ref().expect("a status is written")).unwrap()
}

/// `STEP PHASE` of the steps that a status lists by name.
fn phases(status: &Value) -> Vec<String> {
    let steps = status["run"]["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|s| format!("{} {}", s["name"].as_str().unwrap(), s["phase"].as_str().unwrap())).collect()
}

/// Names of the pods that a pass deletes, each with why.
fn deleted(plan: &Plan<WorkflowStatus>) -> Vec<(&str, &str)> {
    let deletes = plan.actions.iter().filter_map(|(action, why)| match action {
        Action::DeletePod { name, .. } => Some((name.as_str(), why.as_str())),
        _ => None,
    });
    deletes.collect()
}

/// `STEP#ATTEMPT` of the attempts that a pass starts.
fn started(plan: &Plan<WorkflowStatus>) -> Vec<String> {
    plan.intents.iter().map(|i| format!("{}#{}", i.step, i.attempt)).collect()
}
