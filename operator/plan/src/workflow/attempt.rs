//! What became of the current attempt of a step, and what follows from it.

use super::{
    build, cache,
    machine::{Pass, explain_at, finish},
    outcome::{self, Failed, Outcome, Written},
    valid::ValidStep,
    waiting::{advice, pending, refusal_reason, started},
};
use crate::{
    facts::{Child, ContainerFact, PodFact, Post, Refusal},
    kind::Action,
};
use hearth_crds::{
    artifacts::StoredArtifact,
    condition::Reason,
    json::Json,
    time::Time,
    workflow::{AttemptEnd, FailureClass, Logs, Run, StepPhase, StepStatus},
};
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// Outputs that a run may hold in its status, as JSON.
pub const MAX_KEPT: usize = 16 * 1024;
/// A terminating pod on an unreachable node counts as lost so long after its grace period.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// A refused POST is tried again after that.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
/// How many ended attempts a step lists.
const LISTED_ENDS: usize = 4;

/// What is looked at: a step, or one item of it.
pub(super) struct One<'s> {
    /// Its status.
    pub(super) status: &'s mut StepStatus,
    /// What it runs.
    pub(super) step: &'s ValidStep,
    /// The item, when the step has several.
    pub(super) item: Option<u32>,
}

impl Pass<'_> {
    /// Takes in what became of the current attempt of a step, or of its items.
    pub(super) fn observe(&mut self, run: &mut Run, index: usize) {
        let Some(status) = run.steps.get(index).filter(|s| s.phase == StepPhase::Running) else { return };
        let spec = self.spec;
        let Some(step) = spec.step(&status.name) else { return };
        if let Some(message) = &step.approval {
            return self.await_approval(run, index, step, message);
        }
        let mut status = status.clone();
        if status.fan_out.is_some() {
            self.observe_items(run, &mut status, step);
        } else if status.attempt > 0 {
            self.observe_one(run, &mut One { status: &mut status, step, item: None });
        }
        if let Some(kept) = run.steps.get_mut(index) {
            *kept = status;
        }
    }

    /// Takes in what became of the current attempt.
    pub(super) fn observe_one(&mut self, run: &mut Run, one: &mut One<'_>) {
        if let Some(sub) = &one.step.sub {
            return self.observe_run(run, one, sub);
        }
        let name = self.pod_name(run, &one.step.name, one.item, one.status.attempt);
        match self.facts.child(&name) {
            Child::Seen(pod) if pod.placeholder && pod.owned => self.fenced(run, one),
            Child::Seen(pod) if !pod.owned => self.name_taken(run, one, &format!("Pod/{name}")),
            Child::Seen(pod) if pod.seen_to_end() => self.ended(run, one, pod),
            Child::Seen(pod) if pod.gone => self.vanished(run, one),
            Child::Seen(pod) if pod.deleting_at.is_some() => self.deleting(run, one, pod),
            Child::Seen(pod) => self.live(run, one, pod),
            Child::Unseen(Post::Created) => {
                self.note(&one.step.name, Reason::Accepted, "waiting for the cache to show the pod")
            }
            Child::Unseen(Post::Refused(refusal)) => self.refused(run, one, refusal),
            Child::Unseen(Post::Stranger { what }) => self.name_taken(run, one, what),
            Child::Unseen(Post::Unfenced(refusal)) => {
                let reason = refusal_reason(refusal);
                self.note(
                    &one.step.name,
                    reason,
                    format!(
                        "whether the pod was created is unknown, and the placeholder that would tell is refused: {}: {}",
                        advice(reason),
                        refusal.message
                    ),
                );
                self.unknown(run, one);
            }
            Child::Unseen(Post::Uncertain) | Child::Unknown => self.unknown(run, one),
        }
    }

    /// A stranger has the name. While it does, nothing of ours can start under it: a run that stops need not wait for it,
    /// once a POST that may be under way has been answered.
    pub(super) fn name_taken(&mut self, run: &mut Run, one: &mut One<'_>, what: &str) {
        let safe = one.status.since.unwrap_or(self.now).after(self.env.fence_age);
        if let Some(stop) = self.stop_of(run, one.status) {
            if self.now >= safe {
                self.fail(run, one, outcome::stopped(stop), self.now, None);
                return;
            }
            self.wake_at(safe);
        }
        self.note(
            &one.step.name,
            Reason::NameTaken,
            format!("the name of our pod is taken by {what}: delete or rename it"),
        );
        self.wake_at(self.now.after(Duration::from_secs(30)));
    }

    /// The placeholder stands under the attempt's name: nothing runs there, and nothing will.
    fn fenced(&mut self, run: &mut Run, one: &mut One<'_>) {
        let stop = one.status.stop;
        match stop {
            Some(reason) => self.fail(run, one, outcome::stopped(reason), self.now, None),
            None => {
                let void = Failed {
                    class: FailureClass::Void,
                    reason: Reason::Accepted,
                    exit_code: None,
                    message: "never started".into(),
                };
                self.fail(run, one, void, self.now, None);
            }
        }
    }

    /// It may have been posted or not: only the fence can tell.
    fn unknown(&mut self, run: &mut Run, one: &mut One<'_>) {
        if !self.no_create {
            self.fences.push(Self::intent(run, one));
            return;
        }
        // No placeholder can be made any more. A POST that is still under way lands within that time, and its pod goes with the object.
        let safe = one.status.since.unwrap_or(self.now).after(self.env.fence_age);
        if self.now >= safe {
            let reason = self.stop_of(run, one.status).unwrap_or(Reason::Deleted);
            self.fail(run, one, outcome::stopped(reason), self.now, None);
        } else {
            self.note(&one.step.name, Reason::Deleted, "waiting until a create that may be under way has landed");
            self.wake_at(safe);
        }
    }

    /// It was seen alive, and is gone without a terminal phase.
    fn vanished(&mut self, run: &mut Run, one: &mut One<'_>) {
        one.status.stop.get_or_insert(Reason::PodDeleted);
        if self.no_create {
            let reason = one.status.stop.unwrap_or(Reason::PodDeleted);
            self.fail(run, one, outcome::stopped(reason), self.now, None);
        } else {
            self.unknown(run, one);
        }
    }

    fn deleting(&mut self, run: &mut Run, one: &mut One<'_>, pod: &PodFact) {
        let deadline = pod.deleting_at.unwrap_or(self.now).after(LOST_AFTER);
        if pod.node_unreachable && self.now >= deadline {
            self.fail(run, one, outcome::stopped(Reason::NodeLost), self.now, pod.node.clone());
        } else {
            self.note(&one.step.name, Reason::PodDeleted, "the pod is being deleted");
            if pod.node_unreachable {
                self.wake_at(deadline);
            }
        }
    }

    fn live(&mut self, run: &mut Run, one: &mut One<'_>, pod: &PodFact) {
        let stops = run.stop.is_some() && !self.spec.is_exit(&one.step.name);
        if !stops && one.status.stop == Some(Reason::PodDeleted) {
            // The watch had lost it, but it is there: somebody changed its labels.
            one.status.stop = None;
        }
        if let Some(reason) = one.status.stop {
            self.actions.push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, reason));
            return;
        }
        let wanted = build::attempt_labels(self.owner, &Self::intent(run, one), one.step, one.item);
        if wanted.iter().any(|(k, v)| k.starts_with("hearth.dev/") && pod.labels.get(k) != Some(v)) {
            self.actions.push((
                Action::Relabel { name: pod.name.clone(), uid: pod.uid.clone(), labels: wanted },
                Reason::Healthy,
            ));
        }
        if started(pod) {
            return;
        }
        let (reason, why, hopeless) = pending(pod);
        self.pending(run, one, reason, &why, hopeless, Some(pod));
    }

    /// A definite no: nothing was created, and the attempt is not used up.
    fn refused(&mut self, run: &mut Run, one: &mut One<'_>, refusal: &Refusal) {
        let reason = refusal_reason(refusal);
        let stop = self.stop_of(run, one.status);
        if let Some(stop) = stop.or(self.no_create.then_some(Reason::Deleted)) {
            self.fail(run, one, outcome::stopped(stop), self.now, None);
            return;
        }
        let hopeless = reason == Reason::PodInvalid;
        let message = format!("{}: {}", advice(reason), refusal.message);
        if !self.pending(run, one, reason, &message, hopeless, None) {
            return;
        }
        let again = refusal.at.after(REFUSED_PAUSE);
        if self.now < again {
            self.wake_at(again);
        } else {
            self.intents.push(Self::intent(run, one));
        }
    }

    /// A pod that waits. Past the limit, or without hope, its step fails. Whether it may go on waiting.
    fn pending(
        &mut self,
        run: &mut Run,
        one: &mut One<'_>,
        reason: Reason,
        why: &str,
        hopeless: bool,
        pod: Option<&PodFact>,
    ) -> bool {
        let deadline = one.status.since.unwrap_or(self.now).after(self.spec.pending_timeout);
        self.note(&one.step.name, reason, why);
        if !hopeless && self.now < deadline {
            self.wake_at(deadline);
            return true;
        }
        let stop = if reason == Reason::Accepted { Reason::PendingTimeout } else { reason };
        match pod {
            // The pod exists: it must be gone before the step is over.
            Some(pod) => {
                one.status.stop = Some(stop);
                self.actions.push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, stop));
                explain_one(run, one, stop, None, why);
            }
            None => {
                let end =
                    Failed { class: FailureClass::UserError, reason: stop, exit_code: None, message: why.to_owned() };
                self.fail(run, one, end, self.now, None);
            }
        }
        false
    }

    fn ended(&mut self, run: &mut Run, one: &mut One<'_>, pod: &PodFact) {
        let stop = one.status.stop;
        // The kubelet tells whole seconds: nothing ends before it began.
        let since = one.status.since.unwrap_or(run.started_at);
        let at = outcome::ended_at(pod).unwrap_or(self.now).max(since);
        let end = outcome::conclude(pod, one.step, stop);
        let wants_log = match &end {
            Outcome::Succeeded(_) => one.step.logs != Logs::Tail,
            Outcome::Failed(_) => stop.is_none(),
        };
        let ran = !pod.fetching && !matches!(pod.container, ContainerFact::None | ContainerFact::Waiting { .. });
        if wants_log && ran && !pod.gone && !self.no_create && !self.facts.logs.contains_key(&pod.name) {
            self.actions.push((Action::ReadLog { name: pod.name.clone() }, Reason::Running));
            self.note(&one.step.name, Reason::Running, "reading the end of the log before the attempt is recorded");
            return;
        }
        match end {
            Outcome::Failed(failed) => self.fail(run, one, failed, at, pod.node.clone()),
            Outcome::Succeeded(Written { outputs, artifacts }) => {
                self.succeeded(run, one, outputs, artifacts, at, pod.node.clone());
            }
        }
    }

    /// The attempt did its work: what others read of it is kept, if there is room.
    pub(super) fn succeeded(
        &mut self,
        run: &mut Run,
        one: &mut One<'_>,
        mut outputs: BTreeMap<String, Json>,
        mut artifacts: BTreeMap<String, StoredArtifact>,
        at: Time,
        node: Option<String>,
    ) {
        outputs.retain(|name, _| one.step.kept.contains(name));
        artifacts.retain(|name, _| one.step.artifacts.kept.contains(name));
        let more = size(&outputs).saturating_add(size(&artifacts));
        let held = self.held.saturating_add(more);
        // What a hit holds for its row alone goes when that is stored, and stands in nobody's way.
        if held.checked_sub(MAX_KEPT).is_some_and(|over| over > cache::unread(self.spec, run)) {
            let message = format!(
                "the outputs that expressions read are more than {MAX_KEPT} bytes in this run: write less, or read fewer of them"
            );
            let reason = Reason::OutputsTooLong;
            let end = Failed { class: FailureClass::UserError, reason, exit_code: Some(0), message };
            return self.fail(run, one, end, at, node);
        }
        self.held += more;
        one.status.outputs = outputs;
        one.status.artifacts = artifacts;
        finish(one.status, StepPhase::Succeeded, None, at);
    }

    /// The current attempt is over and did not succeed: another one, or the step's end.
    pub(super) fn fail(&mut self, run: &mut Run, one: &mut One<'_>, end: Failed, at: Time, node: Option<String>) {
        let stopping = run.stop.filter(|_| !self.spec.is_exit(&one.step.name));
        let status = &mut *one.status;
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
        if outcome::tries_again(&end, status.application, status.infrastructure, &one.step.retry) {
            let pause = match end.class {
                FailureClass::Void => Duration::ZERO,
                FailureClass::Infrastructure => one.step.retry.pause(status.infrastructure),
                FailureClass::Application | FailureClass::UserError | FailureClass::Stopped => {
                    one.step.retry.pause(status.application)
                }
            };
            status.phase = StepPhase::Waiting;
            status.retry_at = Some(at.after(pause));
            return;
        }
        let phase = if end.class == FailureClass::Stopped { StepPhase::Cancelled } else { StepPhase::Failed };
        finish(status, phase, Some(end.reason), at);
        explain_one(run, one, end.reason, end.exit_code, &end.message);
    }
}

/// The size of outputs or artifacts as JSON.
pub(super) fn size(outputs: &BTreeMap<String, impl Serialize>) -> usize {
    if outputs.is_empty() { 0 } else { serde_json::to_vec(outputs).map_or(usize::MAX, |v| v.len()) }
}

fn explain_one(run: &mut Run, one: &One<'_>, reason: Reason, exit_code: Option<i32>, message: &str) {
    explain_at(run, &one.step.name, one.item, Some(one.status.attempt), reason, exit_code, message);
}
