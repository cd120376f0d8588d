//! The life of a Workflow: its runs one after another, its record, and its end.

use super::{
    build::{self, Owner},
    conclude::{self, Idle, Situation},
    digest, fan_out, listing,
    machine::Pass,
    run_object::{self, Call},
    schedule::{self, Schedules},
    specs::Specs,
    starting,
    valid::{Valid, ValidStep, positions},
    waiting,
};
use crate::{
    facts::Facts,
    kind::{Action, Env, Intends as _, Note, Plan, Subject},
};
use hearth_crds::{
    FINALIZER,
    condition::{ConditionStatus, ConditionType, Reason},
    time::Time,
    workflow::{
        Failure, LastRun, MAX_LISTED_STEPS, RerunFrom, Run, RunPhase, RunPolicy, StepPhase, StepStatus, Steps, Trigger,
        Workflow, WorkflowStatus,
    },
};
use serde_json::Map;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Progress alone is written this often at most.
const PROGRESS_PAUSE: Duration = Duration::from_secs(5);
/// The status of a run with a fan-out, or of very many steps, is written this often at most.
const LARGE_RUN_PAUSE: Duration = Duration::from_millis(100);
/// How long the cache may take to show a revision that was just posted.
const REVISION_LAG: Duration = Duration::from_secs(60);
/// Status stays below this, as JSON.
const MAX_STATUS: usize = 60 * 1024;
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

fn has_finalizer(cr: &Workflow) -> bool {
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
    fn pass(&mut self, mut run: Run, spec: &Valid, no_create: bool, stop_exit: Option<Reason>) {
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

    /// What the object waits for between runs.
    fn idle(&self) -> Option<Idle> {
        match schedule::policy(&self.cr.spec) {
            RunPolicy::Manual => Some(Idle::Template),
            RunPolicy::OnSchedule => Some(Idle::Scheduled(self.next.schedule.as_ref().and_then(|s| s.next))),
            RunPolicy::OnChange => None,
        }
    }

    /// Starts the next run if there is a reason to, and nothing in its way.
    fn maybe_start(&mut self) {
        // A request may be there before anything else of the status.
        let seen = self.cr.status.as_ref().and_then(|s| s.observed_generation);
        let first_look = seen.is_none_or(|generation| generation < 0);
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

    /// Describes the new status, and decides whether it is written now.
    fn finish(mut self) -> Plan<WorkflowStatus> {
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
            if length(&self.next) > MAX_STATUS
                && let Some(run) = self.next.run.as_mut()
            {
                listing::fold(run, spec, |_| true);
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
        let kinds = |s: &WorkflowStatus| {
            let settled = |k: ConditionType| {
                matches!(k, ConditionType::Suspended | ConditionType::ChangePending | ConditionType::HistoryStored)
            };
            s.conditions
                .iter()
                .filter(|c| settled(c.type_))
                .map(|c| (c.type_, c.status == ConditionStatus::True))
                .collect::<BTreeSet<_>>()
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

fn works(run: &Run, facts: &Facts, owner: &Owner) -> bool {
    let runs = |name: String| facts.pods.get(&name).is_some_and(|p| !p.placeholder && waiting::started(p));
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

/// Bytes of a status, as JSON.
fn length(status: &WorkflowStatus) -> usize {
    serde_json::to_vec(status).map_or(0, |v| v.len())
}

/// Keeps a status below its limit: what is listed of ended attempts goes first, since history has it.
fn shrink(status: &mut WorkflowStatus) {
    for keep in [1usize, 0] {
        if length(status) <= MAX_STATUS {
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
