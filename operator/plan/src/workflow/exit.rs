//! The step that follows the end of all others, however they ended.

use super::{
    conclude,
    machine::{Pass, explain, finish, never_started, values_for},
};
use hearth_crds::{
    condition::Reason,
    workflow::{Run, StepPhase},
};

impl Pass<'_> {
    /// Starts the step on exit when all others are over, or its next attempt when that is due.
    pub(super) fn start_exit(&mut self, run: &mut Run) {
        let Some(exit) = self.spec.on_exit.as_ref().filter(|_| conclude::steps_are_over(run, self.spec)) else {
            return;
        };
        let listed = run.steps.position(&exit.name);
        if listed.and_then(|i| run.steps.get(i)).is_some_and(|s| s.phase == StepPhase::Running) {
            return;
        }
        if self.no_create {
            if listed.is_none() {
                run.steps.push(never_started(&exit.name, StepPhase::Skipped, Reason::Deleted, self.now));
            }
            return;
        }
        match listed {
            None => match exit.when.as_ref().map(|w| w.render_condition(&values_for(run, self.spec, exit))) {
                None | Some(Ok(true)) => {}
                Some(Ok(false)) => {
                    run.steps.push(never_started(&exit.name, StepPhase::Skipped, Reason::WhenFalse, self.now));
                    return;
                }
                Some(Err(e)) => {
                    run.steps.push(never_started(&exit.name, StepPhase::Failed, Reason::ExpressionFailed, self.now));
                    explain(run, &exit.name, Reason::ExpressionFailed, None, &e.to_string());
                    return;
                }
            },
            Some(index) => match run.steps.get(index) {
                Some(status) if status.phase == StepPhase::Waiting && self.retry_is_due(status) => {}
                Some(_) | None => return,
            },
        }
        if self.suspended {
            self.note(&exit.name, Reason::Suspended, "it is suspended");
            return;
        }
        self.begin(run, listed, exit);
    }

    /// Ends the step on exit too: the object goes, or somebody cancels a run of which only that step is left.
    pub(super) fn stop_exit(&mut self, run: &mut Run, reason: Reason) {
        let Some(exit) = &self.spec.on_exit else { return };
        let Some(status) = run.steps.named_mut(&exit.name) else { return };
        match status.phase {
            StepPhase::Waiting => finish(status, StepPhase::Cancelled, Some(reason), self.now),
            StepPhase::Running => {
                status.stop.get_or_insert(reason);
            }
            StepPhase::Succeeded | StepPhase::Failed | StepPhase::Skipped | StepPhase::Cancelled => {}
        }
    }
}
