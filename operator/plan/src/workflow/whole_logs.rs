//! Whole logs (`logs: Full`): which ones are still to be stored, and the pods that stay for them.
//!
//! The pod itself says that its log is wanted. So that holds for pods of earlier runs too, and whatever becomes of the
//! spec; whoever takes the label away lets the pod go without its log.

use super::{digest, lifecycle::Work};
use crate::{
    facts::{ContainerFact, PodFact},
    kind::{Action, Intent},
};
use hearth_crds::{condition::Reason, label, time::Time};
use std::time::Duration;

/// How long a deleted object stays for logs that are still to be stored: its pods go with it.
const DELETION_WAITS: Duration = Duration::from_secs(300);

impl Work<'_> {
    /// Asks for each log that is still to be stored. Nothing else waits for the answer, but the pod stays until it comes.
    pub(super) fn keep_logs(&mut self) {
        let due = self.facts.pods().filter(|p| self.awaits_log(p));
        let asked = due.filter_map(|p| Some(Action::KeepLog { name: p.name.clone(), attempt: self.attempt(p)? }));
        let actions: Vec<_> = asked.map(|action| (action, Reason::Stored)).collect();
        self.plan.actions.extend(actions);
    }

    /// Whether the log of that pod is wanted, and not stored yet. It is wanted too of one that is being deleted.
    pub(super) fn awaits_log(&self, pod: &PodFact) -> bool {
        let ran = match pod.container {
            ContainerFact::Running { .. } | ContainerFact::Ended { .. } => !pod.fetching,
            ContainerFact::None | ContainerFact::Waiting { .. } => false,
        };
        let wanted = pod.labels.get(label::LOGS).is_some_and(|l| l == label::LOGS_FULL);
        let there = pod.owned && !pod.placeholder && !pod.gone;
        self.env.offer.artifacts.is_some()
            && wanted
            && there
            && ran
            && pod.seen_to_end()
            && !self.facts.kept_logs.contains(&pod.name)
            && self.attempt(pod).is_some()
    }

    /// Whether some pod of the run, or of any run, stays for its log.
    pub(super) fn awaits_logs(&self, run_id: Option<&str>) -> bool {
        let of_run = |p: &PodFact| run_id.is_none_or(|id| p.labels.get(label::RUN).is_some_and(|r| r == id));
        self.facts.pods().any(|p| of_run(p) && self.awaits_log(p))
    }

    /// Whether the object that is being deleted stays a while for logs that are still to be stored.
    pub(super) fn stays_for_logs(&mut self) -> bool {
        let deleted = self.cr.metadata.deletion_timestamp.as_ref();
        let until = deleted.map_or(self.now, |at| Time::new(at.0)).after(DELETION_WAITS);
        let stays = self.now < until && self.awaits_logs(None);
        if stays {
            self.note(Reason::Deleted, "waiting until whole logs are stored");
            self.wake_at(until);
        }
        stays
    }

    /// The attempt that a pod is of. What its labels say is believed only when its name, which hashes it, says the same.
    fn attempt(&self, pod: &PodFact) -> Option<Intent> {
        let of = |key: &str| pod.labels.get(key);
        let (run_id, step) = (of(label::RUN)?.clone(), of(label::STEP)?.clone());
        let item = of(label::ITEM).map(|n| n.parse::<u32>()).transpose().ok()?;
        let attempt = of(label::ATTEMPT)?.parse().ok()?;
        let name = digest::pod_name(&self.owner.name, &self.owner.uid, &run_id, &step, item, attempt);
        (name == pod.name).then_some(Intent { run_id, step, item: item.unwrap_or(0), attempt })
    }
}
