//! The life of a Workflow: its runs one after another, its record, and its end.

use super::{
    build::{self, Owner},
    conclude::{self, Situation},
    digest, history,
    machine::{self, Pass},
    specs::Specs,
    validate::{Valid, ValidStep},
};
use crate::{
    facts::{Facts, PodFact, RevisionFact},
    kind::{Action, Env, Note, OnDelete, Plan, Subject},
    record::{Record, RecordBatch},
};
use hearth_crds::{
    FINALIZER,
    condition::{ConditionStatus, ConditionType, Reason},
    label,
    time::Time,
    workflow::{
        Failure, LastRun, RerunFrom, Run, RunPhase, RunPolicy, StepPhase, StepStatus, Trigger, Workflow, WorkflowStatus,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Progress alone is written this often at most.
const PROGRESS_PAUSE: Duration = Duration::from_secs(5);
/// Final records that may wait for the store beside the last one.
const MAX_SPOOLED: usize = 10;
/// A deletecollection that left pods is tried again after that.
const SWEEP_AGAIN: Duration = Duration::from_secs(10);
/// How long the cache may take to show a revision that was just posted.
const REVISION_LAG: Duration = Duration::from_secs(60);
/// Status stays below this, as JSON.
const MAX_STATUS: usize = 60 * 1024;
/// A spooled record stays below this, as JSON.
const MAX_SPOOL: usize = 512 * 1024;

struct Work<'a> {
    cr: &'a Workflow,
    facts: &'a Facts,
    env: &'a Env,
    now: Time,
    owner: Owner,
    specs: &'a Specs,
    next: WorkflowStatus,
    situation: Situation,
    plan: Plan<WorkflowStatus>,
    wake: Option<Time>,
}

/// Decides what to write and do.
pub(super) fn plan(cr: &Workflow, specs: &Specs, facts: &Facts, env: &Env, now: Time) -> Plan<WorkflowStatus> {
    let deleting = cr.metadata.deletion_timestamp.is_some();
    if cr.metadata.uid.is_none() || (deleting && !has_finalizer(cr)) {
        return Plan::default();
    }
    let mut work = Work {
        cr,
        facts,
        env,
        now,
        owner: Owner::of(cr),
        specs,
        next: cr.status.clone().unwrap_or_default(),
        situation: Situation { suspended: cr.spec.suspend.unwrap_or(false), ..Situation::default() },
        plan: Plan::default(),
        wake: None,
    };
    let active = work.next.run.as_ref().is_some_and(|r| r.finished_at.is_none());
    if active {
        work.go_on(deleting);
    } else {
        work.settle_record();
        if deleting { work.let_go() } else { work.maybe_start() }
    }
    work.sweep_spools();
    work.sweep_placeholders();
    work.finish()
}

fn has_finalizer(cr: &Workflow) -> bool {
    cr.metadata.finalizers.as_ref().is_some_and(|f| f.iter().any(|x| x == FINALIZER))
}

impl Work<'_> {
    fn note(&mut self, reason: Reason, message: impl Into<String>) {
        self.plan.notes.push(Note { subject: Subject::Object, reason, message: message.into() });
    }

    fn wake_at(&mut self, at: Time) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }

    /// A run is under way.
    fn go_on(&mut self, deleting: bool) {
        let Some(mut run) = self.next.run.take() else { return };
        if run.stop.is_none() {
            if deleting {
                run.stop = Some(Reason::Deleted);
            } else if self.cr.spec.cancel.as_ref().is_some_and(|c| c.run == run.id) {
                run.stop = Some(Reason::Cancelled);
            }
        }
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
        self.pass(run, spec, deleting || self.facts.namespace_terminating);
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
            attempt: None,
            reason: Reason::InvalidSpec,
            exit_code: None,
            message,
        });
        bare(run)
    }

    fn change_pending(&mut self, run: &Run) {
        let token = self.cr.spec.rerun.as_ref().map(|r| r.token.clone());
        let changed = !self.specs.is_current(run) && !self.is_template();
        self.situation.change_pending = match (&self.specs.current.checked, changed) {
            (Err(e), true) => Some(format!("the changed spec will not run: {e}")),
            (Ok(_), true) => {
                Some("the spec changed: a run of it follows when this one has ended (cancel.run ends it now)".into())
            }
            (_, false) if token.is_some() && token != self.next.rerun_token => {
                Some("rerun.token changed: another run follows when this one has ended".into())
            }
            (_, false) => None,
        };
    }

    /// One pass over the run, and its end if it has come.
    fn pass(&mut self, mut run: Run, spec: &Valid, no_create: bool) {
        let mut pass = Pass {
            owner: &self.owner,
            spec,
            facts: self.facts,
            env: self.env,
            now: self.now,
            approvals: &self.cr.spec.approve,
            suspended: self.situation.suspended,
            no_create,
            intents: Vec::new(),
            fences: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            wake: None,
        };
        pass.advance(&mut run);
        let Pass { intents, fences, actions, notes, wake, .. } = pass;
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
        self.next.run = Some(run);
        self.situation.steps = Some(spec.steps.len());
    }

    fn backlog(&self, run: &Run) -> Option<String> {
        (!self.facts.store_up).then(|| {
            format!(
                "the history store ({}) is away: this object holds the record of run {} until it is back",
                self.env.store_name, run.id
            )
        })
    }

    /// The last run is over: is its record stored, and what may go then?
    fn settle_record(&mut self) {
        let Some(run) = self.next.run.clone() else { return };
        let known = self
            .next
            .conditions
            .iter()
            .find(|c| c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True)
            .map(|c| c.last_transition_time);
        let acknowledged = self.facts.stored.contains_key(&run.id);
        self.situation.stored = Some(known.is_some() || acknowledged);
        if known.is_none() && !acknowledged {
            self.situation.backlog = self.backlog(&run);
            return;
        }
        let left =
            self.facts.pods.values().any(|p| deletable(p) && p.labels.get(label::RUN).is_some_and(|r| *r == run.id));
        match known {
            None => {
                if left {
                    self.plan.actions.push((Action::DeleteRunPods { run_id: run.id.clone() }, Reason::Stored));
                }
                self.drop_revisions(&run);
            }
            Some(at) if left && self.now >= at.after(SWEEP_AGAIN) => {
                self.plan.actions.push((Action::DeleteRunPods { run_id: run.id.clone() }, Reason::Stored))
            }
            Some(at) if left => self.wake_at(at.after(SWEEP_AGAIN)),
            Some(_) => {}
        }
        self.drop_unlabelled(&run);
    }

    /// Ended pods that no deletecollection takes: those whose labels somebody changed, and those of earlier runs whose
    /// deletecollection was lost. What waits for the store in a spool keeps its pods.
    fn drop_unlabelled(&mut self, run: &Run) {
        let spooled: BTreeSet<String> =
            self.spools().filter_map(|s| read_spool(self.cr, s)).map(|b| b.run_id).collect();
        for pod in self.facts.pods.values().filter(|p| deletable(p) && p.seen_to_end()) {
            let of = pod.labels.get(label::RUN);
            let labelled = pod.labels.get(label::ROLE).is_some_and(|r| r == label::ROLE_ATTEMPT);
            let ours = of.is_some_and(|r| *r == run.id) && labelled;
            if !ours && !of.is_some_and(|r| spooled.contains(r)) {
                let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() };
                self.plan.actions.push((action, Reason::Stored));
            }
        }
    }

    /// Revisions that no run names any more.
    fn drop_revisions(&mut self, run: &Run) {
        let next = digest::revision_name(&self.owner.name, &self.owner.uid, &self.specs.current.digest);
        for revision in self
            .facts
            .revisions
            .values()
            .filter(|r| r.role == label::REVISION_SPEC && r.name != run.revision && r.name != next)
        {
            self.plan.actions.push((
                Action::DeleteRevision { name: revision.name.clone(), uid: revision.uid.clone() },
                Reason::Stored,
            ));
        }
    }

    /// The object is being deleted and no run is under way: it goes once its record is stored.
    fn let_go(&mut self) {
        let run_id = self.next.run.as_ref().map(|r| r.id.clone());
        let unstored = self.situation.stored == Some(false) && !self.is_spool_stored();
        let spools_wait = self.spools().any(|s| !self.is_stored(s));
        if let Some(run_id) = run_id.filter(|_| unstored || spools_wait) {
            match self.released() {
                Some(true) => self.plan.actions.push((Action::CountLostRecord { run_id }, Reason::Deleted)),
                Some(false) | None => {
                    if let Some(message) = self.situation.backlog.as_mut() {
                        message.push_str("; its deletion waits for that (chart value history.onDelete)");
                    }
                    self.note(Reason::Backlog, "deletion is held until the record is stored");
                    return;
                }
            }
        }
        if let Some(at) = self.youngest_placeholder() {
            self.note(Reason::Deleted, "waiting until a create that may be under way has landed");
            self.wake_at(at);
            return;
        }
        self.plan.actions.push((Action::RemoveFinalizer, Reason::Deleted));
    }

    fn is_spool_stored(&self) -> bool {
        self.next.run.as_ref().is_some_and(|r| self.facts.stored.contains_key(&r.id))
    }

    /// Whether the record may be given up: None when the policy is to hold.
    fn released(&mut self) -> Option<bool> {
        let OnDelete::Release(after) = self.env.on_delete else { return None };
        let deleted = Time::new(self.cr.metadata.deletion_timestamp.as_ref()?.0);
        let at = deleted.after(after);
        if self.now < at {
            self.wake_at(at);
        }
        Some(self.now >= at)
    }

    /// Starts the next run if there is a reason to, and nothing in its way.
    fn maybe_start(&mut self) {
        let first_look = self.cr.status.is_none();
        let token = self.cr.spec.rerun.as_ref().map(|r| r.token.clone());
        if first_look {
            self.next.rerun_token.clone_from(&token);
        }
        self.situation.template = self.is_template();
        let Some(trigger) = self.trigger(token.as_deref()) else {
            if let Err(e) = &self.specs.current.checked {
                self.situation.invalid = Some(e.to_string());
            }
            return;
        };
        let specs = self.specs;
        let valid = match &specs.current.checked {
            Ok(valid) => valid,
            Err(e) => {
                self.situation.invalid = Some(e.to_string());
                return;
            }
        };
        if self.situation.suspended || self.facts.namespace_terminating || !self.record_is_safe() {
            return;
        }
        self.start(trigger, valid, token);
    }

    fn is_template(&self) -> bool {
        self.cr.spec.run_policy == Some(RunPolicy::Manual)
    }

    fn trigger(&self, token: Option<&str>) -> Option<Trigger> {
        let asked = token.is_some() && token != self.next.rerun_token.as_deref();
        match &self.next.run {
            _ if self.is_template() => asked.then_some(Trigger::Rerun),
            None => Some(Trigger::Created),
            Some(run) if !self.specs.is_current(run) => Some(Trigger::Changed),
            Some(_) => asked.then_some(Trigger::Rerun),
        }
    }

    /// Steps of the last run that the next one takes over: those that succeeded, when a run of the same spec did not.
    /// An approval is taken over only with a step that it let pass: else it is asked for again.
    fn taken_over(&self, trigger: Trigger, spec: &Valid) -> Vec<StepStatus> {
        let from_failed = self.cr.spec.rerun.as_ref().is_some_and(|r| r.from == Some(RerunFrom::Failed));
        let last = self.next.run.as_ref().filter(|run| self.specs.is_current(run));
        match (trigger, last, self.next.phase) {
            (Trigger::Rerun, Some(run), Some(RunPhase::Failed | RunPhase::Cancelled)) if from_failed => {
                let done = |name: &str| run.steps.iter().any(|s| s.name == name && s.phase == StepPhase::Succeeded);
                let passed = |name: &str| spec.steps.iter().any(|s| done(&s.name) && s.needs.iter().any(|n| n == name));
                let asks = |name: &str| spec.steps.iter().any(|s| s.name == name && s.approval.is_some());
                let kept = run.steps.iter().filter(|s| done(&s.name) && (!asks(&s.name) || passed(&s.name)));
                kept.map(|s| machine::taken_over(s, self.now)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether the last run's record is stored, or spooled beside the object.
    fn record_is_safe(&mut self) -> bool {
        if self.situation.stored != Some(false) {
            return true;
        }
        let Some(run) = self.next.run.clone() else { return true };
        if self.facts.revisions.contains_key(&digest::spool_name(&self.owner.name, &self.owner.uid, &run.id)) {
            return true;
        }
        if self.facts.store_up {
            self.note(Reason::Pending, "the next run starts when the record of the last one is stored");
        } else if self.spools().count() >= MAX_SPOOLED {
            self.note(
                Reason::SpoolFull,
                format!("{MAX_SPOOLED} records wait for the history store: the next run starts when it is back"),
            );
            self.situation.change_pending =
                Some(format!("{MAX_SPOOLED} records wait for the history store: the next run starts when it is back"));
        } else if let Some(data) = self.spool_data() {
            self.plan
                .actions
                .push((Action::PostRevision(Box::new(build::spool(self.cr, &run, data))), Reason::Backlog));
            self.wake_at(self.now.after(Duration::from_secs(1)));
        }
        false
    }

    fn start(&mut self, trigger: Trigger, spec: &Valid, token: Option<String>) {
        let digest = self.specs.current.digest.clone();
        let revision = digest::revision_name(&self.owner.name, &self.owner.uid, &digest);
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
        self.situation.stored = None;
        self.situation.backlog = None;
        let run = Run {
            id: digest::run_id(&self.env.cluster_id, &self.owner.uid, number, self.now),
            number,
            seq: 0,
            revision,
            digest,
            generation: self.cr.metadata.generation.unwrap_or(0),
            trigger,
            params: spec.params.iter().map(|(k, v)| (k.clone(), hearth_crds::json::Json(v.clone()))).collect(),
            started_at: self.now,
            finished_at: None,
            updated_at: None,
            stop: None,
            failure: None,
            results: BTreeMap::new(),
            steps,
        };
        self.next.phase = None;
        self.pass(run, spec, false);
    }

    fn spools(&self) -> impl Iterator<Item = &RevisionFact> {
        self.facts.revisions.values().filter(|r| r.role == label::REVISION_SPOOL)
    }

    fn is_stored(&self, spool: &RevisionFact) -> bool {
        read_spool(self.cr, spool).is_none_or(|b| self.facts.stored.contains_key(&b.run_id))
    }

    fn spool_data(&self) -> Option<Value> {
        let spec = self.specs.pinned(self.next.run.as_ref()?);
        let source = history::Source { cr: self.cr, spec, facts: self.facts, env: self.env };
        spool_json(source.batch(None, &self.next)?)
    }

    /// Spools whose record is stored go, and their runs' pods with them.
    fn sweep_spools(&mut self) {
        let done: Vec<RevisionFact> = self.spools().filter(|s| self.is_stored(s)).cloned().collect();
        for spool in done {
            if let Some(batch) = read_spool(self.cr, &spool)
                && self.facts.pods.values().any(|p| deletable(p) && p.labels.get(label::RUN) == Some(&batch.run_id))
            {
                self.plan.actions.push((Action::DeleteRunPods { run_id: batch.run_id }, Reason::Stored));
            }
            self.plan.actions.push((Action::DeleteRevision { name: spool.name, uid: spool.uid }, Reason::Stored));
        }
    }

    fn over(&self) -> bool {
        self.next.run.as_ref().is_none_or(|r| r.finished_at.is_some())
    }

    fn youngest_placeholder(&self) -> Option<Time> {
        let ages =
            self.facts.pods.values().filter(|p| p.placeholder && p.owned && !p.gone).filter_map(|p| p.created_at);
        ages.map(|t| t.after(self.env.fence_age)).filter(|t| *t > self.now).max()
    }

    /// Placeholders go once the run is over and no POST that they fence can still be under way.
    fn sweep_placeholders(&mut self) {
        if !self.over() || self.cr.metadata.deletion_timestamp.is_some() {
            return;
        }
        for pod in self.facts.pods.values().filter(|p| p.placeholder && p.owned && !p.gone && p.deleting_at.is_none()) {
            let at = pod.created_at.unwrap_or(self.now).after(self.env.fence_age);
            if self.now >= at {
                self.plan
                    .actions
                    .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Completed));
            } else {
                self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
            }
        }
        for pod in self.facts.pods.values().filter(|p| deletable(p) && !p.seen_to_end()) {
            self.plan
                .actions
                .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Deleted));
        }
    }

    /// Describes the new status, and decides whether it is written now.
    fn finish(mut self) -> Plan<WorkflowStatus> {
        let old = self.cr.status.as_ref();
        let generation = self.cr.metadata.generation;
        self.next.observed_generation = generation;
        if self.situation.steps.is_none() {
            let spec = self.next.run.as_ref().map_or(Some(&*self.specs.current), |run| self.specs.pinned(run));
            self.situation.steps = spec.and_then(|s| s.checked.as_ref().ok()).map(|v| v.steps.len());
        }
        conclude::describe(&mut self.next, old, &self.situation, &self.plan.notes, generation, self.now);
        if old != Some(&self.next) {
            if self.may_wait(old) {
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
        self.plan.requeue = self.wake.map(|at| at.since(self.now).max(Duration::from_millis(1)));
        self.plan
    }

    fn write(&mut self, old: Option<&WorkflowStatus>) {
        let before = old.and_then(|o| o.run.as_ref());
        if let Some(run) = self.next.run.as_mut() {
            run.seq = before.filter(|b| b.id == run.id).map_or(0, |b| b.seq) + 1;
            run.updated_at = Some(self.now);
        }
        shrink(&mut self.next);
        self.plan.status = Some(self.next.clone());
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
        fresh
            && self.plan.intents.is_empty()
            && before.id == after.id
            && before.finished_at.is_none()
            && after.finished_at.is_none()
            && before.stop == after.stop
            && stops(before).is_superset(&stops(after))
            && old.is_some_and(|o| {
                o.observed_generation == self.next.observed_generation
                    && o.rerun_token == self.next.rerun_token
                    && kinds(o) == kinds(&self.next)
            })
    }
}

/// A pod of ours that works or worked and is still there.
fn deletable(pod: &PodFact) -> bool {
    pod.owned && !pod.placeholder && !pod.gone && pod.deleting_at.is_none()
}

fn works(run: &Run, facts: &Facts, owner: &Owner) -> bool {
    let ran = |s: &hearth_crds::workflow::StepStatus| {
        let name = digest::pod_name(&owner.name, &owner.uid, &run.id, &s.name, s.attempt);
        facts.pods.get(&name).is_some_and(|p| !p.placeholder && machine::started(p))
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
    Valid {
        params: Map::new(),
        steps: run.steps.iter().map(|s| step(&s.name)).collect(),
        parallelism: 1,
        fail_fast: false,
        timeout: None,
        pending_timeout: Duration::from_secs(900),
        results: BTreeMap::new(),
    }
}

/// Keeps a status below its limit: what is listed of ended attempts goes first, since history has it.
fn shrink(status: &mut WorkflowStatus) {
    for keep in [1usize, 0] {
        if serde_json::to_vec(status).map_or(0, |v| v.len()) <= MAX_STATUS {
            return;
        }
        for step in status.run.iter_mut().flat_map(|r| r.steps.iter_mut()).filter(|s| s.phase.is_terminal()) {
            let cut = step.ended.len().saturating_sub(keep);
            step.ended.drain(..cut);
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Spool {
    run_id: String,
    seq: i64,
    records: Vec<Record>,
}

/// A final batch as a spool holds it; logs go when it would be too large.
fn spool_json(batch: RecordBatch) -> Option<Value> {
    let mut spool = Spool { run_id: batch.run_id, seq: batch.seq, records: batch.records };
    let value = serde_json::to_value(&spool).ok()?;
    if value.to_string().len() <= MAX_SPOOL {
        return Some(value);
    }
    for record in &mut spool.records {
        if let Record::Step(row) = record {
            row.log = None;
            row.log_unavailable = Some("left out: the record waited for the store beside the object".into());
        }
    }
    serde_json::to_value(&spool).ok()
}

/// The batch that a spool holds.
pub(super) fn read_spool(cr: &Workflow, revision: &RevisionFact) -> Option<RecordBatch> {
    if revision.role != label::REVISION_SPOOL {
        return None;
    }
    let spool: Spool = serde_json::from_value(revision.data.clone()).ok()?;
    Some(RecordBatch {
        object: history::key(cr),
        run_id: spool.run_id,
        seq: spool.seq,
        last: true,
        records: spool.records,
    })
}
