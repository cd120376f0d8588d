//! The Workflow kind: what to write and do about one, given what was seen.

pub mod build;
pub mod conclude;
pub mod digest;
pub mod history;
mod lifecycle;
pub mod machine;
pub mod outcome;
mod pod_rules;
mod salvage;
pub mod validate;

use crate::{
    facts::{Facts, RevisionFact},
    kind::{Accepted, Env, Intends, Intent, Kind, Plan, Start},
    record::{Record, RecordBatch},
};
use build::Owner;
use hearth_crds::{
    time::Time,
    workflow::{Run, StepPhase, Workflow, WorkflowSpec, WorkflowStatus},
};
use serde_json::Value;
use validate::{Valid, validate};

/// The Workflow kind.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowKind;

impl Intends for WorkflowStatus {
    fn intends(&self, intent: &Intent) -> bool {
        let run = self.run.as_ref().filter(|r| r.id == intent.run_id && r.finished_at.is_none());
        run.is_some_and(|r| {
            r.steps.iter().any(|s| {
                s.name == intent.step
                    && s.phase == StepPhase::Running
                    && s.attempt == intent.attempt
                    && intent.item == 0
            })
        })
    }
}

impl Kind for WorkflowKind {
    type Cr = Workflow;
    type Status = WorkflowStatus;
    const KIND: &'static str = "Workflow";

    fn status(cr: &Workflow) -> Option<&WorkflowStatus> {
        cr.status.as_ref()
    }

    fn plan(cr: &Workflow, facts: &Facts, env: &Env, now: Time) -> Plan<WorkflowStatus> {
        lifecycle::plan(cr, facts, env, now)
    }

    fn starts(
        cr: &Workflow,
        accepted: &Accepted<WorkflowStatus>,
        intents: &[Intent],
        facts: &Facts,
        env: &Env,
    ) -> Vec<Start> {
        let Some(run) = accepted.status().run.as_ref() else { return Vec::new() };
        let Some(spec) = pinned_spec(cr, run, facts).and_then(|s| validate(&s).ok()) else { return Vec::new() };
        intents.iter().filter_map(|intent| start(cr, accepted, run, &spec, intent, env)).collect()
    }

    fn records(
        cr: &Workflow,
        old: Option<&WorkflowStatus>,
        accepted: &Accepted<WorkflowStatus>,
        facts: &Facts,
        env: &Env,
    ) -> Option<RecordBatch> {
        let run = accepted.status().run.as_ref()?;
        let written = pinned_spec(cr, run, facts);
        let spec: Option<Valid> = written.as_ref().and_then(|s| validate(s).ok());
        let written = written.map_or(Value::Null, |s| digest::run_affecting(&s));
        history::Source { cr, spec: spec.as_ref(), written, facts, env }.batch(old, accepted.status())
    }

    fn spooled(cr: &Workflow, spool: &RevisionFact, _: &Env) -> Option<RecordBatch> {
        lifecycle::read_spool(cr, spool)
    }

    fn salvage(raw: &Value, env: &Env) -> Vec<Record> {
        salvage::records(raw, env)
    }

    fn poisoned(raw_status: Option<&Value>, generation: Option<i64>, message: &str, now: Time) -> Value {
        salvage::poisoned(raw_status, generation, message, now)
    }
}

/// The spec that a run is pinned to: from its revision, or the object's own while that is the same.
fn pinned_spec(cr: &Workflow, run: &Run, facts: &Facts) -> Option<WorkflowSpec> {
    let from_revision = facts
        .revisions
        .get(&run.revision)
        .and_then(|r| r.data.get("spec"))
        .and_then(|s| serde_json::from_value(s.clone()).ok());
    from_revision.or_else(|| digest::same_spec(&run.digest, &cr.spec).then(|| cr.spec.clone()))
}

/// The pod of an intent. A placeholder needs no more than the names, so it can be made whatever the values are.
fn start(
    cr: &Workflow,
    accepted: &Accepted<WorkflowStatus>,
    run: &Run,
    spec: &Valid,
    intent: &Intent,
    env: &Env,
) -> Option<Start> {
    let owner = Owner::of(cr);
    let step = spec.steps.iter().find(|s| s.name == intent.step)?;
    let status = run.steps.iter().find(|s| s.name == intent.step)?;
    let rendered = build::render(step, &machine::values(run)).ok()?;
    let pod = build::pod(&owner, run, step, status, intent.attempt, rendered, env);
    let placeholder = build::placeholder(&owner, run, &step.name, intent.attempt, env);
    Start::new(accepted, intent.clone(), pod, placeholder)
}
