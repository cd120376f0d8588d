//! Whether a run starts, and what it starts with.

use super::{
    build,
    conclude::Idle,
    digest,
    lifecycle::{Work, has_finalizer},
    run_object, schedule, starting,
    valid::Valid,
};
use crate::kind::Action;
use hearth_crds::{
    condition::Reason,
    time::Time,
    workflow::{LastRun, RerunFrom, Run, RunPhase, RunPolicy, StepPhase, Steps, Trigger},
};
use std::collections::BTreeMap;

impl Work<'_> {
    /// What the object waits for between runs.
    pub(super) fn idle(&self) -> Option<Idle> {
        match schedule::policy(&self.cr.spec) {
            RunPolicy::Manual => Some(Idle::Template),
            RunPolicy::OnSchedule => Some(Idle::Scheduled(self.next.schedule.as_ref().and_then(|s| s.next))),
            RunPolicy::OnChange => None,
        }
    }

    /// Starts the next run if there is a reason to, and nothing in its way.
    pub(super) fn maybe_start(&mut self) {
        // A request may be there before anything else of the status.
        let seen = self.cr.status.as_ref().and_then(|s| s.observed_generation);
        let first_look = seen.is_none_or(i64::is_negative);
        let token = self.cr.spec.rerun.as_ref().map(|r| r.token.clone());
        if first_look {
            self.next.rerun_token.clone_from(&token);
        }
        let due = self.due();
        self.situation.idle = self.idle();
        let Some(trigger) = self.trigger(token.as_deref(), due) else {
            if let Err(e) = self.specs.current.checked.as_ref().map(drop)
                && !self.specs.current.waits
            {
                self.situation.invalid = Some(e.to_string());
            }
            return;
        };
        let specs = self.specs;
        let valid = match &specs.current.checked {
            Ok(valid) => valid,
            Err(e) if specs.current.waits => return self.note(Reason::WaitingForTemplate, e.to_string()),
            Err(e) => {
                let why = e.to_string();
                self.refuse_runs(&why);
                self.situation.invalid = Some(why);
                return;
            }
        };
        if let Some(name) = valid.open_params.first() {
            let fix = "has no value: give it a default, or run it with `from` and a value";
            let why = format!("spec.params[{name}].default: {fix}");
            self.refuse_runs(&why);
            self.situation.invalid = Some(why);
            return;
        }
        if self.situation.suspended || self.facts.namespace_terminating || !self.record_is_safe() {
            return;
        }
        if self.is_not_waited_for() {
            return self.note(Reason::Cancelled, "the step that asked for the run has gone on without it");
        }
        self.start(trigger, valid, token, due.filter(|_| trigger == Trigger::Schedule));
    }

    fn trigger(&self, token: Option<&str>, due: Option<Time>) -> Option<Trigger> {
        let asked = token.is_some() && token != self.next.rerun_token.as_deref();
        let on_change = schedule::policy(&self.cr.spec) == RunPolicy::OnChange;
        match &self.next.run {
            None if on_change && run_object::id(self.cr).is_some() => Some(Trigger::Requested),
            None if on_change => Some(Trigger::Created),
            Some(run) if on_change && !self.specs.is_current(run) => Some(Trigger::Changed),
            Some(_) | None if asked => Some(Trigger::Rerun),
            Some(_) | None if self.asked_to_run().is_some() => Some(Trigger::Requested),
            Some(_) | None => due.map(|_| Trigger::Schedule),
        }
    }

    /// Steps of the last run that the next one takes over: those that succeeded, when a run of the same spec did not.
    /// An approval is taken over only with a step that it let pass: else it is asked for again.
    fn taken_over(&self, trigger: Trigger, spec: &Valid) -> Steps {
        let from = match trigger {
            Trigger::Rerun => self.cr.spec.rerun.as_ref().and_then(|r| r.from),
            Trigger::Requested => self.asked_to_run().and_then(|r| r.from),
            Trigger::Created | Trigger::Changed | Trigger::Schedule => None,
        };
        let from_failed = from == Some(RerunFrom::Failed);
        let last = self.next.run.as_ref().filter(|run| self.specs.is_current(run));
        match (last, self.next.phase) {
            (Some(run), Some(RunPhase::Failed | RunPhase::Cancelled)) if from_failed => {
                let done = |name: &str| run.steps.named(name).is_some_and(|s| s.phase == StepPhase::Succeeded);
                let passed = |name: &str| spec.steps.iter().any(|s| done(&s.name) && s.needs.iter().any(|n| n == name));
                let asks = |name: &str| spec.step(name).is_some_and(|s| s.approval.is_some());
                let kept = run
                    .steps
                    .iter()
                    .filter(|s| done(&s.name) && (!asks(&s.name) || passed(&s.name)) && !spec.is_exit(&s.name));
                kept.map(|s| starting::taken_over(s, self.now)).collect()
            }
            _ => Steps::default(),
        }
    }

    fn start(&mut self, trigger: Trigger, spec: &Valid, token: Option<String>, scheduled_for: Option<Time>) {
        let digest = self.specs.current.digest.clone();
        let revision = self.specs.current.revision.clone();
        if !has_finalizer(self.cr) {
            self.plan.actions.push((Action::AddFinalizer, Reason::Accepted));
        }
        if !self.facts.revisions.contains_key(&revision) {
            self.plan.actions.push((
                Action::PostRevision(Box::new(build::revision(self.cr, &self.specs.current))),
                Reason::Accepted,
            ));
        }
        let steps = self.taken_over(trigger, spec);
        let number = self.next.run.as_ref().map_or(0, |r| r.number) + 1;
        if let (Some(run), Some(phase)) = (self.next.run.take(), self.next.phase) {
            self.next.last_run = Some(LastRun {
                id: run.id,
                number: run.number,
                phase,
                finished_at: run.finished_at.unwrap_or(self.now),
            });
        }
        self.next.rerun_token = token;
        if let Some((mark, at)) = self.next.schedule.as_mut().zip(scheduled_for) {
            mark.used_until = at;
        }
        self.situation.stored = None;
        self.situation.backlog = None;
        let id = digest::run_id(&self.env.cluster_id, &self.owner.uid, number, self.now);
        let request = self.asked_to_run().filter(|_| trigger == Trigger::Requested);
        if let Some(request) = &request {
            self.answer_with(request, number, &id);
        }
        let run = Run {
            id,
            number,
            seq: 0,
            revision,
            digest,
            generation: self.cr.metadata.generation.unwrap_or(0),
            trigger,
            requested_by: request.map(|r| r.by).or_else(|| run_object::requested_by(self.cr)),
            scheduled_for,
            params: spec.params.iter().map(|(k, v)| (k.clone(), hearth_crds::json::Json(v.clone()))).collect(),
            started_at: self.now,
            finished_at: None,
            updated_at: None,
            stop: None,
            failure: None,
            results: BTreeMap::new(),
            steps,
            over: Vec::new(),
        };
        self.next.phase = None;
        self.pass(run, spec, false, None);
    }
}
