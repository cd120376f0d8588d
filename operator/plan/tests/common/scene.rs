//! One pass over a Workflow that has a run.

use super::{RUN, env};
use hearth_crds::{
    label,
    time::Time,
    workflow::{StepStatus, Workflow, WorkflowStatus},
};
use hearth_plan::{
    Action, Facts, Kind, Plan, PodFact, Post, Record,
    facts::{ContainerFact, PodPhase},
    kind::{Accepted, Env},
    offer::{ArtifactService, Offer},
    work::{Answer, Sought},
    workflow::{WorkflowKind, digest::pod_name, specs::Specs},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// When the pass is made: 2026-01-01T00:05:00Z.
pub const NOW: i64 = 1_767_225_900_000;

/// The change of the run that was accepted last.
pub const SEQ: i64 = 3;

/// An object, its status, and what is seen beside them.
#[derive(Clone)]
pub struct Scene {
    pub metadata: Value,
    pub spec: Value,
    /// All of it but the run.
    pub status: Value,
    pub run: Value,
    pub facts: Facts,
    pub env: Env,
}

impl Scene {
    /// A run of `spec` that is under way, with these steps listed.
    pub fn new(spec: Value, steps: Value) -> Self {
        let artifacts =
            ArtifactService { image: "hearth-step".into(), recorder: "https://recorder".into(), store_ca: None };
        let offer = Arc::new(Offer { artifacts: Some(artifacts), ..Offer::default() });
        let metadata = json!({"name": "demo", "namespace": "lab", "uid": "uid-a", "generation": 1,
            "finalizers": ["hearth.dev/record"]});
        let run = json!({"id": RUN, "number": 1, "seq": SEQ, "generation": 1, "trigger": "Created",
            "startedAt": "2026-01-01T00:00:00Z", "updatedAt": before(6000), "steps": steps});
        Self {
            metadata,
            spec,
            status: json!({"observedGeneration": 1, "phase": "Running"}),
            run,
            facts: Facts { store_up: true, ..Facts::default() },
            env: Env { offer, namespace_uids: [("lab".to_owned(), "uid-ns".to_owned())].into(), ..env() },
        }
    }

    /// The same with the run over.
    pub fn ended(spec: Value, steps: Value) -> Self {
        Self::new(spec, steps).with(|s| {
            s.status["phase"] = json!("Succeeded");
            s.run["finishedAt"] = json!("2026-01-01T00:04:00Z");
        })
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// A pod of the run's whose container ended well a minute ago.
    pub fn succeeded(&mut self, step: &str, item: Option<u32>, outputs: &Value) {
        let name = pod_name("demo", "uid-a", RUN, step, item, 1);
        let at = Some(Time::from_millis(NOW - 60_000));
        let container = ContainerFact::Ended {
            exit_code: 0,
            reason: "Completed".into(),
            message: outputs.to_string(),
            started_at: at,
            finished_at: at,
        };
        let labels =
            [(label::RUN, RUN), (label::ROLE, label::ROLE_ATTEMPT), (label::STEP, step), (label::ATTEMPT, "1")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let item = item.map(|item| (label::ITEM.to_owned(), item.to_string()));
        let pod = PodFact {
            name: name.clone(),
            uid: format!("uid-{name}"),
            owned: true,
            labels: labels.into_iter().chain(item).collect(),
            phase: PodPhase::Succeeded,
            container,
            ..PodFact::default()
        };
        self.facts.pods.insert(name, pod.into());
    }

    /// The cache has not shown the pod yet.
    pub fn posted(&mut self, step: &str, item: Option<u32>) {
        self.facts.posts.insert(pod_name("demo", "uid-a", RUN, step, item, 1), Post::Created);
    }

    pub fn object(&self) -> Workflow {
        let mut cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": self.metadata, "spec": self.spec,
        }))
        .unwrap();
        let current = WorkflowKind::specs(&cr, &self.facts, &self.env, None).current;
        let mut status = self.status.clone();
        status["run"] = json!({"revision": current.revision, "digest": current.digest});
        status["run"].as_object_mut().unwrap().extend(self.run.as_object().unwrap().clone());
        cr.status = serde_json::from_value(status).unwrap();
        cr
    }

    pub fn specs(&self) -> Specs {
        WorkflowKind::specs(&self.object(), &self.facts, &self.env, None)
    }

    pub fn plan(&self) -> Plan<WorkflowStatus> {
        let specs = self.specs();
        if let Err(e) = &specs.current.checked {
            panic!("{e}");
        }
        WorkflowKind::plan(&self.object(), &specs, &self.facts, &self.env, Time::from_millis(NOW))
    }

    /// The plan when each of its questions is answered.
    pub fn answered(&self, answer: impl Fn(&Sought) -> Answer) -> Plan<WorkflowStatus> {
        let mut scene = self.clone();
        loop {
            let plan = scene.plan();
            let open: Vec<_> = sought(&plan).into_iter().filter(|s| !scene.facts.work.contains_key(s)).collect();
            if open.is_empty() {
                return plan;
            }
            scene.facts.work.extend(open.into_iter().map(|s| (s.clone(), answer(&s))));
        }
    }

    /// The rows of the status as it is, when no earlier one is known.
    pub fn records(&self) -> Vec<Record> {
        let cr = self.object();
        let accepted = Accepted::by_server(cr.status.clone().unwrap());
        WorkflowKind::records(&cr, &self.specs(), None, &accepted, &self.facts, &self.env).unwrap().records
    }

    /// A step as it is listed after the pass.
    pub fn step(&self, plan: &Plan<WorkflowStatus>, name: &str) -> Option<StepStatus> {
        let status = plan.status.clone().or(self.object().status);
        status.unwrap().run.unwrap().steps.named(name).cloned()
    }
}

/// So many milliseconds before the pass.
pub fn before(millis: i64) -> Time {
    Time::from_millis(NOW - millis)
}

/// What a plan asks the history store for.
pub fn sought(plan: &Plan<WorkflowStatus>) -> Vec<Sought> {
    let questions = plan.actions.iter().filter_map(|(action, _)| match action {
        Action::LookUp { sought } => Some(sought.clone()),
        _ => None,
    });
    questions.flatten().collect()
}

/// Whether the next pass comes that soon, and not sooner.
pub fn looks_again_in(plan: &Plan<WorkflowStatus>, millis: u64) -> bool {
    plan.requeue == Some(Duration::from_millis(millis))
}

/// Outputs of one name that are so many bytes long as JSON.
pub fn outputs(name: &str, bytes: usize) -> Value {
    let around = json!({name: ""}).to_string().len();
    json!({name: "x".repeat(bytes - around)})
}
