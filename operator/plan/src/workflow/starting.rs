//! Which steps may start, and which never will.

use super::{
    build::Unready,
    cache::{self, Recalled},
    fan_out::open_attempts,
    listing,
    machine::{Pass, explain, finish, never_started, sort, values_for},
    valid::{Valid, ValidStep},
};
use crate::kind::Action;
use hearth_crds::{
    condition::Reason,
    time::Time,
    workflow::{MAX_LISTED_STEPS, Run, StepEnd, StepPhase, StepStatus},
};

impl Pass<'_> {
    /// Skips what can never start, and starts what can.
    pub(super) fn start(&mut self, run: &mut Run) {
        if run.stop.is_some() || self.no_create {
            return;
        }
        let spec = self.spec;
        let mut active: usize = run.steps.iter().map(working).sum();
        let unrecorded = self.facts.store_up && self.facts.recorded.get(&run.id).is_none_or(|seq| *seq < run.seq);
        let mut listed_room = listed_room(run, spec, unrecorded);
        // Each comes after those that it needs, which may have ended in this very pass.
        for step in &spec.steps {
            self.settle(run, step);
            if run.steps.named(&step.name).is_some_and(|s| s.fan_out.is_some()) {
                active += self.go_on_with_items(run, step, active);
                continue;
            }
            let listed = run.steps.position(&step.name);
            let may_start = match listed.and_then(|i| run.steps.get(i)) {
                Some(s) if s.phase == StepPhase::Waiting => self.retry_is_due(s),
                Some(_) => false,
                None => needs(run, step) == Needs::Met,
            };
            if !may_start {
                continue;
            }
            if self.suspended {
                self.note(&step.name, Reason::Suspended, "it is suspended");
                continue;
            }
            if listed.is_none() && listed_room == 0 {
                if unrecorded && run.steps.iter().any(cache::is_hit) {
                    self.wait_for_record(&step.name);
                    continue;
                }
                let most = format!("at most {MAX_LISTED_STEPS} steps of so large a run are under way at one time");
                self.note(&step.name, Reason::Running, most);
                continue;
            }
            if let Some(message) = &step.approval {
                self.ask(run, step, message);
                listed_room = listed_room.saturating_sub(1);
                continue;
            }
            if step.for_each.is_some() {
                listed_room = listed_room.saturating_sub(1);
                if self.begin_fan_out(run, step) {
                    active += self.go_on_with_items(run, step, active);
                }
                continue;
            }
            let found = match listed.map_or_else(|| self.recall(run, step), |_| Recalled::Undone(None)) {
                Recalled::Undone(found) => found,
                // What is taken over is listed until it is recorded, and what is looked up may be.
                Recalled::Open | Recalled::Done(_) => {
                    listed_room = listed_room.saturating_sub(1);
                    continue;
                }
            };
            if active >= self.spec.parallelism {
                self.note(&step.name, Reason::Running, "waiting for room within parallelism");
                continue;
            }
            if self.begin(run, listed, step) {
                active += 1;
                listed_room = listed_room.saturating_sub(usize::from(listed.is_none()));
                if let (Some(found), Some(status)) = (found, run.steps.named_mut(&step.name)) {
                    status.cache = Some(found.into());
                }
            }
        }
        sort(run, spec);
        if !self.sought.is_empty() {
            let sought = std::mem::take(&mut self.sought);
            self.actions.push((Action::LookUp { sought }, Reason::Accepted));
        }
    }

    /// Starts items of a fan-out that is under way. How many.
    fn go_on_with_items(&mut self, run: &mut Run, step: &ValidStep, active: usize) -> usize {
        if self.suspended {
            self.note(&step.name, Reason::Suspended, "it is suspended");
            return 0;
        }
        self.begin_items(run, step, self.spec.parallelism.saturating_sub(active))
    }

    pub(super) fn retry_is_due(&mut self, status: &StepStatus) -> bool {
        match status.retry_at {
            Some(at) if at > self.now => {
                self.wake_at(at);
                false
            }
            Some(_) | None => true,
        }
    }

    /// Writes the intent of the next attempt of a step. Whether it starts.
    pub(super) fn begin(&mut self, run: &mut Run, listed: Option<usize>, step: &ValidStep) -> bool {
        let values = values_for(run, self.spec, step);
        if let Err(Unready { reason, message }) = self.ready(run, step, &values) {
            match listed.and_then(|i| run.steps.get_mut(i)) {
                Some(old) => finish(old, StepPhase::Failed, Some(reason), self.now),
                None => run.steps.push(never_started(&step.name, StepPhase::Failed, reason, self.now)),
            }
            explain(run, &step.name, reason, None, &message);
            return false;
        }
        if listed.is_none() {
            run.steps.push(StepStatus {
                started_at: Some(self.now),
                finished_at: None,
                ..never_started(&step.name, StepPhase::Running, Reason::Running, self.now)
            });
        }
        let Some(status) = run.steps.named_mut(&step.name) else { return false };
        status.phase = StepPhase::Running;
        status.attempt += 1;
        status.since = Some(self.now);
        status.retry_at = None;
        status.reason = None;
        status.workflow = step.sub.as_ref().map(|s| s.target.clone());
        let attempt = status.attempt;
        self.intend(run, step, None, attempt, &values);
        true
    }

    /// Skips a step whose needs failed or whose `when` is false.
    fn settle(&mut self, run: &mut Run, step: &ValidStep) {
        if run.steps.named(&step.name).is_some() {
            return;
        }
        match needs(run, step) {
            Needs::Open => {}
            Needs::Unmet(reason) => run.steps.push(never_started(&step.name, StepPhase::Skipped, reason, self.now)),
            Needs::Met => match step.when.as_ref().map(|w| w.render_condition(&values_for(run, self.spec, step))) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => {
                    run.steps.push(never_started(&step.name, StepPhase::Skipped, Reason::WhenFalse, self.now))
                }
                Some(Err(e)) => {
                    run.steps.push(never_started(&step.name, StepPhase::Failed, Reason::ExpressionFailed, self.now));
                    explain(run, &step.name, Reason::ExpressionFailed, None, &e.to_string());
                }
            },
        }
    }
}

/// How many more steps may begin before a status that lists them all by name would grow too long.
/// What was taken over makes room when it is recorded; nothing waits for a store that is away.
fn listed_room(run: &Run, spec: &Valid, unrecorded: bool) -> usize {
    if !listing::is_long(spec) {
        return usize::MAX;
    }
    let listed = |s: &StepStatus| !s.phase.is_terminal() || (unrecorded && cache::is_hit(s));
    let open = run.steps.iter().filter(|s| listed(s) && !spec.is_exit(&s.name)).count();
    MAX_LISTED_STEPS.saturating_sub(open)
}

/// Pods that a step may have.
fn working(status: &StepStatus) -> usize {
    match &status.fan_out {
        _ if status.phase != StepPhase::Running => 0,
        Some(fan) => open_attempts(fan, status).count(),
        None => usize::from(status.attempt > 0),
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
        match run.steps.named(need) {
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
pub(super) fn taken_over(from: &StepStatus, now: Time) -> StepStatus {
    let (outputs, artifacts, fan_out) = (from.outputs.clone(), from.artifacts.clone(), from.fan_out.clone());
    StepStatus { outputs, artifacts, fan_out, ..never_started(&from.name, StepPhase::Succeeded, Reason::Reused, now) }
}
