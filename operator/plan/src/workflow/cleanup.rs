//! What is kept until a run's record is stored, and what goes then: pods, placeholders, revisions, the object itself.

use super::{build, digest, history, lifecycle::Work, spool, validate};
use crate::{
    facts::{PodFact, PodPhase, RevisionFact},
    kind::{Action, OnDelete},
    selection::RunPods,
};
use hearth_crds::{
    condition::{ConditionStatus, ConditionType, Reason},
    label,
    time::Time,
    workflow::Run,
};
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Final records that may wait for the store beside the last one.
const MAX_SPOOLED: usize = 10;
/// A deletecollection that left pods is tried again after that.
const SWEEP_AGAIN: Duration = Duration::from_secs(10);

impl Work<'_> {
    pub(super) fn backlog(&self, run: &Run) -> Option<String> {
        (!self.facts.store_up).then(|| {
            format!(
                "the history store ({}) is away: this object holds the record of run {} until it is back",
                self.env.store_name, run.id
            )
        })
    }

    /// The last run is over: is its record stored, and what may go then?
    pub(super) fn settle_record(&mut self) {
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
        let left = self.facts.pods().any(|p| p.is_there() && p.labels.get(label::RUN).is_some_and(|r| *r == run.id));
        match known {
            None => {
                if left {
                    self.drop_pods(&run);
                }
                self.drop_revisions(&run);
            }
            Some(at) if left && self.now >= at.after(SWEEP_AGAIN) => {
                if self.drop_pods(&run) {
                    self.wake_at(self.now.after(SWEEP_AGAIN));
                }
            }
            Some(at) if left => self.wake_at(at.after(SWEEP_AGAIN)),
            Some(_) => {}
        }
        self.drop_unlabelled(&run);
    }

    /// Pods of a run that is over and stored: all of them in one request, or one by one while the failed ones stay.
    /// Whether it was all.
    fn drop_pods(&mut self, run: &Run) -> bool {
        if self.awaits_logs(Some(&run.id)) {
            self.note(Reason::Stored, "the pods go when their whole logs are stored");
            return false;
        }
        let Some(until) = self.failed_stay_until(run) else {
            self.plan.actions.push((Action::DeleteRunPods(RunPods::all(&run.id)), Reason::Stored));
            return true;
        };
        self.wake_at(until);
        let of_run = |p: &&PodFact| p.is_there() && p.labels.get(label::RUN) == Some(&run.id);
        for pod in self.facts.pods().filter(of_run).filter(|p| p.phase != PodPhase::Failed) {
            let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() };
            self.plan.actions.push((action, Reason::Stored));
        }
        false
    }

    /// Until when failed pods of the run stay; None when they may go.
    fn failed_stay_until(&self, run: &Run) -> Option<Time> {
        let keep = self.keep_failed()?;
        Some(run.finished_at?.after(keep)).filter(|until| self.now < *until)
    }

    /// How long failed pods stay, as the object says it now, whatever else is wrong with it.
    pub(super) fn keep_failed(&self) -> Option<Duration> {
        match &self.specs.current.checked {
            Ok(valid) => valid.keep_failed,
            Err(_) => validate::keep_failed(&self.cr.spec).ok().flatten(),
        }
    }

    /// Ended pods that no deletecollection takes: those whose labels somebody changed, and those of earlier runs whose
    /// deletecollection was lost. What waits for the store in a spool keeps its pods.
    fn drop_unlabelled(&mut self, run: &Run) {
        let spooled: BTreeSet<String> =
            self.spools().filter_map(|s| spool::read(self.cr, s)).map(|b| b.run_id).collect();
        for pod in self.facts.pods().filter(|p| p.is_there() && p.seen_to_end()) {
            let of = pod.labels.get(label::RUN);
            let labelled = pod.labels.get(label::ROLE).is_some_and(|r| r == label::ROLE_ATTEMPT);
            let ours = of.is_some_and(|r| *r == run.id) && labelled;
            if !ours && !of.is_some_and(|r| spooled.contains(r)) && !self.awaits_log(pod) {
                let action = Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() };
                self.plan.actions.push((action, Reason::Stored));
            }
        }
    }

    /// Revisions that no run names any more.
    fn drop_revisions(&mut self, run: &Run) {
        let next = &self.specs.current.revision;
        for revision in self
            .facts
            .revisions
            .values()
            .filter(|r| r.role == label::REVISION_SPEC && r.name != run.revision && r.name != *next)
        {
            self.plan.actions.push((
                Action::DeleteRevision { name: revision.name.clone(), uid: revision.uid.clone() },
                Reason::Stored,
            ));
        }
    }

    /// The object is being deleted and no run is under way: it goes once its record is stored.
    pub(super) fn let_go(&mut self) {
        let unrecorded = self.unrecorded();
        if !unrecorded.is_empty() && !self.released() {
            if let Some(message) = self.situation.backlog.as_mut() {
                message.push_str("; its deletion waits for that (chart value history.onDelete)");
            }
            self.note(Reason::Backlog, "deletion is held until the record is stored");
            return;
        }
        if self.stays_for_logs() {
            return;
        }
        if let Some(at) = self.youngest_placeholder() {
            self.note(Reason::Deleted, "waiting until a create that may be under way has landed");
            self.wake_at(at);
            return;
        }
        // They are lost only now: the store may have come back while the object stayed for something else.
        let lost = unrecorded.into_iter().map(|run_id| Action::CountLostRecord { run_id });
        self.plan.actions.extend(lost.chain([Action::RemoveFinalizer]).map(|a| (a, Reason::Deleted)));
    }

    /// Runs whose record is not stored: the last one, and those that wait in spools.
    fn unrecorded(&self) -> BTreeSet<String> {
        let Some(run) = &self.next.run else { return BTreeSet::new() };
        let last = (self.situation.stored == Some(false)).then(|| run.id.clone());
        let spooled = self.spools().filter_map(|s| spool::read(self.cr, s)).map(|b| b.run_id);
        last.into_iter().chain(spooled.filter(|id| !self.facts.stored.contains_key(id))).collect()
    }

    /// Whether the record may be given up.
    fn released(&mut self) -> bool {
        let OnDelete::Release(after) = self.env.on_delete else { return false };
        let Some(deleted) = self.cr.metadata.deletion_timestamp.as_ref() else { return false };
        let at = Time::new(deleted.0).after(after);
        let due = self.now >= at;
        if !due {
            self.wake_at(at);
        }
        due
    }

    /// Whether the last run's record is stored, or spooled beside the object.
    pub(super) fn record_is_safe(&mut self) -> bool {
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
            self.wait_for_store(format!("{MAX_SPOOLED} records wait for the history store"));
        } else if let Some(data) = self.spool_data() {
            self.plan
                .actions
                .push((Action::PostRevision(Box::new(build::spool(self.cr, &run, data))), Reason::Backlog));
            self.wake_at(self.now.after(Duration::from_secs(1)));
        } else {
            self.wait_for_store("the record of the last run is too long to wait beside the object".to_owned());
        }
        false
    }

    fn wait_for_store(&mut self, why: String) {
        let message = format!("{why}: the next run starts when the history store is back");
        self.note(Reason::SpoolFull, message.as_str());
        self.situation.change_pending = Some(message);
    }

    fn spools(&self) -> impl Iterator<Item = &RevisionFact> {
        self.facts.revisions.values().map(Arc::as_ref).filter(|r| r.role == label::REVISION_SPOOL)
    }

    fn is_stored(&self, spool: &RevisionFact) -> bool {
        spool::read(self.cr, spool).is_none_or(|b| self.facts.stored.contains_key(&b.run_id))
    }

    fn spool_data(&self) -> Option<Value> {
        let spec = self.specs.pinned(self.next.run.as_ref()?);
        let source = history::Source { cr: self.cr, spec, facts: self.facts, env: self.env };
        spool::write(source.batch(None, &self.next)?)
    }

    /// Spools whose record is stored go, and their runs' pods with them.
    pub(super) fn sweep_spools(&mut self) {
        let done: Vec<RevisionFact> = self.spools().filter(|s| self.is_stored(s)).cloned().collect();
        for spool in done {
            if let Some(batch) = spool::read(self.cr, &spool)
                && !self.awaits_logs(Some(&batch.run_id))
                && self.facts.pods().any(|p| p.is_there() && p.labels.get(label::RUN) == Some(&batch.run_id))
            {
                self.plan.actions.push((Action::DeleteRunPods(RunPods::all(&batch.run_id)), Reason::Stored));
            }
            self.plan.actions.push((Action::DeleteRevision { name: spool.name, uid: spool.uid }, Reason::Stored));
        }
    }

    fn over(&self) -> bool {
        self.next.run.as_ref().is_none_or(|r| r.finished_at.is_some())
    }

    fn youngest_placeholder(&self) -> Option<Time> {
        let ages = self.facts.pods().filter(|p| p.placeholder && p.owned && !p.gone).filter_map(|p| p.created_at);
        ages.map(|t| t.after(self.env.fence_age)).filter(|t| *t > self.now).max()
    }

    /// Placeholders go once the run is over and no POST that they fence can still be under way.
    pub(super) fn sweep_placeholders(&mut self) {
        if !self.over() || self.cr.metadata.deletion_timestamp.is_some() {
            return;
        }
        for pod in self.facts.pods().filter(|p| p.placeholder && p.owned && !p.gone && p.deleting_at.is_none()) {
            let at = pod.created_at.unwrap_or(self.now).after(self.env.fence_age);
            if self.now >= at {
                self.plan
                    .actions
                    .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Completed));
            } else {
                self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
            }
        }
        for pod in self.facts.pods().filter(|p| p.is_there() && !p.seen_to_end()) {
            self.plan
                .actions
                .push((Action::DeletePod { name: pod.name.clone(), uid: pod.uid.clone() }, Reason::Deleted));
        }
    }
}
