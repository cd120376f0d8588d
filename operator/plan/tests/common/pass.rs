//! One pass over an object: what was seen, and what is made of it.

use super::{RUN, env};
use hearth_crds::{
    time::Time,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::{
    Action, Facts, Kind, Plan, PodFact,
    facts::{ContainerFact, PodPhase},
    kind::Env,
    offer::Offer,
    workflow::{WorkflowKind, digest::pod_name, specs::Specs},
};
use serde_json::{Value, json};
use std::sync::Arc;

/// 2026-01-01T00:00:00Z, when the run began.
const BEGIN: i64 = 1_767_225_600_000;

/// An object with a run, and what was seen of both.
pub struct Scene {
    /// Fields of metadata beside the usual ones.
    pub metadata: Value,
    pub spec: Value,
    /// Fields of the status beside the run.
    pub status: Value,
    /// Fields of the run beside the usual ones.
    pub run: Value,
    pub facts: Facts,
    /// How many seconds ago the run began.
    pub age: i64,
}

/// What a pass came to.
pub struct Seen {
    pub plan: Plan<WorkflowStatus>,
    /// The status after it, whether it changed or not.
    pub status: Value,
}

impl Scene {
    /// A run that lists these steps.
    pub fn new(spec: Value, steps: Value) -> Self {
        Self {
            metadata: json!({}),
            spec,
            status: json!({"phase": "Running"}),
            run: json!({"steps": steps}),
            facts: Facts::default(),
            age: 300,
        }
    }

    /// With the pod of an attempt of a step that is no fan-out.
    pub fn pod(mut self, step: &str, attempt: u32, fact: PodFact) -> Self {
        let name = pod_name("demo", "uid-a", RUN, step, None, attempt);
        let fact = PodFact { name: name.clone(), uid: format!("uid-{step}-{attempt}"), ..fact };
        self.facts.pods.insert(name, fact.into());
        self
    }

    pub fn pass(&self) -> Seen {
        let (cr, specs, env) = self.object();
        let plan = WorkflowKind::plan(&cr, &specs, &self.facts, &env, Time::from_millis(BEGIN + 1000 * self.age));
        let status = serde_json::to_value(plan.status.as_ref().or(cr.status.as_ref())).unwrap();
        Seen { plan, status }
    }

    fn object(&self) -> (Workflow, Specs, Env) {
        let metadata = json!({"name": "demo", "namespace": "lab", "uid": "uid-a", "generation": 1, "finalizers": ["hearth.dev/record"]});
        let mut cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": merged(metadata, &self.metadata), "spec": self.spec,
        }))
        .unwrap();
        let env = Env { offer: Arc::new(Offer::assumed(&cr.spec)), ..env() };
        let current = WorkflowKind::specs(&cr, &self.facts, &env, None).current;
        if let Err(e) = &current.checked {
            panic!("{e}");
        }
        let run = json!({"id": RUN, "number": 1, "seq": 3, "revision": current.revision, "digest": current.digest,
            "generation": 1, "trigger": "Created", "startedAt": Time::from_millis(BEGIN)});
        let status = merged(json!({"run": merged(run, &self.run)}), &self.status);
        cr.status = serde_json::from_value(status).unwrap();
        let specs = WorkflowKind::specs(&cr, &self.facts, &env, None);
        (cr, specs, env)
    }
}

fn merged(mut base: Value, over: &Value) -> Value {
    base.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
    base
}

impl Seen {
    /// What the status says of a step.
    pub fn step(&self, name: &str) -> &Value {
        let steps = self.status["run"]["steps"].as_array().unwrap();
        steps.iter().find(|s| s["name"] == name).unwrap()
    }

    /// Phase and reason of a step.
    pub fn end(&self, name: &str) -> (&str, &str) {
        let step = self.step(name);
        (step["phase"].as_str().unwrap(), step["reason"].as_str().unwrap_or_default())
    }

    /// What is said of it beside the status.
    pub fn notes(&self) -> Vec<&str> {
        self.plan.notes.iter().map(|n| n.message.as_str()).collect()
    }

    pub fn deletes_a_pod(&self) -> bool {
        self.plan.actions.iter().any(|(a, _)| matches!(a, Action::DeletePod { .. } | Action::DeleteRunPods(_)))
    }

    pub fn reads_a_log(&self) -> bool {
        self.plan.actions.iter().any(|(a, _)| matches!(a, Action::ReadLog { .. }))
    }
}

/// A pod of ours that runs.
pub fn running() -> PodFact {
    PodFact {
        owned: true,
        phase: PodPhase::Running,
        container: ContainerFact::Running { at: None },
        ..PodFact::default()
    }
}

/// A pod of ours whose container ended.
pub fn exited(exit_code: i32, message: &str) -> PodFact {
    let phase = if exit_code == 0 { PodPhase::Succeeded } else { PodPhase::Failed };
    let (reason, message) = (String::new(), message.to_owned());
    let container = ContainerFact::Ended { exit_code, reason, message, started_at: None, finished_at: None };
    PodFact { owned: true, phase, container, ..PodFact::default() }
}
