//! Steps that run another Workflow. An attempt of such a step is the run of an object that the step makes, and that object
//! looks at its caller: what nobody waits for any more stops by itself, whatever became of the messages between the two.

use super::{
    attempt::One,
    build::{self, Owner, Unready},
    fan_out,
    machine::{Pass, values_for},
    outcome::{Failed, stopped},
    valid::ValidStep,
    with::With,
};
use crate::{
    expr::{Item, Values},
    facts::Peer,
    kind::{Action, Intent},
};
use hearth_crds::{
    annotation,
    condition::{ConditionStatus, ConditionType, Reason},
    json::{Json, type_name},
    label,
    trigger::{self, Caller},
    workflow::{
        FailureClass, From as Template, Run, RunPhase, StepPhase, StepStatus, Workflow, WorkflowSpec, WorkflowStatus,
    },
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// How deep runs may call each other.
pub const MAX_DEPTH: u32 = 8;

/// An object that the cache does not show is posted once more after that.
const POST_AGAIN: Duration = Duration::from_secs(5);

/// The Workflow that a step runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Sub {
    /// Its name.
    pub target: String,
    /// The params that it is given.
    pub params: With,
}

/// Names of the run objects that the steps of an object wait for.
pub(super) fn names(cr: &Workflow) -> Vec<String> {
    let owner = Owner::of(cr);
    let run = cr.status.as_ref().and_then(|s| s.run.as_ref()).filter(|r| r.finished_at.is_none());
    let waiting = |s: &&StepStatus| s.phase == StepPhase::Running && s.workflow.is_some();
    let mut names = Vec::new();
    for (run, step) in run.into_iter().flat_map(|r| r.steps.iter().filter(waiting).map(move |s| (r, s))) {
        let target = step.workflow.as_deref().unwrap_or_default();
        match &step.fan_out {
            None => names.push(name(&owner, target, &caller(run, &step.name, None, step.attempt))),
            Some(fan) => names.extend(
                fan_out::open_attempts(fan, step)
                    .map(|(item, attempt)| name(&owner, target, &caller(run, &step.name, Some(item), attempt))),
            ),
        }
    }
    names
}

fn caller(run: &Run, step: &str, item: Option<u32>, attempt: u32) -> Caller {
    Caller { run: run.id.clone(), step: step.to_owned(), item, attempt }
}

fn name(owner: &Owner, target: &str, caller: &Caller) -> String {
    trigger::name(target, &owner.uid, &caller.id())
}

/// The object that asks for the run.
fn object(owner: &Owner, depth: u32, caller: &Caller, sub: &Sub, values: &Values) -> Result<Workflow, Unready> {
    if depth >= MAX_DEPTH {
        let message = format!(
            "runs call each other {MAX_DEPTH} deep already: does {} run itself? Remove steps[].workflow somewhere",
            sub.target
        );
        return Err(Unready { reason: Reason::InvalidSpec, message });
    }
    let params = match sub.params.render(values)? {
        serde_json::Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, Json(value))).collect(),
        _ => BTreeMap::new(),
    };
    let by = format!("step {} of Workflow {}", caller.step, owner.name);
    let mut annotations = trigger::annotations(&owner.uid, &caller.id(), &by);
    annotations.insert(annotation::DEPTH.to_owned(), (depth + 1).to_string());
    let labels = [(label::WORKFLOW, &owner.name), (label::STEP, &caller.step), (label::RUN, &caller.run)];
    Ok(Workflow {
        metadata: ObjectMeta {
            name: Some(name(owner, &sub.target, caller)),
            namespace: Some(owner.namespace.clone()),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()),
            annotations: Some(annotations),
            owner_references: Some(vec![owner.reference()]),
            ..ObjectMeta::default()
        },
        spec: WorkflowSpec { from: Some(Template { workflow: sub.target.clone(), params }), ..WorkflowSpec::default() },
        status: None,
    })
}

impl Pass<'_> {
    /// Whether all that the next attempt is made of can be made.
    pub(super) fn ready(&self, run: &Run, step: &ValidStep, values: &Values) -> Result<(), Unready> {
        match &step.sub {
            Some(sub) => object(self.owner, self.depth, &caller(run, &step.name, None, 0), sub, values).map(drop),
            None => build::render(run, step, values).map(drop),
        }
    }

    /// The attempt is written in the status: from now on it may start.
    pub(super) fn intend(&mut self, run: &Run, step: &ValidStep, item: Option<u32>, attempt: u32, values: &Values) {
        let intent = Intent { run_id: run.id.clone(), step: step.name.clone(), item: item.unwrap_or(0), attempt };
        let Some(sub) = &step.sub else { return self.intents.push(intent) };
        // Whether it can be made was asked before.
        if let Ok(object) = object(self.owner, self.depth, &caller(run, &step.name, item, attempt), sub, values)
            && let Ok(object) = serde_json::to_value(object)
        {
            self.actions.push((Action::PostObject { intent, object: Box::new(object) }, Reason::Accepted));
        }
    }

    /// Takes in what became of the run that an attempt asked for.
    pub(super) fn observe_run(&mut self, run: &mut Run, one: &mut One<'_>, sub: &Sub) {
        let name = name(self.owner, &sub.target, &caller(run, &one.step.name, one.item, one.status.attempt));
        let Some(peer) = self.facts.peers.get(&name) else { return self.not_there(run, one, sub) };
        if peer.controller.as_ref() != Some(&self.owner.uid) {
            return self.name_taken(run, one, &format!("Workflow/{name}"));
        }
        let status = WorkflowStatus::deserialize(&peer.status).unwrap_or_default();
        let ended = status.run.as_ref().zip(status.phase).filter(|(_, phase)| phase.is_terminal());
        match ended {
            Some((of, phase)) => self.run_ended(run, one, &name, of, phase, peer.deleting),
            None if peer.deleting && status.run.is_none() => {
                let message = format!("Workflow {name} was deleted before its run began");
                self.fail(run, one, failed(FailureClass::Infrastructure, Reason::Deleted, message), self.now, None);
            }
            None => self.run_goes_on(run, one, &name, peer, &status),
        }
    }

    /// It may have been made or not: made again, it is the same. Whoever stops waits for nothing, since a run object whose
    /// caller has gone on starts nothing.
    fn not_there(&mut self, run: &mut Run, one: &mut One<'_>, sub: &Sub) {
        let stop = self.stop_of(run, one.status).or(self.no_create.then_some(Reason::Deleted));
        if let Some(stop) = stop {
            return self.fail(run, one, stopped(stop), self.now, None);
        }
        let deadline = one.status.since.unwrap_or(self.now).after(self.spec.pending_timeout);
        if self.now >= deadline {
            let message = format!("the object that runs {} could not be made within spec.pendingTimeout", sub.target);
            return self.fail(
                run,
                one,
                failed(FailureClass::UserError, Reason::PendingTimeout, message),
                self.now,
                None,
            );
        }
        self.wake_at(deadline);
        self.note(&one.step.name, Reason::Accepted, format!("making the object that runs {}", sub.target));
        // It was posted with the intent: the cache has some time to show it.
        let again = one.status.since.unwrap_or(self.now).after(POST_AGAIN);
        if self.now < again {
            return self.wake_at(again);
        }
        let mut values = values_for(run, self.spec, one.step);
        if let Some(index) = one.item {
            let items = fan_out::items(one.step, &values).unwrap_or_default();
            values.item = items.get(index as usize).map(|value| Item { index, value: value.clone() });
        }
        let attempt = one.status.attempt;
        self.intend(run, one.step, one.item, attempt, &values);
    }

    fn run_goes_on(&mut self, run: &mut Run, one: &mut One<'_>, name: &str, peer: &Peer, status: &WorkflowStatus) {
        if let Some(stop) = one.status.stop {
            return self.note(&one.step.name, stop, format!("waiting until Workflow {name} has stopped"));
        }
        let since = one.status.since.unwrap_or(self.now);
        if let Some(deadline) = one.step.timeout.map(|limit| since.after(limit)) {
            if self.now >= deadline {
                one.status.stop = Some(Reason::TimedOut);
                return self.note(&one.step.name, Reason::TimedOut, format!("Workflow {name} is being stopped"));
            }
            self.wake_at(deadline);
        }
        if status.run.is_none() {
            let stalled = status.conditions.iter().find(|c| {
                let observed = c.observed_generation.is_none_or(|g| g == peer.generation);
                c.type_ == ConditionType::Stalled && c.status == ConditionStatus::True && observed
            });
            let waits = status.conditions.iter().find(|c| c.type_ == ConditionType::Ready).map(|c| c.message.as_str());
            let deadline = since.after(self.spec.pending_timeout);
            let over = if self.now < deadline { None } else { Some(waits.unwrap_or("its run has not begun")) };
            if let Some(why) = stalled.map(|c| c.message.as_str()).or(over) {
                let message = format!("Workflow {name} cannot run: {why}");
                return self.fail(
                    run,
                    one,
                    failed(FailureClass::UserError, Reason::RunFailed, message),
                    self.now,
                    None,
                );
            }
            self.wake_at(deadline);
        }
        let progress = status.progress.as_deref().unwrap_or("not begun");
        self.note(&one.step.name, Reason::Running, format!("Workflow {name}: {progress}"));
    }

    fn run_ended(&mut self, run: &mut Run, one: &mut One<'_>, name: &str, of: &Run, phase: RunPhase, deleting: bool) {
        let at = of.finished_at.unwrap_or(self.now).max(one.status.since.unwrap_or(run.started_at));
        let of_run = format!("run {} of Workflow {name}", of.id);
        let end = match (phase, one.status.stop) {
            (RunPhase::Succeeded, _) => match results(&of_run, of, one.step) {
                Ok(outputs) => return self.succeeded(run, one, outputs, BTreeMap::new(), at, None),
                Err((reason, message)) => failed(FailureClass::UserError, reason, message),
            },
            (_, Some(Reason::TimedOut)) => {
                let message = format!("{of_run} took longer than steps[].timeout: raise it, or look for the slow step");
                failed(FailureClass::Application, Reason::TimedOut, message)
            }
            (_, Some(stop)) => stopped(stop),
            (RunPhase::Cancelled, None) if deleting => {
                let message = format!("somebody deleted Workflow {name} while it ran");
                failed(FailureClass::Infrastructure, Reason::Deleted, message)
            }
            (RunPhase::Cancelled, None) => {
                failed(FailureClass::Application, Reason::RunFailed, format!("{of_run} was cancelled"))
            }
            _ => failed(FailureClass::Application, Reason::RunFailed, why(&of_run, of)),
        };
        self.fail(run, one, end, at, None);
    }
}

/// Why a run failed. Of runs that called each other, the one that failed first says it.
fn why(of_run: &str, run: &Run) -> String {
    match &run.failure {
        Some(failure) if failure.reason == Reason::RunFailed => {
            failure.message.split_once(": ").map_or(failure.message.as_str(), |(_, inner)| inner).to_owned()
        }
        Some(failure) => format!("{of_run} failed: {}", failure.message),
        None => format!("{of_run} failed"),
    }
}

fn failed(class: FailureClass, reason: Reason, message: String) -> Failed {
    Failed { class, reason, exit_code: None, message }
}

/// The declared outputs, from the results of the run.
fn results(of_run: &str, run: &Run, step: &ValidStep) -> Result<BTreeMap<String, Json>, (Reason, String)> {
    let mut outputs = BTreeMap::new();
    for (name, of) in &step.outputs {
        let Some(value) = run.results.get(name) else {
            let known = run.results.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "none".to_owned() } else { known };
            let message =
                format!("{of_run} has no result {name}: it has {known}; add it to spec.results of what it runs");
            return Err((Reason::OutputMissing, message));
        };
        if !of.admits(&value.0) {
            let message = format!("result {name} of {of_run} is {}, but {of} is declared", type_name(&value.0));
            return Err((Reason::OutputMistyped, message));
        }
        outputs.insert(name.clone(), value.clone());
    }
    Ok(outputs)
}
