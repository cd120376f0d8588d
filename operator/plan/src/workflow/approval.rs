//! Steps that wait for a person. They run no pod, so they have no attempt.

use super::{
    machine::{Pass, explain, finish, never_started, values_for},
    valid::ValidStep,
};
use crate::expr::Checked;
use hearth_crds::{
    condition::Reason,
    workflow::{Run, StepPhase, StepStatus},
};

impl Pass<'_> {
    /// Begins to wait.
    pub(super) fn ask(&mut self, run: &mut Run, step: &ValidStep, message: &Checked) {
        if let Err(e) = message.render_text(&values_for(run, self.spec, step)) {
            run.steps.push(never_started(&step.name, StepPhase::Failed, Reason::ExpressionFailed, self.now));
            explain(run, &step.name, Reason::ExpressionFailed, None, &e.to_string());
            return;
        }
        run.steps.push(StepStatus {
            since: Some(self.now),
            started_at: Some(self.now),
            finished_at: None,
            ..never_started(&step.name, StepPhase::Running, Reason::WaitingForApproval, self.now)
        });
        self.say_what_is_asked(run, step, message);
    }

    /// Goes on when somebody approved the step in this run, and gives up when nobody did in time.
    pub(super) fn await_approval(&mut self, run: &mut Run, index: usize, step: &ValidStep, message: &Checked) {
        let approved = self.approvals.iter().any(|a| a.step == step.name && a.run == run.id);
        let Some(status) = run.steps.get_mut(index) else { return };
        if approved && run.stop.is_none() {
            finish(status, StepPhase::Succeeded, Some(Reason::Approved), self.now);
            return;
        }
        if let Some(deadline) = step.timeout.map(|limit| status.since.unwrap_or(self.now).after(limit)) {
            if self.now >= deadline {
                finish(status, StepPhase::Failed, Some(Reason::TimedOut), self.now);
                let why = "nobody approved it within steps[].timeout: change spec.rerun to ask again";
                explain(run, &step.name, Reason::TimedOut, None, why);
                return;
            }
            self.wake_at(deadline);
        }
        self.say_what_is_asked(run, step, message);
    }

    fn say_what_is_asked(&mut self, run: &Run, step: &ValidStep, message: &Checked) {
        let asked = message.render_text(&values_for(run, self.spec, step)).unwrap_or_default();
        let other = self.approvals.iter().find(|a| a.step == step.name && a.run != run.id);
        let ignored = other.map(|a| format!("; the entry for run {} is ignored", a.run)).unwrap_or_default();
        let text = format!(
            "{asked} (waits for approval: add {{step: {}, run: {}}} to spec.approve{ignored})",
            step.name, run.id
        );
        self.note(&step.name, Reason::WaitingForApproval, text);
    }
}
