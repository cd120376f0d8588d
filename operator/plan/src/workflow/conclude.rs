//! The end of a run, and what the object says of itself: phase, reason, progress and conditions.

use super::{machine::values, valid::Valid};
use crate::kind::{Note, Subject};
use hearth_crds::{
    condition::{Condition, ConditionStatus, ConditionType, Reason},
    json::Json,
    time::Time,
    workflow::{Failure, Run, RunPhase, StepPhase, WorkflowStatus},
};
use std::collections::BTreeMap;

/// The longest results of a run, as JSON.
pub const MAX_RESULTS: usize = 8 * 1024;
pub(super) const MAX_MESSAGE: usize = 512;

/// Whether a step of that name is listed, and over.
fn is_over(run: &Run, name: &str) -> bool {
    run.steps.named(name).is_some_and(|s| s.phase.is_terminal())
}

/// Whether every step of the DAG is over; the step on exit may still be to come.
pub(super) fn steps_are_over(run: &Run, spec: &Valid) -> bool {
    spec.steps.iter().all(|s| is_over(run, &s.name))
}

/// Ends the run when every step is over. The phase that it ends in.
pub fn conclude(run: &mut Run, spec: &Valid, now: Time) -> Option<RunPhase> {
    if !steps_are_over(run, spec) || spec.on_exit.as_ref().is_some_and(|s| !is_over(run, &s.name)) {
        return None;
    }
    let (phase, results) = verdict(run, spec);
    run.finished_at = Some(now);
    match results {
        Ok(results) => run.results = results,
        Err(failure) => {
            run.failure.get_or_insert(failure);
        }
    }
    let exit_failed = spec.on_exit.as_ref().is_some_and(|exit| failed(run, &exit.name));
    Some(if phase == RunPhase::Succeeded && exit_failed { RunPhase::Failed } else { phase })
}

fn failed(run: &Run, name: &str) -> bool {
    run.steps.named(name).is_some_and(|s| matches!(s.phase, StepPhase::Failed | StepPhase::Cancelled))
}

type Results = Result<BTreeMap<String, Json>, Failure>;

/// How a run ends whose steps are over, the step on exit apart, and its results.
pub(super) fn verdict(run: &Run, spec: &Valid) -> (RunPhase, Results) {
    match run.stop {
        Some(Reason::Cancelled | Reason::Deleted | Reason::Replaced) => (RunPhase::Cancelled, Ok(BTreeMap::new())),
        Some(_) => (RunPhase::Failed, Ok(BTreeMap::new())),
        None if spec.steps.iter().any(|s| failed(run, &s.name)) => (RunPhase::Failed, Ok(BTreeMap::new())),
        None => {
            let results = results(run, spec);
            (if results.is_ok() { RunPhase::Succeeded } else { RunPhase::Failed }, results)
        }
    }
}

fn results(run: &Run, spec: &Valid) -> Results {
    let failure =
        |reason, message: String| Failure { step: None, item: None, attempt: None, reason, exit_code: None, message };
    let values = values(run);
    let mut results = BTreeMap::new();
    for (name, expression) in &spec.results {
        let value = expression
            .render(&values)
            .map_err(|e| failure(Reason::ExpressionFailed, format!("spec.results.{name}: {e}")))?;
        results.insert(name.clone(), Json(value));
    }
    let size = serde_json::to_vec(&results).map_or(usize::MAX, |v| v.len());
    if size > MAX_RESULTS {
        return Err(failure(
            Reason::ResultsTooLong,
            format!(
                "the results are {size} bytes of JSON, at most {MAX_RESULTS} are kept: name fewer outputs in spec.results"
            ),
        ));
    }
    Ok(results)
}

/// What the conditions are made from, beside the status itself.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// What is wrong with the current spec. A run under way is of one that was right: nothing is said of this one until it ends.
    pub invalid: Option<String>,
    /// A run of a changed spec follows the one under way; why.
    pub change_pending: Option<String>,
    /// `spec.suspend` is true, or a request suspended it.
    pub suspended: bool,
    /// Who asked for that, when spec does not say it.
    pub suspended_by: Option<String>,
    /// Whether the record of the ended run is stored; None when there is none to store.
    pub stored: Option<bool>,
    /// Why it is not.
    pub backlog: Option<String>,
    /// Something has run.
    pub working: bool,
    /// What the object waits for between runs, when it is not for a change of its spec.
    pub idle: Option<Idle>,
    /// Steps of the spec, when it can be read.
    pub steps: Option<usize>,
}

/// What an object waits for between its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// To be asked.
    Template,
    /// For the next time of its schedules.
    Scheduled(Option<Time>),
}

type Said = (ConditionType, ConditionStatus, Reason, String);

/// Fills in reason, progress and conditions. A condition keeps its transition time while its status stays.
pub fn describe(
    next: &mut WorkflowStatus,
    old: Option<&WorkflowStatus>,
    situation: &Situation,
    notes: &[Note],
    generation: Option<i64>,
    now: Time,
) {
    let said = say(next, situation, notes);
    next.reason = said.iter().find(|(kind, ..)| *kind == ConditionType::Ready).map(|(_, _, reason, _)| *reason);
    next.progress = next.run.as_ref().map(|run| {
        let done = run.steps.iter().filter(|s| s.phase.is_terminal()).count();
        format!("{done}/{}", situation.steps.unwrap_or(run.steps.len()))
    });
    let before = |kind| old.and_then(|o| o.conditions.iter().find(|c| c.type_ == kind));
    next.conditions = said
        .into_iter()
        .map(|(type_, status, reason, message)| {
            let since = before(type_).filter(|c| c.status == status).map(|c| c.last_transition_time);
            let message = message.chars().take(MAX_MESSAGE).collect();
            Condition {
                type_,
                status,
                reason: reason.as_str().into(),
                message,
                last_transition_time: since.unwrap_or(now),
                observed_generation: generation,
            }
        })
        .collect();
}

fn say(status: &WorkflowStatus, situation: &Situation, notes: &[Note]) -> Vec<Said> {
    use ConditionStatus::{False, True, Unknown};
    use ConditionType::{ChangePending, HistoryStored, LastRunFailed, Ready, Reconciling, Stalled, Suspended};
    let active = status.run.as_ref().is_some_and(|r| r.finished_at.is_none());
    let mut said: Vec<Said> = Vec::new();
    let mut add = |kind, status, reason, message: &str| said.push((kind, status, reason, message.to_owned()));
    match &situation.invalid {
        Some(message) => {
            add(Ready, False, Reason::InvalidSpec, message);
            add(Stalled, True, Reason::InvalidSpec, message);
        }
        None => match (&status.run, status.phase) {
            (run, phase) if situation.idle.is_some() && !active => {
                idle(situation, &mut add);
                if let (Some(run), Some(RunPhase::Failed | RunPhase::Cancelled)) = (run, phase) {
                    let failure = run.failure.as_ref();
                    let reason = failure.map(|f| f.reason).or(run.stop).unwrap_or(Reason::StepFailed);
                    let text = failure.map_or("the last run was stopped", |f| f.message.as_str());
                    add(LastRunFailed, True, reason, text);
                }
            }
            (Some(run), Some(phase)) if phase.is_terminal() => ended(run, phase, &mut add),
            (Some(run), _) => under_way(run, situation, notes, &mut add),
            (None, _) if situation.suspended => add(
                Ready,
                True,
                Reason::Suspended,
                &format!("suspended before its first run: {} to start it", way_out(situation)),
            ),
            (None, _) => {
                let why = notes.first().map_or("waiting to start", |n| n.message.as_str());
                let reason = notes.first().map_or(Reason::Accepted, |n| n.reason);
                add(Ready, False, reason, why);
                add(Reconciling, True, reason, why);
            }
        },
    }
    if situation.suspended && (active || status.run.is_none() || situation.idle.is_some()) {
        add(
            Suspended,
            True,
            Reason::Suspended,
            &format!("no new step starts, running pods finish: {} to go on", way_out(situation)),
        );
    }
    if let Some(message) = &situation.change_pending {
        add(ChangePending, True, Reason::SpecChanged, message);
    }
    match situation.stored {
        Some(true) => add(HistoryStored, True, Reason::Stored, "the record of the run is in the history store"),
        Some(false) => match &situation.backlog {
            Some(message) => add(HistoryStored, False, Reason::Backlog, message),
            None => {
                add(HistoryStored, Unknown, Reason::Pending, "the record of the run is on its way to the history store")
            }
        },
        None => {}
    }
    said
}

/// What ends a suspension.
fn way_out(situation: &Situation) -> String {
    match &situation.suspended_by {
        None => "set spec.suspend to false".to_owned(),
        Some(by) => format!("resume it (a request of {by} suspended it)"),
    }
}

fn idle(situation: &Situation, add: &mut impl FnMut(ConditionType, ConditionStatus, Reason, &str)) {
    let (reason, text) = match situation.idle {
        Some(Idle::Scheduled(_)) if situation.suspended => (
            Reason::Scheduled,
            format!("suspended: scheduled times pass unused: {} to go on with the next one", way_out(situation)),
        ),
        Some(Idle::Scheduled(Some(next))) => (Reason::Scheduled, format!("the next run is due at {next}")),
        Some(Idle::Scheduled(None)) => (Reason::Scheduled, "it runs at the times of spec.schedules".to_owned()),
        Some(Idle::Template) | None => {
            (Reason::Template, "a template: it runs when spec.rerun.token changes".to_owned())
        }
    };
    add(ConditionType::Ready, ConditionStatus::True, reason, &text);
}

fn ended(run: &Run, phase: RunPhase, add: &mut impl FnMut(ConditionType, ConditionStatus, Reason, &str)) {
    use ConditionStatus::{False, True};
    use ConditionType::{Complete, Failed, Ready, Stalled};
    let message = run.failure.as_ref().map(|f| f.message.clone());
    match phase {
        RunPhase::Succeeded => {
            add(Ready, True, Reason::Completed, "the run succeeded");
            add(Complete, True, Reason::Completed, "the run succeeded");
        }
        RunPhase::Cancelled => {
            let reason = run.stop.unwrap_or(Reason::Cancelled);
            let text = "the run was cancelled: change spec.rerun.token to run it again";
            add(Ready, False, reason, text);
            add(Stalled, True, reason, text);
            add(Failed, True, reason, text);
        }
        RunPhase::Failed | RunPhase::Pending | RunPhase::Running => {
            let reason = run.failure.as_ref().map_or(Reason::StepFailed, |f| f.reason);
            let text = message.unwrap_or_else(|| "a step failed: see kubectl hearth describe".into());
            add(Ready, False, reason, &text);
            add(Stalled, True, reason, &text);
            add(Failed, True, Reason::StepFailed, &text);
        }
    }
}

/// The most telling of the notes: what somebody may have to act on comes first.
fn blocker(notes: &[Note]) -> Option<&Note> {
    let rank = |n: &Note| match n.reason {
        Reason::NameTaken => 0,
        Reason::PodRefused | Reason::PodInvalid | Reason::ImagePullFailed | Reason::ContainerCannotRun => 1,
        Reason::Unschedulable => 2,
        Reason::QuotaExceeded => 3,
        Reason::WaitingForApproval => 4,
        _ => 9,
    };
    notes.iter().filter(|n| matches!(n.subject, Subject::Step(_)) && rank(n) < 9).min_by_key(|n| rank(n))
}

fn under_way(
    run: &Run,
    situation: &Situation,
    notes: &[Note],
    add: &mut impl FnMut(ConditionType, ConditionStatus, Reason, &str),
) {
    use ConditionStatus::{False, True};
    use ConditionType::{Ready, Reconciling, Stalled};
    if let Some(reason) = run.stop {
        add(Ready, False, reason, "the run is being stopped");
        add(Reconciling, True, reason, "the run is being stopped");
        return;
    }
    match blocker(notes) {
        Some(note) => {
            let step = match &note.subject {
                Subject::Step(name) => name.as_str(),
                Subject::Object | Subject::Run => "",
            };
            let text = format!("step {step}: {}", note.message);
            match note.reason {
                Reason::NameTaken => {
                    add(Ready, False, note.reason, &text);
                    add(Stalled, True, note.reason, &text);
                }
                Reason::QuotaExceeded => add(Ready, True, note.reason, &text),
                _ => {
                    add(Ready, False, note.reason, &text);
                    add(Reconciling, True, note.reason, &text);
                }
            }
        }
        None if situation.suspended => add(Ready, True, Reason::Suspended, "suspended: running pods finish"),
        None if situation.working => add(Ready, True, Reason::Running, "steps are running"),
        None => {
            add(Ready, False, Reason::Accepted, "accepted; the first pods are on their way");
            add(Reconciling, True, Reason::Accepted, "accepted; the first pods are on their way");
        }
    }
}
