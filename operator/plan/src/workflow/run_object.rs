//! Objects that ask for one run of another Workflow: whether somebody still waits for that run, and when the object goes.

use super::{
    fan_out,
    lifecycle::Work,
    valid::{Invalid, invalid},
    validate::duration,
};
use crate::{
    facts::{Facts, Peer},
    kind::Action,
};
use hearth_crds::{
    annotation,
    condition::{ConditionStatus, ConditionType, Reason},
    trigger::{self, Caller, SHORTEST_TTL},
    workflow::{StepPhase, Workflow, WorkflowStatus},
};
use serde::Deserialize as _;
use std::time::Duration;

/// How long such an object stays after its record is stored.
const DEFAULT_TTL: Duration = Duration::from_secs(3600);

/// The id of the trigger of a run object.
pub(super) fn id(cr: &Workflow) -> Option<&str> {
    trigger::id_of(&cr.metadata, &cr.spec.from.as_ref()?.workflow)
}

/// Who asked for the run.
pub(super) fn requested_by(cr: &Workflow) -> Option<String> {
    id(cr)?;
    trigger::annotated(&cr.metadata, annotation::REQUESTED_BY).map(str::to_owned)
}

/// How many runs called each other to come to this one.
pub(super) fn depth(cr: &Workflow) -> u32 {
    trigger::annotated(&cr.metadata, annotation::DEPTH).and_then(|d| d.parse().ok()).unwrap_or(0)
}

/// The attempt that the run is for, and the name of its Workflow; None when no step asked.
pub(super) fn caller(cr: &Workflow) -> Option<(Caller, String)> {
    let caller = Caller::read(id(cr)?)?;
    let owners = cr.metadata.owner_references.as_ref()?;
    let owner = owners.iter().find(|o| o.controller == Some(true) && o.kind == "Workflow")?;
    // The scope of its id is the UID of the Workflow whose step it is.
    let scope = trigger::annotated(&cr.metadata, annotation::TRIGGER_SCOPE)?;
    (owner.uid == scope).then(|| (caller, owner.name.clone()))
}

/// What is wrong with `ttl`.
pub(super) fn check(cr: &Workflow) -> Result<(), Invalid> {
    let Some(ttl) = duration("spec.ttl", cr.spec.ttl.as_ref())? else { return Ok(()) };
    if id(cr).is_none() {
        return invalid("spec.ttl", "only an object that a trigger or a step made deletes itself: remove it");
    }
    if ttl < SHORTEST_TTL {
        return invalid(
            "spec.ttl",
            "is shorter than 10m: whoever asked for the run must have time to read how it ended",
        );
    }
    Ok(())
}

/// How the attempt that a run works for stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Call {
    /// Its step still waits for the run.
    pub(super) waits: bool,
    /// Its Workflow is suspended: no new step starts here either.
    pub(super) suspended: bool,
}

/// The call that the object answers; None when no step asked.
pub(super) fn call(cr: &Workflow, facts: &Facts) -> Option<Call> {
    let (caller, name) = caller(cr)?;
    let uid = trigger::annotated(&cr.metadata, annotation::TRIGGER_SCOPE);
    Some(stand(&caller, facts.peers.get(&name), uid))
}

fn stand(caller: &Caller, peer: Option<&Peer>, uid: Option<&str>) -> Call {
    let gone = Call { waits: false, suspended: false };
    let Some(peer) = peer.filter(|p| Some(p.uid.as_str()) == uid) else { return gone };
    let Ok(status) = WorkflowStatus::deserialize(&peer.status) else { return gone };
    let run = status.run.as_ref().filter(|r| r.id == caller.run && r.finished_at.is_none());
    let step = run.and_then(|r| r.steps.named(&caller.step));
    let waits = step.is_some_and(|step| {
        let one = match (&step.fan_out, caller.item) {
            (Some(fan), Some(item)) => fan_out::unfold(fan, step, item),
            (None, None) => step.clone(),
            _ => return false,
        };
        one.phase == StepPhase::Running && one.attempt == caller.attempt && one.stop.is_none()
    });
    let by_spec = peer.spec.get("suspend").and_then(serde_json::Value::as_bool) == Some(true);
    Call { waits, suspended: by_spec || status.suspension.is_some() }
}

impl Work<'_> {
    /// Whether a step asked for the run, and has gone on without it.
    pub(super) fn is_not_waited_for(&self) -> bool {
        self.call.is_some_and(|c| !c.waits)
    }

    /// No run is under way: a run object goes some time after its record is stored, when no step waits for it any more.
    pub(super) fn expire(&mut self) {
        if id(self.cr).is_none() || self.next.run.as_ref().is_some_and(|r| r.finished_at.is_none()) {
            return;
        }
        let not_waited_for = self.call.map(|c| !c.waits);
        let stored = self.cr.status.as_ref().and_then(|s| {
            let stored = |c: &&hearth_crds::condition::Condition| {
                c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True
            };
            s.conditions.iter().find(stored).map(|c| c.last_transition_time)
        });
        let due = match (&self.next.run, stored, not_waited_for) {
            (_, _, Some(false)) => None,
            (None, _, Some(true)) => Some(self.now),
            (Some(_), Some(at), _) => {
                let ttl = self.cr.spec.ttl.as_ref().and_then(|t| t.parse().ok()).unwrap_or(DEFAULT_TTL);
                Some(at.after(ttl.max(SHORTEST_TTL)))
            }
            (None, _, None) | (Some(_), None, _) => None,
        };
        match due {
            Some(at) if self.now >= at && self.awaits_logs(None) => {
                self.note(Reason::Stored, "the object goes when the whole logs of its run are stored");
            }
            Some(at) if self.now >= at => {
                self.note(Reason::Stored, "its run is recorded and its time is over: the object goes");
                self.plan.actions.push((Action::DeleteObject { uid: self.owner.uid.clone() }, Reason::Stored));
            }
            Some(at) => self.wake_at(at),
            None => {}
        }
    }
}
