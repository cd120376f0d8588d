//! How a status lists the steps of a run. Decisions see every step by its name; a run of many steps is written with those
//! that are over told by place, so that its status stays short.

use super::{machine, specs::Spec, valid::Valid};
use hearth_crds::workflow::{EndedSteps, MAX_LISTED_STEPS, Run, StepPhase, StepStatus, WorkflowStatus};
use std::{borrow::Cow, collections::BTreeMap};

/// Failed steps that are listed by name all the same.
const LISTED_FAILURES: usize = 20;

/// Whether the steps of a run are more than its status lists by name.
pub(super) fn is_long(spec: &Valid) -> bool {
    spec.steps.len() > MAX_LISTED_STEPS
}

/// Whether all that is known of a step of a long run is what is told of it by place.
pub(super) fn is_told_by_place(status: &StepStatus) -> bool {
    status.phase.is_terminal() && status.finished_at.is_none()
}

/// The status with every step by its name. Without the spec that the run is pinned to it stays as it is.
pub(super) fn unfold<'s>(status: &'s WorkflowStatus, spec: Option<&Spec>) -> Cow<'s, WorkflowStatus> {
    let folded = status.run.as_ref().is_some_and(|run| !run.over.is_empty());
    match spec.and_then(|s| s.checked.as_ref().ok()) {
        Some(spec) if folded => {
            let mut status = status.clone();
            if let Some(run) = status.run.as_mut() {
                by_name(run, spec);
            }
            Cow::Owned(status)
        }
        Some(_) | None => Cow::Borrowed(status),
    }
}

fn by_name(run: &mut Run, spec: &Valid) {
    let names: BTreeMap<u32, &str> = spec.steps.iter().map(|s| (s.place, s.name.as_str())).collect();
    run.list_by_name(|place| names.get(&place).copied());
    for status in run.steps.iter_mut().filter(|s| is_told_by_place(s)) {
        status.workflow = spec.step(&status.name).and_then(|s| s.sub.as_ref()).map(|s| s.target.clone());
    }
    machine::sort(run, spec);
}

/// Tells steps that are over by place, where `may_go` says so.
pub(super) fn fold(run: &mut Run, spec: &Valid, may_go: impl Fn(&StepStatus) -> bool) {
    let mut failures = 0;
    let mut over: Vec<EndedSteps> = std::mem::take(&mut run.over);
    let mut listed = Vec::with_capacity(MAX_LISTED_STEPS);
    for status in std::mem::take(&mut run.steps) {
        let place = spec.position(&status.name).and_then(|at| spec.steps.get(at)).map(|s| s.place);
        let goes = status.phase.is_terminal() && status.fan_out.is_none() && may_go(&status);
        failures += usize::from(status.phase == StepPhase::Failed);
        let stays = status.phase == StepPhase::Failed && failures <= LISTED_FAILURES && !is_told_by_place(&status);
        match place.filter(|_| goes && !stays) {
            None => listed.push(status),
            Some(place) => match over.iter_mut().find(|group| group.is_like(&status)) {
                Some(group) => group.take(place, status),
                None => {
                    let mut group = EndedSteps::like(&status);
                    group.take(place, status);
                    over.push(group);
                }
            },
        }
    }
    over.sort_by_key(|group| (group.phase, group.attempt));
    run.over = over;
    run.steps = listed.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::Facts, offer::Offer, workflow::specs::Specs};
    use hearth_crds::workflow::Workflow;
    use serde_json::json;

    #[test]
    fn a_status_that_lists_every_step_by_its_name_is_read_as_it_is() {
        let cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "demo", "namespace": "lab", "uid": "u"},
            "spec": {"steps": [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]},
            "status": {"run": {"id": "r", "number": 1, "seq": 1, "revision": "v", "digest": "v1:0", "generation": 1,
                "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z",
                "steps": [{"name": "b", "phase": "Running", "attempt": 1}, {"name": "a", "phase": "Skipped", "attempt": 0}]}},
        }))
        .unwrap();
        let spec = Specs::of(&cr, &Facts::default(), &Offer::default(), None).current;
        let status = cr.status.unwrap();
        assert!(matches!(unfold(&status, Some(&spec)), Cow::Borrowed(same) if *same == status));
    }
}
