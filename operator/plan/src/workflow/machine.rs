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
    build::{self, Owner},
    digest::pod_name,
    outcome::{self, Failed, Outcome},
    validate::{Valid, ValidStep},
};
use crate::{
    expr::{StepValue, Values},
    facts::{Child, ContainerFact, Facts, PodFact, PodPhase, Post, Refusal},
    kind::{Action, Env, Intent, Note, Subject},
};
use hearth_crds::{
    condition::Reason,
    time::Time,
    workflow::{Approve, AttemptEnd, Failure, FailureClass, Run, StepEnd, StepPhase, StepStatus},
};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};

/// Outputs that a run may hold in its status, as JSON.
pub const MAX_KEPT: usize = 16 * 1024;
/// A terminating pod on an unreachable node counts as lost so long after its grace period.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// A refused POST is tried again after that.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How many ended attempts a step lists.
const LISTED_ENDS: usize = 4;

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
    /// No new step may start.
    pub suspended: bool,
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
}

/// The run's values for expressions.
#[must_use]
pub fn values(run: &Run) -> Values {
    let step = |s: &StepStatus| {
        let outputs = match s.phase {
            StepPhase::Succeeded => Value::Object(s.outputs.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect()),
            StepPhase::Running | StepPhase::Waiting | StepPhase::Failed | StepPhase::Skipped | StepPhase::Cancelled => {
                Value::Null
            }
        };
        StepValue { outputs, phase: s.phase.as_str().to_owned() }
    };
    Values {
        params: run.params.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect(),
        steps: run.steps.iter().filter(|s| s.phase.is_terminal()).map(|s| (s.name.clone(), step(s))).collect(),
        run_id: run.id.clone(),
        run_number: run.number,
        now: run.started_at.to_string(),
    }
}

impl Pass<'_> {
    /// Moves the run as far as what was seen allows.
    pub fn advance(&mut self, run: &mut Run) {
        for index in 0..run.steps.len() {
            self.observe(run, index);
        }
        self.limits(run);
        if run.stop.is_some() {
            self.stop_all(run);
        }
        self.delete_strays(run);
        self.start(run);
    }

    /// Looks again at `at` at the latest.
    pub fn wake_at(&mut self, at: Time) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }

    pub(super) fn note(&mut self, step: &str, reason: Reason, message: impl Into<String>) {
        self.notes.push(Note { subject: Subject::Step(step.to_owned()), reason, message: message.into() });
    }

    fn pod_name(&self, run: &Run, step: &str, attempt: u32) -> String {
        pod_name(&self.owner.name, &self.owner.uid, &run.id, step, attempt)
    }

    fn intent(run: &Run, step: &StepStatus) -> Intent {
        Intent { run_id: run.id.clone(), step: step.name.clone(), item: 0, attempt: step.attempt }
    }

    /// Takes in what became of the current attempt of a step.
    fn observe(&mut self, run: &mut Run, index: usize) {
        let Some(status) = run.steps.get(index).filter(|s| s.phase == StepPhase::Running) else { return };
        let spec = self.spec;
        let Some(step) = spec.steps.iter().find(|s| s.name == status.name) else { return };
        if let Some(message) = &step.approval {
            return self.await_approval(run, index, step, message);
        }
        if status.attempt == 0 {
            return;
        }
        let name = self.pod_name(run, &status.name, status.attempt);
        match self.facts.child(&name) {
            Child::Seen(pod) if pod.placeholder && pod.owned => self.fenced(run, index, step),
            Child::Seen(pod) if !pod.owned => self.name_taken(run, index, step, &format!("Pod/{name}")),
            Child::Seen(pod) if pod.seen_to_end() => self.ended(run, index, step, pod),
            Child::Seen(pod) if pod.gone => self.vanished(run, index, step),
            Child::Seen(pod) if pod.deleting_at.is_some() => self.deleting(run, index, step, pod),
            Child::Seen(pod) => self.live(run, index, step, pod),
            Child::Unseen(Post::Created) => {
                self.note(&step.name, Reason::Accepted, "waiting for the cache to show the pod")
            }
            Child::Unseen(Post::Refused(refusal)) => self.refused(run, index, step, refusal),
            Child::Unseen(Post::Stranger { what }) => self.name_taken(run, index, step, what),
            Child::Unseen(Post::Unfenced(refusal)) => {
                let reason = refusal_reason(refusal);
                self.note(
                    &step.name,
                    reason,
                    format!(
                        "whether the pod was created is unknown, and the placeholder that would tell is refused: {}: {}",
                        advice(reason),
                        refusal.message
                    ),
                );
                self.unknown(run, index, step);
            }
            Child::Unseen(Post::Uncertain) | Child::Unknown => self.unknown(run, index, step),
        }
    }

    /// A stranger has the name. While it does, nothing of ours can start under it: a run that stops need not wait for it,
    /// once a POST that may be under way has been answered.
    fn name_taken(&mut self, run: &mut Run, index: usize, step: &ValidStep, what: &str) {
        let Some(status) = run.steps.get(index) else { return };
        let safe = status.since.unwrap_or(self.now).after(self.env.fence_age);
        if let Some(stop) = run.stop.or(status.stop) {
            if self.now >= safe {
                self.fail(run, index, step, outcome::stopped(stop), self.now, None);
                return;
            }
            self.wake_at(safe);
        }
        self.note(
            &step.name,
            Reason::NameTaken,
            format!("the name of our pod is taken by {what}: delete or rename it"),
        );
        self.wake_at(self.now.after(Duration::from_secs(30)));
    }

    /// The placeholder stands under the attempt's name: nothing runs there, and nothing will.
    fn fenced(&mut self, run: &mut Run, index: usize, step: &ValidStep) {
        let stop = run.steps.get(index).and_then(|s| s.stop);
        match stop {
            Some(reason) => self.fail(run, index, step, outcome::stopped(reason), self.now, None),
            None => {
                let void = Failed {
                    class: FailureClass::Void,
                    reason: Reason::Accepted,
                    exit_code: None,
                    message: "never started".into(),
                };
                self.fail(run, index, step, void, self.now, None);
            }
        }
    }

    /// It may have been posted or not: only the fence can tell.
    fn unknown(&mut self, run: &mut Run, index: usize, step: &ValidStep) {
        let Some(status) = run.steps.get(index) else { return };
        if !self.no_create {
            self.fences.push(Self::intent(run, status));
            return;
        }
        // No placeholder can be made any more. A POST that is still under way lands within that time, and its pod goes with the object.
        let safe = status.since.unwrap_or(self.now).after(self.env.fence_age);
        if self.now >= safe {
            let reason = run.stop.or(status.stop).unwrap_or(Reason::Deleted);
            self.fail(run, index, step, outcome::stopped(reason), self.now, None);
        } else {
            self.note(&step.name, Reason::Deleted, "waiting until a create that may be under way has landed");
            self.wake_at(safe);
        }
    }

    /// It was seen alive, and is gone without a terminal phase.
    fn vanished(&mut self, run: &mut Run, index: usize, step: &ValidStep) {
        if let Some(status) = run.steps.get_mut(index) {
            status.stop.get_or_insert(Reason::PodDeleted);
        }
        if self.no_create {
            let reason = run.steps.get(index).and_then(|s| s.stop).unwrap_or(Reason::PodDeleted);
            self.fail(run, index, step, outcome::stopped(reason), self.now, None);
        } else {
            self.unknown(run, index, step);
        }
    }

    fn deleting(&mut self, run: &mut Run, index: usize, step: &ValidStep, pod: &PodFact) {
        let deadline = pod.deleting_at.unwrap_or(self.now).after(LOST_AFTER);
        if pod.node_unreachable && self.now >= deadline {
            self.fail(run, index, step, outcome::stopped(Reason::NodeLost), self.now, pod.node.clone());
        } else {
            self.note(&step.name, Reason::PodDeleted, "the pod is being deleted");
            if pod.node_unreachable {
                self.wake_at(deadline);
            }
        }
    }

    fn live(&mut self, run: &mut Run, index: usize, step: &ValidStep, pod: &PodFact) {
        if run.stop.is_none()
            && let Some(status) = run.steps.get_mut(index).filter(|s| s.stop == Some(Reason::PodDeleted))
        {
            // The watch had lost it, but it is there: somebody changed its labels.
            status.stop = None;
        }
        if let Some(reason) = run.steps.get(index).and_then(|s| s.stop) {
            self.actions.push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, reason));
            return;
        }
        if let Some(status) = run.steps.get(index) {
            let wanted =
                build::labels(self.owner, &run.id, &step.name, status.attempt, hearth_crds::label::ROLE_ATTEMPT);
            if wanted.iter().any(|(k, v)| k.starts_with("hearth.dev/") && pod.labels.get(k) != Some(v)) {
                self.actions.push((
                    Action::Relabel { name: pod.name.clone(), uid: pod.uid.clone(), labels: wanted },
                    Reason::Healthy,
                ));
            }
        }
        if started(pod) {
            return;
        }
        let (reason, why, hopeless) = pending(pod);
        self.pending(run, index, step, reason, &why, hopeless, Some(pod));
    }

    /// A definite no: nothing was created, and the attempt is not used up.
    fn refused(&mut self, run: &mut Run, index: usize, step: &ValidStep, refusal: &Refusal) {
        let reason = refusal_reason(refusal);
        let stop = run.stop.or(run.steps.get(index).and_then(|s| s.stop));
        if let Some(stop) = stop.or(self.no_create.then_some(Reason::Deleted)) {
            self.fail(run, index, step, outcome::stopped(stop), self.now, None);
            return;
        }
        let hopeless = reason == Reason::PodInvalid;
        let message = format!("{}: {}", advice(reason), refusal.message);
        if !self.pending(run, index, step, reason, &message, hopeless, None) {
            return;
        }
        let again = refusal.at.after(REFUSED_PAUSE);
        if self.now < again {
            self.wake_at(again);
        } else if let Some(status) = run.steps.get(index) {
            self.intents.push(Self::intent(run, status));
        }
    }

    /// A pod that waits. Past the limit, or without hope, its step fails. Whether it may go on waiting.
    #[expect(clippy::too_many_arguments, reason = "one place decides about waiting, whatever is waited for")]
    fn pending(
        &mut self,
        run: &mut Run,
        index: usize,
        step: &ValidStep,
        reason: Reason,
        why: &str,
        hopeless: bool,
        pod: Option<&PodFact>,
    ) -> bool {
        let Some(since) = run.steps.get(index).map(|s| s.since.unwrap_or(self.now)) else { return false };
        let deadline = since.after(self.spec.pending_timeout);
        self.note(&step.name, reason, why);
        if !hopeless && self.now < deadline {
            self.wake_at(deadline);
            return true;
        }
        let stop = if reason == Reason::Accepted { Reason::PendingTimeout } else { reason };
        match pod {
            // The pod exists: it must be gone before the step is over.
            Some(pod) => {
                if let Some(status) = run.steps.get_mut(index) {
                    status.stop = Some(stop);
                    self.actions.push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, stop));
                }
                explain(run, &step.name, stop, None, why);
            }
            None => {
                let end =
                    Failed { class: FailureClass::UserError, reason: stop, exit_code: None, message: why.to_owned() };
                self.fail(run, index, step, end, self.now, None);
            }
        }
        false
    }

    fn ended(&mut self, run: &mut Run, index: usize, step: &ValidStep, pod: &PodFact) {
        let stop = run.steps.get(index).and_then(|s| s.stop);
        // The kubelet tells whole seconds: nothing ends before it began.
        let since = run.steps.get(index).and_then(|s| s.since).unwrap_or(run.started_at);
        let at = outcome::ended_at(pod).unwrap_or(self.now).max(since);
        let end = outcome::conclude(pod, step, stop);
        let wants_log = match &end {
            Outcome::Succeeded(_) => step.keep_log,
            Outcome::Failed(_) => stop.is_none(),
        };
        let ran = !matches!(pod.container, ContainerFact::None | ContainerFact::Waiting { .. });
        if wants_log && ran && !pod.gone && !self.no_create && !self.facts.logs.contains_key(&pod.name) {
            self.actions.push((Action::ReadLog { name: pod.name.clone() }, Reason::Running));
            self.note(&step.name, Reason::Running, "reading the end of the log before the attempt is recorded");
            return;
        }
        match end {
            Outcome::Failed(failed) => self.fail(run, index, step, failed, at, pod.node.clone()),
            Outcome::Succeeded(outputs) => {
                let kept: BTreeMap<_, _> = outputs.into_iter().filter(|(name, _)| step.kept.contains(name)).collect();
                let size = |outputs: &BTreeMap<_, _>| {
                    serde_json::to_vec(outputs).map_or(usize::MAX, |v| if outputs.is_empty() { 0 } else { v.len() })
                };
                let held: usize = run.steps.iter().map(|s| size(&s.outputs)).sum();
                if held.saturating_add(size(&kept)) > MAX_KEPT {
                    let message = format!(
                        "the outputs that expressions read are more than {MAX_KEPT} bytes in this run: write less, or read fewer of them"
                    );
                    let end = Failed {
                        class: FailureClass::UserError,
                        reason: Reason::OutputsTooLong,
                        exit_code: Some(0),
                        message,
                    };
                    self.fail(run, index, step, end, at, pod.node.clone());
                } else if let Some(status) = run.steps.get_mut(index) {
                    status.outputs = kept;
                    finish(status, StepPhase::Succeeded, None, at);
                }
            }
        }
    }

    /// The current attempt is over and did not succeed: another one, or the step's end.
    fn fail(&mut self, run: &mut Run, index: usize, step: &ValidStep, end: Failed, at: Time, node: Option<String>) {
        let stopping = run.stop;
        let Some(status) = run.steps.get_mut(index) else { return };
        let attempt = status.attempt;
        status.ended.push(AttemptEnd {
            attempt,
            class: end.class,
            reason: end.reason,
            exit_code: end.exit_code,
            node,
            at,
        });
        if status.ended.len() > LISTED_ENDS {
            status.ended.remove(0);
        }
        match end.class {
            FailureClass::Application | FailureClass::UserError => status.application += 1,
            FailureClass::Infrastructure => status.infrastructure += 1,
            FailureClass::Void | FailureClass::Stopped => {}
        }
        status.stop = None;
        if let Some(reason) = stopping {
            finish(status, StepPhase::Cancelled, Some(reason), at);
            return;
        }
        if outcome::tries_again(&end, status.application, status.infrastructure, &step.retry) {
            let pause = match end.class {
                FailureClass::Void => Duration::ZERO,
                FailureClass::Infrastructure => step.retry.pause(status.infrastructure),
                FailureClass::Application | FailureClass::UserError | FailureClass::Stopped => {
                    step.retry.pause(status.application)
                }
            };
            status.phase = StepPhase::Waiting;
            status.retry_at = Some(at.after(pause));
            return;
        }
        let phase = if end.class == FailureClass::Stopped { StepPhase::Cancelled } else { StepPhase::Failed };
        finish(status, phase, Some(end.reason), at);
        explain(run, &step.name, end.reason, end.exit_code, &end.message);
    }

    /// The limits of the whole run.
    fn limits(&mut self, run: &mut Run) {
        let over = |name: &str| run.steps.iter().any(|s| s.name == name && s.phase.is_terminal());
        if run.stop.is_some() || self.spec.steps.iter().all(|s| over(&s.name)) {
            return;
        }
        if let Some(limit) = self.spec.timeout {
            let deadline = run.started_at.after(limit);
            if self.now >= deadline {
                run.stop = Some(Reason::TimedOut);
                run.failure.get_or_insert(Failure {
                    step: None,
                    attempt: None,
                    reason: Reason::TimedOut,
                    exit_code: None,
                    message: "the run took longer than spec.timeout: raise it, or look for the slow step".into(),
                });
                return;
            }
            self.wake_at(deadline);
        }
        if self.spec.fail_fast && run.steps.iter().any(|s| s.phase == StepPhase::Failed) {
            run.stop = Some(Reason::FailFast);
        }
    }

    /// Brings every attempt of the run to its end.
    fn stop_all(&mut self, run: &mut Run) {
        let Some(reason) = run.stop else { return };
        for index in 0..run.steps.len() {
            let Some(status) = run.steps.get_mut(index) else { continue };
            match status.phase {
                StepPhase::Waiting => finish(status, StepPhase::Cancelled, Some(reason), self.now),
                // It waits for a person.
                StepPhase::Running if status.attempt == 0 => {
                    finish(status, StepPhase::Cancelled, Some(reason), self.now)
                }
                StepPhase::Running => {
                    if status.stop.is_none() {
                        status.stop = Some(reason);
                        let name = pod_name(&self.owner.name, &self.owner.uid, &run.id, &status.name, status.attempt);
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
            if !run.steps.iter().any(|s| s.name == step.name) {
                run.steps.push(never_started(&step.name, StepPhase::Skipped, reason, self.now));
            }
        }
    }

    /// Deletes live pods of ours whose attempt is void or over, of this run and of earlier ones.
    fn delete_strays(&mut self, run: &Run) {
        let current: Vec<String> = run
            .steps
            .iter()
            .filter(|s| s.phase == StepPhase::Running)
            .map(|s| self.pod_name(run, &s.name, s.attempt))
            .collect();
        for pod in self.facts.pods.values() {
            let live = pod.owned && !pod.placeholder && !pod.gone && pod.deleting_at.is_none() && !pod.seen_to_end();
            if live && !current.contains(&pod.name) {
                self.actions
                    .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Deleted));
            }
        }
    }

    /// Skips what can never start, and starts what can.
    fn start(&mut self, run: &mut Run) {
        if run.stop.is_some() || self.no_create {
            return;
        }
        self.settle(run);
        let spec = self.spec;
        let mut active = run.steps.iter().filter(|s| s.phase == StepPhase::Running && s.attempt > 0).count();
        for step in &spec.steps {
            let listed = run.steps.iter().position(|s| s.name == step.name);
            let may_start = match listed.and_then(|i| run.steps.get(i)) {
                Some(s) if s.phase == StepPhase::Waiting => self.retry_is_due(s),
                Some(_) => false,
                None => needs(run, step) == Needs::Met,
            };
            if !may_start {
                continue;
            }
            if self.suspended {
                self.note(&step.name, Reason::Suspended, "spec.suspend is true");
                continue;
            }
            if let Some(message) = &step.approval {
                self.ask(run, step, message);
                continue;
            }
            if active >= self.spec.parallelism {
                self.note(&step.name, Reason::Running, "waiting for room within parallelism");
                continue;
            }
            if self.begin(run, listed, step) {
                active += 1;
            }
        }
        // A step that failed to begin settles those after it.
        self.settle(run);
        self.sort(run);
    }

    fn retry_is_due(&mut self, status: &StepStatus) -> bool {
        match status.retry_at {
            Some(at) if at > self.now => {
                self.wake_at(at);
                false
            }
            Some(_) | None => true,
        }
    }

    /// Writes the intent of the next attempt of a step. Whether it starts.
    fn begin(&mut self, run: &mut Run, listed: Option<usize>, step: &ValidStep) -> bool {
        let values = values(run);
        if let Err(e) = build::render(step, &values) {
            let mut status = never_started(&step.name, StepPhase::Failed, Reason::ExpressionFailed, self.now);
            match listed.and_then(|i| run.steps.get_mut(i)) {
                Some(old) => finish(old, StepPhase::Failed, Some(Reason::ExpressionFailed), self.now),
                None => {
                    status.finished_at = Some(self.now);
                    run.steps.push(status);
                }
            }
            explain(run, &step.name, Reason::ExpressionFailed, None, &e.to_string());
            return false;
        }
        if listed.is_none() {
            run.steps.push(StepStatus {
                started_at: Some(self.now),
                finished_at: None,
                reason: None,
                ..never_started(&step.name, StepPhase::Running, Reason::Running, self.now)
            });
        }
        let Some(status) = run.steps.iter_mut().find(|s| s.name == step.name) else { return false };
        status.phase = StepPhase::Running;
        status.attempt += 1;
        status.since = Some(self.now);
        status.retry_at = None;
        status.reason = None;
        let intent = Intent { run_id: run.id.clone(), step: step.name.clone(), item: 0, attempt: status.attempt };
        self.intents.push(intent);
        true
    }

    /// Skips steps whose needs failed or whose `when` is false, until nothing changes.
    fn settle(&mut self, run: &mut Run) {
        let spec = self.spec;
        for step in &spec.steps {
            if run.steps.iter().any(|s| s.name == step.name) {
                continue;
            }
            match needs(run, step) {
                Needs::Open => {}
                Needs::Unmet(reason) => run.steps.push(never_started(&step.name, StepPhase::Skipped, reason, self.now)),
                Needs::Met => match step.when.as_ref().map(|w| w.render_condition(&values(run))) {
                    None | Some(Ok(true)) => {}
                    Some(Ok(false)) => {
                        run.steps.push(never_started(&step.name, StepPhase::Skipped, Reason::WhenFalse, self.now))
                    }
                    Some(Err(e)) => {
                        run.steps.push(never_started(
                            &step.name,
                            StepPhase::Failed,
                            Reason::ExpressionFailed,
                            self.now,
                        ));
                        explain(run, &step.name, Reason::ExpressionFailed, None, &e.to_string());
                    }
                },
            }
        }
        self.sort(run);
    }

    /// Steps are listed in the order of the spec, whatever order they started in.
    fn sort(&self, run: &mut Run) {
        let place = |name: &str| self.spec.steps.iter().position(|s| s.name == name);
        run.steps.sort_by_key(|s| place(&s.name));
    }
}

/// Whether the container runs or ran.
#[must_use]
pub fn started(pod: &PodFact) -> bool {
    match pod.container {
        ContainerFact::Running { .. } | ContainerFact::Ended { .. } => true,
        ContainerFact::None | ContainerFact::Waiting { .. } => {
            matches!(pod.phase, PodPhase::Running | PodPhase::Succeeded | PodPhase::Failed)
        }
    }
}

/// The kubelet tells of one failed pull in turns as it happens and as it is waited out: what both say is the cause.
fn pull_error(message: &str) -> &str {
    message.split_once("ErrImagePull: ").map_or(message, |(_, cause)| cause)
}

/// Why a pod does not run yet: the reason, what to do, and whether waiting is in vain.
fn pending(pod: &PodFact) -> (Reason, String, bool) {
    if let ContainerFact::Waiting { reason, message } = &pod.container {
        match reason.as_str() {
            "InvalidImageName"
            | "ErrImagePull"
            | "ImagePullBackOff"
            | "ErrImageNeverPull"
            | "RegistryUnavailable"
            | "ImageInspectError" => {
                let why = format!("{}: {}", advice(Reason::ImagePullFailed), pull_error(message));
                return (Reason::ImagePullFailed, why, reason == "InvalidImageName");
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                return (
                    Reason::ContainerCannotRun,
                    format!("{}: {message}", advice(Reason::ContainerCannotRun)),
                    false,
                );
            }
            _ => {}
        }
    }
    match &pod.unscheduled {
        Some((_, message)) => (Reason::Unschedulable, format!("{}: {message}", advice(Reason::Unschedulable)), false),
        None => (Reason::Accepted, "the pod is starting".into(), false),
    }
}

fn refusal_reason(refusal: &Refusal) -> Reason {
    match refusal.code {
        400 | 422 => Reason::PodInvalid,
        403 if refusal.message.contains("exceeded quota") || refusal.message.contains("failed quota") => {
            Reason::QuotaExceeded
        }
        403 => Reason::PodRefused,
        _ => Reason::Accepted,
    }
}

/// What to do about it, in a few words.
#[must_use]
pub fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::QuotaExceeded => "the namespace's quota leaves no room: raise it, or wait for other pods to end",
        Reason::PodRefused => "an admission rule refuses the pod: change steps[].pod, or ask the administrator",
        Reason::PodInvalid => "the API server calls the pod invalid: change the field that it names",
        Reason::Unschedulable => "no node can take the pod: change resources, gpu or nodeSelector, or add nodes",
        Reason::ImagePullFailed => "the image cannot be pulled: check its name and imagePullSecrets",
        Reason::ContainerCannotRun => "the container cannot be made: check the Secrets and ConfigMaps that it names",
        Reason::PendingTimeout => "the pod did not start within spec.pendingTimeout",
        _ => "the API server asks to try again later",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Some have not ended.
    Open,
    /// All ended well.
    Met,
    /// One ended otherwise than it must; why the step is skipped.
    Unmet(Reason),
}

/// Skipped by its own `when` is a good end; skipped for another reason is not. What `after` lists is met to the letter.
fn needs(run: &Run, step: &ValidStep) -> Needs {
    let mut all = Needs::Met;
    for need in &step.needs {
        match run.steps.iter().find(|s| s.name == *need) {
            Some(s) if !s.phase.is_terminal() => all = Needs::Open,
            None => all = Needs::Open,
            Some(s) if step.after.contains_key(need) => {
                let met = end_of(s.phase).zip(step.after.get(need)).is_some_and(|(end, wanted)| wanted.contains(&end));
                if !met {
                    return Needs::Unmet(Reason::OutcomeUnmet);
                }
            }
            Some(s) => match s.phase {
                StepPhase::Succeeded => {}
                StepPhase::Skipped if s.reason == Some(Reason::WhenFalse) => {}
                StepPhase::Skipped
                | StepPhase::Failed
                | StepPhase::Cancelled
                | StepPhase::Running
                | StepPhase::Waiting => return Needs::Unmet(Reason::NeedFailed),
            },
        }
    }
    all
}

fn end_of(phase: StepPhase) -> Option<StepEnd> {
    match phase {
        StepPhase::Succeeded => Some(StepEnd::Succeeded),
        StepPhase::Failed => Some(StepEnd::Failed),
        StepPhase::Skipped => Some(StepEnd::Skipped),
        StepPhase::Cancelled => Some(StepEnd::Cancelled),
        StepPhase::Running | StepPhase::Waiting => None,
    }
}

/// A step that succeeded in an earlier run, as a later one takes it over.
pub fn taken_over(from: &StepStatus, now: Time) -> StepStatus {
    StepStatus { outputs: from.outputs.clone(), ..never_started(&from.name, StepPhase::Succeeded, Reason::Reused, now) }
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
    let attempt = run.steps.iter().find(|s| s.name == step).map(|s| s.attempt).filter(|a| *a > 0);
    let text: String = format!("step {step}: {message}").chars().take(800).collect();
    run.failure.get_or_insert(Failure { step: Some(step.to_owned()), attempt, reason, exit_code, message: text });
}
