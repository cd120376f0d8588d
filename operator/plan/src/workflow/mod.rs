//! The Workflow kind: what to write and do about one, given what was seen.

mod approval;
mod artifacts;
mod asked;
mod attempt;
pub mod build;
mod cache;
mod cleanup;
pub mod conclude;
pub mod digest;
mod exit;
pub mod fan_out;
mod graph;
pub mod history;
mod lifecycle;
mod lineage;
mod listing;
pub mod machine;
pub mod nested;
mod new_run;
pub mod outcome;
mod params;
mod pod_rules;
mod recorded_pods;
pub mod requests;
mod run_object;
mod salvage;
mod schedule;
pub mod specs;
mod spool;
mod starting;
mod template;
pub mod valid;
pub mod validate;
mod waiting;
mod whole_logs;
pub mod with;
mod write;

use crate::{
    expr::Item,
    facts::{Facts, RevisionFact},
    kind::{Accepted, Env, Intends, Intent, Kind, Plan, RunMark, Start},
    record::{Record, RecordBatch},
};
use build::Owner;
use hearth_crds::{
    condition::{ConditionStatus, ConditionType},
    time::Time,
    workflow::{Run, StepPhase, Workflow, WorkflowStatus},
};
use serde_json::Value;
use specs::Specs;
use valid::Valid;

/// The Workflow kind.
#[derive(Clone, Copy, Debug)]
pub struct WorkflowKind;

impl Intends for WorkflowStatus {
    fn intends(&self, intent: &Intent) -> bool {
        let run = self.run.as_ref().filter(|r| r.id == intent.run_id && r.finished_at.is_none());
        run.is_some_and(|r| {
            let step = r.steps.named(&intent.step).filter(|s| s.phase == StepPhase::Running);
            step.is_some_and(|s| match &s.fan_out {
                None => s.attempt == intent.attempt && intent.item == 0,
                Some(fan) => {
                    fan.open.contains(intent.item) && {
                        let one = fan_out::unfold(fan, s, intent.item);
                        one.phase == StepPhase::Running && one.attempt == intent.attempt
                    }
                }
            })
        })
    }
}

impl Kind for WorkflowKind {
    type Cr = Workflow;
    type Status = WorkflowStatus;
    type Specs = Specs;
    const KIND: &'static str = "Workflow";

    fn status(cr: &Workflow) -> Option<&WorkflowStatus> {
        cr.status.as_ref()
    }

    fn mark(status: &WorkflowStatus) -> RunMark {
        let run = status.run.as_ref();
        RunMark {
            run_id: run.map(|r| r.id.clone()),
            seq: run.map_or(0, |r| r.seq),
            stored: status
                .conditions
                .iter()
                .any(|c| c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True),
        }
    }

    fn reads(cr: &Workflow) -> Vec<String> {
        let template = cr.spec.from.iter().map(|from| from.workflow.clone());
        template.chain(run_object::caller(cr).map(|(_, name)| name)).chain(nested::names(cr)).collect()
    }

    fn specs(cr: &Workflow, facts: &Facts, env: &Env, last: Option<&Specs>) -> Specs {
        Specs::of(cr, facts, &env.offer, last)
    }

    fn plan(cr: &Workflow, specs: &Specs, facts: &Facts, env: &Env, now: Time) -> Plan<WorkflowStatus> {
        lifecycle::plan(cr, specs, facts, env, now)
    }

    fn starts(
        cr: &Workflow,
        specs: &Specs,
        accepted: &Accepted<WorkflowStatus>,
        intents: &[Intent],
        env: &Env,
    ) -> Vec<Start> {
        let Some(pinned) = accepted.status().run.as_ref().and_then(|run| specs.pinned(run)) else { return Vec::new() };
        let Ok(spec) = pinned.checked.as_ref() else { return Vec::new() };
        let status = listing::unfold(accepted.status(), Some(pinned));
        let Some(run) = status.run.as_ref() else { return Vec::new() };
        intents.iter().filter_map(|intent| start(cr, accepted, run, spec, intent, env)).collect()
    }

    fn records(
        cr: &Workflow,
        specs: &Specs,
        old: Option<&WorkflowStatus>,
        accepted: &Accepted<WorkflowStatus>,
        facts: &Facts,
        env: &Env,
    ) -> Option<RecordBatch> {
        history::Source { cr, spec: specs.pinned(accepted.status().run.as_ref()?), facts, env }
            .batch(old, accepted.status())
    }

    fn spooled(cr: &Workflow, spool: &RevisionFact, _: &Env) -> Option<RecordBatch> {
        spool::read(cr, spool)
    }

    fn salvage(raw: &Value, env: &Env) -> Vec<Record> {
        salvage::records(raw, env)
    }

    fn poisoned(raw_status: Option<&Value>, generation: Option<i64>, message: &str, now: Time) -> Value {
        salvage::poisoned(raw_status, generation, message, now)
    }
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
    let step = spec.step(&intent.step)?;
    let status = run.steps.named(&intent.step)?;
    let mut values = machine::values_for(run, spec, step);
    let one = match &status.fan_out {
        None => status.clone(),
        Some(fan) => {
            let value = fan_out::items(step, &values).ok()?.get(intent.item as usize).cloned()?;
            values.item = Some(Item { index: intent.item, value });
            fan_out::unfold(fan, status, intent.item)
        }
    };
    let rendered = build::render(run, step, &values).ok()?;
    let attempt = build::Attempt { run, step, status: &one, intent, item: values.item.as_ref() };
    let pod = build::pod(&owner, attempt, rendered, env);
    let placeholder = build::placeholder(&owner, intent, values.item.as_ref().map(|i| i.index), env);
    Start::new(accepted, intent.clone(), pod, placeholder)
}
