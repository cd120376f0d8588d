//! One pass over a run that is under way.
//!
//! ```text
//! (not listed) ──needs ended well──▶ Running(n) ──pod ended well──▶ Succeeded
//!      │                             │  ▲   └──pod failed──▶ Waiting ──retryAt──▶ Running(n+1)
//!      │ need failed, when false     │  └── fenced: void, Running(n+1)
//!      ▼                             ▼ failed for good, stopped
//!   Skipped                       Failed, Cancelled
//! ```

use super::{
    attempt::{One, size},
    build::Owner,
    conclude,
    digest::pod_name,
    fan_out::{open_attempts, outputs, stop_items},
    valid::{Valid, ValidStep},
};
use crate::{
    expr::{StepValue, Values},
    facts::{Child, Facts},
    kind::{Action, Env, Intent, Note, Subject},
    work::Sought,
};
use hearth_crds::{
    condition::Reason,
    time::Time,
    workflow::{Approve, Failure, Run, StepPhase, StepStatus},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What a pass over a run needs, and what it finds.
pub struct Pass<'a> {
    /// Whose run it is.
    pub owner: &'a Owner,
    /// The pinned spec.
    pub spec: &'a Valid,
    /// What was seen.
    pub facts: &'a Facts,
    /// What is the same everywhere.
    pub env: &'a Env,
    /// The time of the pass.
    pub now: Time,
    /// `spec.approve`.
    pub approvals: &'a [Approve],
    /// How many runs called each other to come to this one.
    pub depth: u32,
    /// No new step may start.
    pub suspended: bool,
    /// The step on exit must end too, and why.
    pub stop_exit: Option<Reason>,
    /// Nothing may be created: the object or its namespace is being deleted.
    pub no_create: bool,
    /// Attempts to post.
    pub intents: Vec<Intent>,
    /// Attempts to fence.
    pub fences: Vec<Intent>,
    /// Other things to do.
    pub actions: Vec<(Action, Reason)>,
    /// Why things are not done.
    pub notes: Vec<Note>,
    /// When to look again.
    pub wake: Option<Time>,
    /// Bytes of outputs that the run holds.
    pub held: usize,
    /// Work that is looked for among what was done before.
    pub sought: Vec<Sought>,
    /// The status is written at once: something waits for its record.
    pub urgent: bool,
}

/// The run's values for expressions that may read any step.
#[must_use]
pub fn values(run: &Run) -> Values {
    values_of(run, run.steps.iter())
}

/// The same with no more than these steps.
fn values_of<'a>(run: &Run, steps: impl Iterator<Item = &'a StepStatus>) -> Values {
    let step = |s: &StepStatus| {
        let outputs = match s.phase {
            StepPhase::Succeeded if s.fan_out.is_some() => s.fan_out.as_deref().map_or(Value::Null, outputs),
            StepPhase::Succeeded => Value::Object(s.outputs.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect()),
            StepPhase::Running | StepPhase::Waiting | StepPhase::Failed | StepPhase::Skipped | StepPhase::Cancelled => {
                Value::Null
            }
        };
        StepValue { outputs, phase: s.phase.as_str().to_owned() }
    };
    Values {
        params: run.params.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect(),
        steps: steps.filter(|s| s.phase.is_terminal()).map(|s| (s.name.clone(), step(s))).collect(),
        run_id: run.id.clone(),
        run_number: run.number,
        run_phase: None,
        item: None,
        now: run.started_at.to_string(),
    }
}

/// The values that a step reads: the one on exit knows how the run ended.
#[must_use]
pub fn values_for(run: &Run, spec: &Valid, step: &ValidStep) -> Values {
    let run_phase = spec.is_exit(&step.name).then(|| conclude::verdict(run, spec).0.as_str().to_owned());
    Values { run_phase, ..values_of(run, step.reads.iter().filter_map(|name| run.steps.named(name))) }
}

impl Pass<'_> {
    /// Moves the run as far as what was seen allows.
    pub fn advance(&mut self, run: &mut Run) {
        if let Some(reason) = self.stop_exit {
            self.stop_exit(run, reason);
        }
        self.drop_recorded_hits(run);
        self.held = run.steps.iter().map(held).sum();
        for index in 0..run.steps.len() {
            self.observe(run, index);
        }
        self.limits(run);
        if run.stop.is_some() {
            self.stop_all(run);
        }
        self.delete_strays(run);
        self.start(run);
        self.start_exit(run);
    }

    /// Looks again at `at` at the latest.
    pub fn wake_at(&mut self, at: Time) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }

    pub(super) fn note(&mut self, step: &str, reason: Reason, message: impl Into<String>) {
        self.notes.push(Note { subject: Subject::Step(step.to_owned()), reason, message: message.into() });
    }

    pub(super) fn pod_name(&self, run: &Run, step: &str, item: Option<u32>, attempt: u32) -> String {
        pod_name(&self.owner.name, &self.owner.uid, &run.id, step, item, attempt)
    }

    /// Why the current attempt of a step must end. What stops the run does not stop the step that follows its end.
    pub(super) fn stop_of(&self, run: &Run, status: &StepStatus) -> Option<Reason> {
        run.stop.filter(|_| !self.spec.is_exit(&status.name)).or(status.stop)
    }

    pub(super) fn intent(run: &Run, one: &One<'_>) -> Intent {
        Intent {
            run_id: run.id.clone(),
            step: one.step.name.clone(),
            item: one.item.unwrap_or(0),
            attempt: one.status.attempt,
        }
    }

    /// The limits of the whole run.
    fn limits(&mut self, run: &mut Run) {
        if run.stop.is_some() || conclude::steps_are_over(run, self.spec) {
            return;
        }
        if let Some(limit) = self.spec.timeout {
            let deadline = run.started_at.after(limit);
            if self.now >= deadline {
                run.stop = Some(Reason::TimedOut);
                run.failure.get_or_insert(Failure {
                    step: None,
                    item: None,
                    attempt: None,
                    reason: Reason::TimedOut,
                    exit_code: None,
                    message: "the run took longer than spec.timeout: raise it, or look for the slow step".into(),
                });
                return;
            }
            self.wake_at(deadline);
        }
        let failed = |s: &StepStatus| s.fan_out.as_ref().is_some_and(|f| !f.failed.is_empty());
        if self.spec.fail_fast && run.steps.iter().any(|s| s.phase == StepPhase::Failed || failed(s)) {
            run.stop = Some(Reason::FailFast);
        }
    }

    /// Brings every attempt of the run to its end.
    fn stop_all(&mut self, run: &mut Run) {
        let Some(reason) = run.stop else { return };
        let exit = self.spec.on_exit.as_ref().map(|s| s.name.as_str());
        for index in 0..run.steps.len() {
            let Some(status) = run.steps.get_mut(index).filter(|s| Some(s.name.as_str()) != exit) else { continue };
            match status.phase {
                StepPhase::Waiting => finish(status, StepPhase::Cancelled, Some(reason), self.now),
                StepPhase::Running if status.fan_out.is_some() => stop_items(status, reason, self.now),
                // It waits for a person.
                StepPhase::Running if status.attempt == 0 => {
                    finish(status, StepPhase::Cancelled, Some(reason), self.now)
                }
                StepPhase::Running => {
                    if status.stop.is_none() {
                        status.stop = Some(reason);
                        let name =
                            pod_name(&self.owner.name, &self.owner.uid, &run.id, &status.name, None, status.attempt);
                        if let Child::Seen(pod) = self.facts.child(&name)
                            && pod.owned
                            && !pod.placeholder
                            && !pod.gone
                            && pod.deleting_at.is_none()
                            && !pod.seen_to_end()
                        {
                            self.actions.push((Action::DeletePod { name, uid: pod.uid.clone() }, reason));
                        }
                    }
                }
                StepPhase::Succeeded | StepPhase::Failed | StepPhase::Skipped | StepPhase::Cancelled => {}
            }
        }
        for step in &self.spec.steps {
            if run.steps.named(&step.name).is_none() {
                run.steps.push(never_started(&step.name, StepPhase::Skipped, reason, self.now));
            }
        }
    }

    /// Deletes live pods of ours whose attempt is void or over, of this run and of earlier ones.
    fn delete_strays(&mut self, run: &Run) {
        let mut current = BTreeSet::new();
        for status in run.steps.iter().filter(|s| s.phase == StepPhase::Running) {
            match &status.fan_out {
                None => {
                    current.insert(self.pod_name(run, &status.name, None, status.attempt));
                }
                Some(fan) => current.extend(
                    open_attempts(fan, status)
                        .map(|(item, attempt)| self.pod_name(run, &status.name, Some(item), attempt)),
                ),
            }
        }
        for pod in self.facts.pods() {
            let live = pod.owned && !pod.placeholder && !pod.gone && pod.deleting_at.is_none() && !pod.seen_to_end();
            if live && !current.contains(&pod.name) {
                self.actions
                    .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Deleted));
            }
        }
    }
}

/// Steps are listed in the order of the spec, whatever order they started in.
pub(super) fn sort(run: &mut Run, spec: &Valid) {
    run.steps.sort_by_key(|s| spec.position(&s.name).unwrap_or(usize::MAX));
}

/// Bytes of outputs that a step holds.
pub(super) fn held(status: &StepStatus) -> usize {
    let items = status.fan_out.iter().flat_map(|f| f.outputs.values()).map(size).sum::<usize>();
    size(&status.outputs).saturating_add(size(&status.artifacts)).saturating_add(items)
}

pub(super) fn never_started(name: &str, phase: StepPhase, reason: Reason, now: Time) -> StepStatus {
    StepStatus {
        name: name.to_owned(),
        phase,
        attempt: 0,
        since: None,
        started_at: None,
        finished_at: Some(now),
        retry_at: None,
        stop: None,
        application: 0,
        infrastructure: 0,
        ended: Vec::new(),
        reason: Some(reason),
        outputs: BTreeMap::new(),
        artifacts: BTreeMap::new(),
        workflow: None,
        cache: None,
        fan_out: None,
    }
}

pub(super) fn finish(status: &mut StepStatus, phase: StepPhase, reason: Option<Reason>, at: Time) {
    status.phase = phase;
    status.reason = reason;
    status.finished_at = Some(at);
    status.retry_at = None;
    status.stop = None;
}

/// Explains the first failure of a run; later ones are rows of history.
pub(super) fn explain(run: &mut Run, step: &str, reason: Reason, exit_code: Option<i32>, message: &str) {
    let attempt = run.steps.named(step).map(|s| s.attempt).filter(|a| *a > 0);
    explain_at(run, step, None, attempt, reason, exit_code, message);
}

/// The same, of an item of a step.
pub(super) fn explain_at(
    run: &mut Run,
    step: &str,
    item: Option<u32>,
    attempt: Option<u32>,
    reason: Reason,
    exit_code: Option<i32>,
    message: &str,
) {
    let which = item.map(|index| format!("[{index}]")).unwrap_or_default();
    let message: String = format!("step {step}{which}: {message}").chars().take(800).collect();
    run.failure.get_or_insert(Failure { step: Some(step.to_owned()), item, attempt, reason, exit_code, message });
}
