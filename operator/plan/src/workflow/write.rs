//! Whether the new status is written now, and how it stays short.

use super::{cache, conclude, lifecycle::Work, listing, valid::Valid};
use crate::kind::{Action, Intends as _, Plan};
use hearth_crds::{
    condition::{ConditionType, Reason},
    time::Time,
    workflow::{MAX_LISTED_STEPS, Run, WorkflowStatus},
};
use std::{collections::BTreeSet, time::Duration};

/// Progress alone is written this often at most.
const PROGRESS_PAUSE: Duration = Duration::from_secs(5);
/// The status of a run with a fan-out, or of very many steps, is written this often at most.
const LARGE_RUN_PAUSE: Duration = Duration::from_millis(100);
/// Status stays below this, as JSON.
const MAX_STATUS: usize = 60 * 1024;

impl Work<'_> {
    /// Describes the new status, and decides whether it is written now.
    pub(super) fn finish(mut self) -> Plan<WorkflowStatus> {
        let old = self.old.take();
        let old = old.as_deref();
        let generation = self.cr.metadata.generation;
        self.next.observed_generation = generation;
        if self.situation.steps.is_none() {
            let spec = self.next.run.as_ref().map_or(Some(&*self.specs.current), |run| self.specs.pinned(run));
            self.situation.steps = spec.and_then(|s| s.checked.as_ref().ok()).map(Valid::count);
        }
        conclude::describe(&mut self.next, old, &self.situation, &self.plan.notes, generation, self.now);
        if old != Some(&self.next) {
            if let Some(at) = self.crowded(old) {
                // What rests on a status that is not written yet is decided again when it is.
                self.plan.intents.retain(|i| old.is_some_and(|o| o.intends(i)));
                let only_reads = |a: &Action| matches!(a, Action::ReadLog { .. } | Action::LookUp { .. });
                self.plan.actions.retain(|(a, why)| only_reads(a) || *why == Reason::Stored);
                self.wake_at(at);
            } else if self.may_wait(old) {
                let at = old
                    .and_then(|o| o.run.as_ref())
                    .and_then(|r| r.updated_at)
                    .unwrap_or(self.now)
                    .after(PROGRESS_PAUSE);
                self.wake_at(at);
            } else {
                self.write(old);
            }
        }
        if self.plan.status.is_none() {
            self.plan.actions.retain(|(action, _)| !is_new(action, old));
        }
        self.plan.requeue = self.wake.map(|at| at.since(self.now).max(Duration::from_millis(1)));
        self.plan
    }

    fn write(&mut self, old: Option<&WorkflowStatus>) {
        let before = old.and_then(|o| o.run.as_ref());
        if let Some(run) = self.next.run.as_mut() {
            run.seq = before.filter(|b| b.id == run.id).map_or(0, |b| b.seq) + 1;
            run.updated_at = Some(self.now);
        }
        self.shorten(before);
        self.plan.status = Some(self.next.clone());
    }

    /// Keeps the status below its limit. Steps that are over are told by place once their rows are stored, since those hold
    /// their times; sooner when the store is away for so long that the status would grow too long.
    fn shorten(&mut self, before: Option<&Run>) {
        let spec = self.next.run.as_ref().and_then(|run| self.specs.pinned(run)).and_then(|s| s.checked.as_ref().ok());
        if let Some(spec) = spec.filter(|spec| listing::is_long(spec))
            && let Some(run) = self.next.run.as_mut()
        {
            let before = before.filter(|b| b.id == run.id);
            let stored = self.facts.recorded.get(&run.id);
            let before = before.filter(|b| stored.is_some_and(|seq| *seq >= b.seq));
            listing::fold(run, spec, |step| {
                listing::is_told_by_place(step) || before.and_then(|b| b.steps.named(&step.name)) == Some(step)
            });
            if is_too_long(&self.next)
                && let Some(run) = self.next.run.as_mut()
            {
                // The row of a hit is derived from its status alone.
                listing::fold(run, spec, |step| !cache::is_hit(step));
            }
        }
        shrink(&mut self.next);
    }

    /// Until when the next write waits: what ends one by one makes ten writes a second at most.
    fn crowded(&self, old: Option<&WorkflowStatus>) -> Option<Time> {
        let (before, after) = old.and_then(|o| o.run.as_ref()).zip(self.next.run.as_ref())?;
        let large = self.situation.steps.is_some_and(|steps| steps > MAX_LISTED_STEPS);
        let large = large || after.steps.iter().any(|s| s.fan_out.is_some());
        let at = before.updated_at?.after(LARGE_RUN_PAUSE);
        let same = before.id == after.id && after.finished_at.is_none() && before.stop == after.stop;
        (large && same && self.now < at).then_some(at)
    }

    /// Whether the change is progress alone, and the last write is fresh.
    fn may_wait(&self, old: Option<&WorkflowStatus>) -> bool {
        let Some((before, after)) = old.and_then(|o| o.run.as_ref()).zip(self.next.run.as_ref()) else { return false };
        let fresh = before.updated_at.is_some_and(|at| self.now < at.after(PROGRESS_PAUSE));
        let stops = |r: &Run| {
            r.steps
                .iter()
                .map(|s| (s.name.clone(), s.stop))
                .filter(|(_, s)| s.is_some())
                .collect::<BTreeSet<(String, Option<Reason>)>>()
        };
        // Of a run that is under way they are told only while they hold.
        let kinds = |s: &WorkflowStatus| {
            let settled = |k: &ConditionType| matches!(k, ConditionType::Suspended | ConditionType::ChangePending);
            s.conditions.iter().map(|c| c.type_).filter(settled).collect::<BTreeSet<_>>()
        };
        // Steps that ask for something are not only progress: somebody waits to be asked.
        let asks = |r: &Run| {
            let asks = r.steps.iter().filter(|s| s.reason == Some(Reason::WaitingForApproval));
            asks.map(|s| s.name.clone()).collect::<BTreeSet<_>>()
        };
        fresh
            && !self.urgent
            && self.plan.intents.is_empty()
            && !self.plan.actions.iter().any(|(action, _)| is_new(action, old))
            && asks(before).is_superset(&asks(after))
            && before.id == after.id
            && before.finished_at.is_none()
            && after.finished_at.is_none()
            && before.stop == after.stop
            && stops(before).is_superset(&stops(after))
            && old.is_some_and(|o| {
                o.observed_generation == self.next.observed_generation
                    && o.requests == self.next.requests
                    && o.rerun_token == self.next.rerun_token
                    && kinds(o) == kinds(&self.next)
            })
    }
}

/// Whether an object is to be made for an attempt that the old status does not intend.
fn is_new(action: &Action, old: Option<&WorkflowStatus>) -> bool {
    match action {
        Action::PostObject { intent, .. } => !old.is_some_and(|o| o.intends(intent)),
        _ => false,
    }
}

fn is_too_long(status: &WorkflowStatus) -> bool {
    serde_json::to_vec(status).is_ok_and(|json| json.len() > MAX_STATUS)
}

/// Keeps a status below its limit: what is listed of ended attempts goes first, since history has it.
fn shrink(status: &mut WorkflowStatus) {
    for keep in [1usize, 0] {
        if !is_too_long(status) {
            return;
        }
        for step in status.run.iter_mut().flat_map(|r| r.steps.iter_mut()) {
            for item in step.fan_out.iter_mut().flat_map(|f| f.items.iter_mut()) {
                item.ended = None;
            }
            if !step.phase.is_terminal() {
                continue;
            }
            let cut = step.ended.len().saturating_sub(keep);
            step.ended.drain(..cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A status of that many bytes. Its step has failed three times.
    fn status(bytes: usize) -> WorkflowStatus {
        let end = |attempt| json!({"attempt": attempt, "class": "Application", "reason": "StepFailed", "at": "2026-01-01T00:00:30Z"});
        let of = |message: String| -> WorkflowStatus {
            serde_json::from_value(json!({"run": {
                "id": "r", "number": 1, "seq": 3, "revision": "r", "digest": "v1:0", "generation": 1, "trigger": "Created",
                "startedAt": "2026-01-01T00:00:00Z", "failure": {"reason": "StepFailed", "message": message},
                "steps": [{"name": "fit", "phase": "Failed", "attempt": 3, "ended": [end(1), end(2), end(3)]}],
            }}))
            .unwrap()
        };
        let least = serde_json::to_vec(&of(String::new())).unwrap().len();
        of("x".repeat(bytes - least))
    }

    #[test]
    fn a_status_that_would_be_too_long_tells_less_of_what_ended() {
        let told = |bytes| {
            let mut status = status(bytes);
            shrink(&mut status);
            status.run.unwrap().steps[0].ended.iter().map(|e| e.attempt).collect::<Vec<_>>()
        };
        assert_eq!(told(MAX_STATUS), [1, 2, 3], "it just fits");
        assert_eq!(told(MAX_STATUS + 1), [3]);
        assert_eq!(told(MAX_STATUS + 250), [0; 0], "the last end has no room either");
    }
}
