//! The life of a Workflow: its runs one after another, its record, and its end.

use super::{
    build::Owner,
    conclude::{self, Situation},
    digest, fan_out, listing,
    machine::Pass,
    run_object::{self, Call},
    schedule::{self, Schedules},
    specs::Specs,
    valid::{Valid, ValidStep, positions},
    waiting,
};
use crate::{
    facts::Facts,
    kind::{Action, Env, Note, Plan, Subject},
};
use hearth_crds::{
    FINALIZER,
    condition::Reason,
    time::Time,
    workflow::{Failure, Run, RunPhase, RunPolicy, StepPhase, StepStatus, Workflow, WorkflowStatus},
};
use serde_json::Map;
use std::{borrow::Cow, collections::BTreeMap, time::Duration};

/// How long the cache may take to show a revision that was just posted.
const REVISION_LAG: Duration = Duration::from_secs(60);

pub(super) struct Work<'a> {
    pub(super) cr: &'a Workflow,
    pub(super) facts: &'a Facts,
    pub(super) env: &'a Env,
    pub(super) now: Time,
    pub(super) owner: Owner,
    /// The step that waits for this run, when one asked for it.
    pub(super) call: Option<Call>,
    pub(super) specs: &'a Specs,
    /// The status that was seen, with every step by its name.
    pub(super) old: Option<Cow<'a, WorkflowStatus>>,
    pub(super) next: WorkflowStatus,
    pub(super) situation: Situation,
    pub(super) plan: Plan<WorkflowStatus>,
    pub(super) wake: Option<Time>,
    /// What changed is written at once.
    pub(super) urgent: bool,
}

/// Decides what to write and do.
pub(super) fn plan(cr: &Workflow, specs: &Specs, facts: &Facts, env: &Env, now: Time) -> Plan<WorkflowStatus> {
    let deleting = cr.metadata.deletion_timestamp.is_some();
    if cr.metadata.uid.is_none() || (deleting && !has_finalizer(cr)) {
        return Plan::default();
    }
    let pinned = cr.status.as_ref().and_then(|s| s.run.as_ref()).and_then(|run| specs.pinned(run));
    let old = cr.status.as_ref().map(|status| listing::unfold(status, pinned));
    let mut work = Work {
        cr,
        facts,
        env,
        now,
        owner: Owner::of(cr),
        call: run_object::call(cr, facts),
        specs,
        next: old.as_deref().cloned().unwrap_or_default(),
        old,
        situation: Situation::default(),
        plan: Plan::default(),
        wake: None,
        urgent: false,
    };
    work.hear();
    let active = work.next.run.as_ref().is_some_and(|r| r.finished_at.is_none());
    if active {
        work.go_on(deleting);
    } else {
        work.settle_record();
        work.refuse_about_runs();
        if deleting {
            work.let_go();
        } else {
            work.maybe_start();
            work.expire();
        }
    }
    work.keep_logs();
    work.sweep_spools();
    work.sweep_placeholders();
    work.finish()
}

pub(super) fn has_finalizer(cr: &Workflow) -> bool {
    cr.metadata.finalizers.as_ref().is_some_and(|f| f.iter().any(|x| x == FINALIZER))
}

impl Work<'_> {
    pub(super) fn note(&mut self, reason: Reason, message: impl Into<String>) {
        self.plan.notes.push(Note { subject: Subject::Object, reason, message: message.into() });
    }

    pub(super) fn wake_at(&mut self, at: Time) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }

    /// A run is under way.
    fn go_on(&mut self, deleting: bool) {
        let due = self.due();
        let Some(mut run) = self.next.run.take() else { return };
        let cancelled = !deleting && self.asked_to_cancel(&run.id);
        let asked = if deleting {
            Some(Reason::Deleted)
        } else if self.cr.spec.cancel.as_ref().is_some_and(|c| c.run == run.id) || cancelled || self.is_not_waited_for()
        {
            Some(Reason::Cancelled)
        } else {
            due.filter(|_| self.replaces()).map(|_| Reason::Replaced)
        };
        // What stopped the steps before does not stop the one on exit, but a deletion does.
        let stop_exit = asked.filter(|_| deleting || run.stop.is_none());
        run.stop = run.stop.or(asked);
        let bare;
        let spec = match self.specs.pinned(&run).map(|s| s.checked.as_ref()) {
            Some(Ok(valid)) => valid,
            None if self.now < run.updated_at.unwrap_or(run.started_at).after(REVISION_LAG) && run.stop.is_none() => {
                self.note(Reason::Accepted, format!("waiting for the cache to show revision {}", run.revision));
                self.wake_at(self.now.after(Duration::from_secs(1)));
                self.next.run = Some(run);
                return;
            }
            gone_or_invalid => {
                let why = match gone_or_invalid {
                    Some(Err(e)) => format!("is not valid for this version of the operator ({e})"),
                    Some(Ok(_)) | None => "is gone".to_owned(),
                };
                bare = self.unpinned(&mut run, &why);
                &bare
            }
        };
        self.change_pending(&run);
        self.pass(run, spec, deleting || self.facts.namespace_terminating, stop_exit);
    }

    /// The pinned spec cannot be had: the run is stopped, by the names that its status lists.
    fn unpinned(&self, run: &mut Run, why: &str) -> Valid {
        run.stop.get_or_insert(Reason::InvalidSpec);
        let message = format!(
            "ControllerRevision {} that holds this run's spec {why}: change spec.rerun.token to run again",
            run.revision
        );
        run.failure.get_or_insert(Failure {
            step: None,
            item: None,
            attempt: None,
            reason: Reason::InvalidSpec,
            exit_code: None,
            message,
        });
        bare(run)
    }

    fn change_pending(&mut self, run: &Run) {
        let token = self.cr.spec.rerun.as_ref().map(|r| r.token.clone());
        let changed = !self.specs.is_current(run) && schedule::policy(&self.cr.spec) == RunPolicy::OnChange;
        self.situation.change_pending = match (&self.specs.current.checked, changed) {
            (Err(e), true) => Some(format!("the changed spec will not run: {e}")),
            (Ok(_), true) => {
                Some("the spec changed: a run of it follows when this one has ended (cancel.run ends it now)".into())
            }
            (_, false) if token.is_some() && token != self.next.rerun_token => {
                Some("rerun.token changed: another run follows when this one has ended".into())
            }
            (_, false) if self.asked_to_run().is_some() => {
                Some("another run was asked for: it follows when this one has ended".into())
            }
            (_, false) => None,
        };
    }

    /// One pass over the run, and its end if it has come.
    pub(super) fn pass(&mut self, mut run: Run, spec: &Valid, no_create: bool, stop_exit: Option<Reason>) {
        let approvals = self.approvals();
        let mut pass = Pass {
            owner: &self.owner,
            spec,
            facts: self.facts,
            env: self.env,
            now: self.now,
            approvals: &approvals,
            depth: run_object::depth(self.cr),
            suspended: self.situation.suspended || self.call.is_some_and(|c| c.suspended),
            stop_exit,
            no_create,
            intents: Vec::new(),
            fences: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            wake: None,
            held: 0,
            sought: Vec::new(),
            urgent: false,
        };
        pass.advance(&mut run);
        let Pass { intents, fences, actions, notes, wake, urgent, .. } = pass;
        self.urgent = urgent;
        self.plan.intents = intents;
        self.plan.fences = fences;
        self.plan.actions.extend(actions);
        self.plan.notes.extend(notes);
        if let Some(at) = wake {
            self.wake_at(at);
        }
        self.situation.working = self.next.phase == Some(RunPhase::Running) || works(&run, self.facts, &self.owner);
        match conclude::conclude(&mut run, spec, self.now) {
            Some(phase) => {
                self.next.phase = Some(phase);
                // What waits for its next time has not failed as a whole, not even for a moment.
                self.situation.idle = self.idle();
                self.situation.stored = Some(false);
                self.situation.backlog = self.backlog(&run);
                // Nothing is created for an object that goes, or in a namespace that does.
                if !no_create {
                    let message = event_message(&self.owner, &run, phase);
                    let reason = match phase {
                        RunPhase::Succeeded => Reason::Completed,
                        RunPhase::Cancelled => run.stop.unwrap_or(Reason::Cancelled),
                        RunPhase::Failed | RunPhase::Pending | RunPhase::Running => {
                            run.failure.as_ref().map(|f| f.reason).or(run.stop).unwrap_or(Reason::StepFailed)
                        }
                    };
                    self.plan
                        .actions
                        .push((Action::PublishEvent { warning: phase != RunPhase::Succeeded, message }, reason));
                }
            }
            None => self.next.phase = Some(if self.situation.working { RunPhase::Running } else { RunPhase::Pending }),
        }
        self.drop_recorded(&run);
        self.answer_about(&run);
        self.next.run = Some(run);
        self.situation.steps = Some(spec.count());
    }
}

fn works(run: &Run, facts: &Facts, owner: &Owner) -> bool {
    let runs = |name: String| facts.pod(&name).is_some_and(|p| !p.placeholder && waiting::started(p));
    // Those that steps run begin like pods do.
    let called = facts.peers.values().filter(|p| p.controller.as_deref() == Some(owner.uid.as_str()));
    if called.into_iter().any(|p| p.status.get("run").is_some()) {
        return true;
    }
    let ran = |s: &StepStatus| {
        let name = |item, attempt| digest::pod_name(&owner.name, &owner.uid, &run.id, &s.name, item, attempt);
        match &s.fan_out {
            None => runs(name(None, s.attempt)),
            Some(fan) => {
                fan.open.count() < fan.started as usize
                    || fan_out::open_attempts(fan, s).any(|(item, attempt)| runs(name(Some(item), attempt)))
            }
        }
    };
    run.steps.iter().any(|s| (s.attempt > 0 && s.phase != StepPhase::Running) || ran(s))
}

fn event_message(owner: &Owner, run: &Run, phase: RunPhase) -> String {
    let why = run.failure.as_ref().map(|f| format!(": {}", f.message)).unwrap_or_default();
    format!("run {} of {} ended: {}{why}", run.number, owner.name, phase.as_str())
}

/// A spec of no more than the names of the steps that a run has started: enough to stop them.
fn bare(run: &Run) -> Valid {
    let step = |name: &str| ValidStep { name: name.to_owned(), ..ValidStep::default() };
    let steps: Vec<ValidStep> = run.steps.iter().map(|s| step(&s.name)).collect();
    Valid {
        params: Map::new(),
        open_params: Vec::new(),
        positions: positions(&steps),
        steps,
        parallelism: 1,
        fail_fast: false,
        timeout: None,
        pending_timeout: Duration::from_secs(900),
        keep_failed: None,
        results: BTreeMap::new(),
        on_exit: None,
        schedules: Schedules::default(),
    }
}
