//! What was asked by entries of `status.requests`. The effect of a request and its answer are one status patch, so that it is
//! done once whatever happens between passes.

use super::{conclude::MAX_MESSAGE, lifecycle::Work};
use hearth_crds::{
    condition::Reason,
    request::{Answer, AnswerResult, Request, RequestKind, RequestedSuspension},
    workflow::{Approve, Run, StepPhase},
};
use std::time::Duration;

/// How long an answered request stays to be read.
const KEPT: Duration = Duration::from_secs(600);

impl Work<'_> {
    /// Before anything else: what is over goes, and what concerns the object as a whole is done.
    pub(super) fn hear(&mut self) {
        if self.next.suspension.as_ref().is_some_and(|s| s.spec != self.cr.spec.suspend) {
            self.next.suspension = None;
        }
        self.drop_answered();
        for (id, kind, by) in self.open(|r| matches!(r.kind, RequestKind::Suspend | RequestKind::Resume)) {
            if kind == RequestKind::Suspend {
                let asked = RequestedSuspension { by, at: self.now, spec: self.cr.spec.suspend };
                self.next.suspension.get_or_insert(asked);
                self.answer(&id, AnswerResult::Done, "no new step and no new run starts");
            } else if self.cr.spec.suspend == Some(true) {
                self.answer(&id, AnswerResult::Refused, "spec.suspend is true: only a change of it lets it go on");
            } else {
                self.next.suspension = None;
                self.answer(&id, AnswerResult::Done, "it goes on");
            }
        }
        let by_spec = self.cr.spec.suspend == Some(true);
        self.situation.suspended = by_spec || self.next.suspension.is_some();
        self.situation.suspended_by = self.next.suspension.as_ref().filter(|_| !by_spec).map(|s| s.by.clone());
    }

    fn drop_answered(&mut self) {
        let now = self.now;
        let until = |r: &Request| r.answer.as_ref().map(|a| a.at.after(KEPT));
        self.next.requests.retain(|r| until(r).is_none_or(|at| now < at));
        if let Some(at) = self.next.requests.iter().filter_map(until).min() {
            self.wake_at(at);
        }
    }

    /// Id, kind and sender of the requests without an answer that `of` leaves, in the order in which they were asked.
    fn open(&self, of: impl Fn(&Request) -> bool) -> Vec<(String, RequestKind, String)> {
        let mut open: Vec<&Request> = self.next.requests.iter().filter(|r| r.answer.is_none() && of(r)).collect();
        open.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        open.into_iter().map(|r| (r.id.clone(), r.kind, r.by.clone())).collect()
    }

    fn answer(&mut self, id: &str, result: AnswerResult, message: &str) {
        let now = self.now;
        if let Some(request) = self.next.requests.iter_mut().find(|r| r.id == id) {
            let message = message.chars().take(MAX_MESSAGE).collect();
            request.answer = Some(Answer { result, message, at: now });
            self.wake_at(now.after(KEPT));
        }
    }

    /// Whether somebody asked for the end of that run, which comes by this very pass.
    pub(super) fn asked_to_cancel(&mut self, run: &str) -> bool {
        let about = self.open(|r| r.kind == RequestKind::Cancel && r.run.as_deref() == Some(run));
        for (id, ..) in &about {
            self.answer(id, AnswerResult::Done, "the run is being stopped");
        }
        !about.is_empty()
    }

    /// What spec approves, and what was asked for.
    pub(super) fn approvals(&self) -> Vec<Approve> {
        let asked = self.next.requests.iter().filter(|r| r.kind == RequestKind::Approve && r.answer.is_none());
        let asked = asked.filter_map(|r| Some(Approve { step: r.step.clone()?, run: r.run.clone()? }));
        self.cr.spec.approve.iter().cloned().chain(asked).collect()
    }

    /// After a pass over the run: what it let pass, and what is about nothing that is there.
    pub(super) fn answer_about(&mut self, run: &Run) {
        for (id, kind, _) in self.open(|r| matches!(r.kind, RequestKind::Approve | RequestKind::Cancel)) {
            let request = self.next.requests.iter().find(|r| r.id == id).cloned();
            let Some(request) = request else { continue };
            let of_run = request.run.as_deref() == Some(run.id.as_str());
            let approved = request.step.as_ref().and_then(|step| run.steps.named(step));
            let approved =
                approved.is_some_and(|s| s.phase == StepPhase::Succeeded && s.reason == Some(Reason::Approved));
            if !of_run || (kind == RequestKind::Cancel && run.finished_at.is_some()) {
                self.answer(&id, AnswerResult::Refused, "that run is not under way");
            } else if kind == RequestKind::Approve && approved {
                self.answer(&id, AnswerResult::Done, "the step is approved");
            } else if kind == RequestKind::Approve {
                self.answer(&id, AnswerResult::Refused, "that step does not wait for approval");
            }
        }
    }

    /// What is about a run when none is under way.
    pub(super) fn refuse_about_runs(&mut self) {
        for (id, ..) in self.open(|r| matches!(r.kind, RequestKind::Approve | RequestKind::Cancel)) {
            self.answer(&id, AnswerResult::Refused, "that run is not under way");
        }
    }

    /// The request for one more run that is next.
    pub(super) fn asked_to_run(&self) -> Option<Request> {
        let (id, ..) = self.open(|r| r.kind == RequestKind::Rerun).into_iter().next()?;
        self.next.requests.iter().find(|r| r.id == id).cloned()
    }

    /// The run that was asked for has begun.
    pub(super) fn answer_with(&mut self, request: &Request, number: i64, run: &str) {
        self.answer(&request.id, AnswerResult::Done, &format!("run {number} ({run}) started"));
    }

    /// No run can begin by this spec.
    pub(super) fn refuse_runs(&mut self, why: &str) {
        for (id, ..) in self.open(|r| r.kind == RequestKind::Rerun) {
            self.answer(&id, AnswerResult::Refused, why);
        }
    }
}
