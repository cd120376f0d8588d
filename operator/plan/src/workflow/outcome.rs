//! How an attempt ended: what its pod's last state means.

use super::{
    artifacts,
    valid::{RetryPolicy, ValidStep},
};
use crate::facts::{ContainerFact, PodFact, PodPhase};
use hearth_crds::{
    artifacts::StoredArtifact,
    condition::Reason,
    json::{Json, type_name},
    time::Time,
    workflow::FailureClass,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The longest outputs of a step. The kubelet keeps 4,096 bytes and cuts the rest without a word.
pub const MAX_OUTPUTS: usize = 3 * 1024;
/// Infrastructure failures that are free.
pub const FREE_INFRASTRUCTURE: u32 = 5;

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It did what it should; what it wrote.
    Succeeded(Written),
    /// It did not.
    Failed(Failed),
}

/// What an attempt wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Its outputs.
    pub outputs: BTreeMap<String, Json>,
    /// Its artifacts.
    pub artifacts: BTreeMap<String, StoredArtifact>,
}

/// A failed attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Failed {
    /// Who is to blame.
    pub class: FailureClass,
    /// In one word.
    pub reason: Reason,
    /// Exit code of the container, if it ended.
    pub exit_code: Option<i32>,
    /// What happened and what to do.
    pub message: String,
}

pub(super) fn failed(class: FailureClass, reason: Reason, message: impl Into<String>) -> Failed {
    Failed { class, reason, exit_code: None, message: message.into() }
}

/// The end of a pod that was seen to end. `stop` is why we stopped it, if we did.
#[must_use]
pub fn conclude(pod: &PodFact, step: &ValidStep, stop: Option<Reason>) -> Outcome {
    match pod.phase {
        PodPhase::Succeeded => match written(termination_message(pod), step) {
            Ok(written) => Outcome::Succeeded(written),
            Err(why) => Outcome::Failed(Failed { exit_code: Some(0), ..why }),
        },
        PodPhase::Failed | PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => {
            Outcome::Failed(classify(pod, step, stop))
        }
    }
}

fn termination_message(pod: &PodFact) -> &str {
    match &pod.container {
        ContainerFact::Ended { message, .. } => message,
        ContainerFact::None | ContainerFact::Waiting { .. } | ContainerFact::Running { .. } => "",
    }
}

/// When the pod ended, by the kubelet's word.
#[must_use]
pub fn ended_at(pod: &PodFact) -> Option<Time> {
    match &pod.container {
        ContainerFact::Ended { finished_at, .. } => *finished_at,
        ContainerFact::None | ContainerFact::Waiting { .. } | ContainerFact::Running { .. } => None,
    }
}

fn classify(pod: &PodFact, step: &ValidStep, stop: Option<Reason>) -> Failed {
    let exit = match &pod.container {
        ContainerFact::Ended { exit_code, reason, .. } => Some((*exit_code, reason.as_str())),
        ContainerFact::None | ContainerFact::Waiting { .. } | ContainerFact::Running { .. } => None,
    };
    let mut end = match stop {
        Some(reason) => stopped(reason),
        None => {
            by_pod(pod).or_else(|| exit.map(|(code, reason)| by_exit(code, reason, pod, step))).unwrap_or_else(|| {
                failed(
                    FailureClass::Infrastructure,
                    Reason::NodeLost,
                    format!(
                        "the pod ended with no word of its container ({})",
                        pod.message.as_deref().unwrap_or("no message")
                    ),
                )
            })
        }
    };
    end.exit_code = exit.map(|(code, _)| code);
    end
}

/// An attempt that we stopped, by why.
#[must_use]
pub fn stopped(reason: Reason) -> Failed {
    match reason {
        Reason::PodDeleted => failed(FailureClass::Infrastructure, reason, "somebody deleted the pod while it ran"),
        Reason::NodeLost => failed(
            FailureClass::Infrastructure,
            reason,
            "the node did not come back within the pod's grace period and 60 s",
        ),
        Reason::PendingTimeout | Reason::Unschedulable | Reason::ImagePullFailed | Reason::ContainerCannotRun => {
            failed(FailureClass::UserError, reason, "the pod did not start in time")
        }
        other => failed(FailureClass::Stopped, other, format!("stopped: {}", other.as_str())),
    }
}

/// Ends that the pod itself names, whatever its container did.
fn by_pod(pod: &PodFact) -> Option<Failed> {
    let message = pod.message.clone().unwrap_or_default();
    let infrastructure = |reason, text: &str| Some(failed(FailureClass::Infrastructure, reason, text.to_owned()));
    match pod.reason.as_deref() {
        Some("DeadlineExceeded") => {
            return Some(failed(
                FailureClass::Application,
                Reason::TimedOut,
                "the step ran for longer than its timeout: raise steps[].timeout, or make it quicker",
            ));
        }
        Some("Evicted") if own_limit(&message) => {
            return Some(failed(
                FailureClass::UserError,
                Reason::Evicted,
                format!("evicted for its own limits: {message}: raise the limit, or write less"),
            ));
        }
        Some("Evicted") => return infrastructure(Reason::Evicted, &format!("evicted: {message}")),
        Some("NodeLost") => return infrastructure(Reason::NodeLost, "the node is gone"),
        Some("Terminated" | "NodeShutdown" | "NodeAffinity" | "UnexpectedAdmissionError" | "Shutdown") => {
            return infrastructure(Reason::NodeLost, &format!("the node stopped the pod: {message}"));
        }
        Some(other) if other.starts_with("OutOf") => {
            return infrastructure(Reason::NodeLost, &format!("the node had no room any more: {message}"));
        }
        Some(_) | None => {}
    }
    match pod.disruption.as_ref().map(|(reason, message)| (reason.as_str(), message.as_str())) {
        Some(("PreemptionByScheduler", message)) => return infrastructure(Reason::Preempted, message),
        Some(("DeletionByTaintManager" | "DeletionByPodGC", message)) => {
            return infrastructure(Reason::NodeLost, message);
        }
        Some((_, message)) => return infrastructure(Reason::Evicted, message),
        None => {}
    }
    pod.deleting_at.and_then(|_| infrastructure(Reason::PodDeleted, "somebody deleted the pod while it ran"))
}

/// Whether the kubelet evicted the pod for its own use of disk, not for the node's want of it.
fn own_limit(message: &str) -> bool {
    [
        "exceeds the total limit",
        "exceeds the limit",
        "exceeded its local ephemeral storage limit",
        "exceeded local ephemeral storage limit",
    ]
    .iter()
    .any(|m| message.contains(m))
}

/// Exit code of a program that asks to be tried again.
const AGAIN: i32 = 75;

/// The command never ran: what it was to read could not be fetched.
fn unfetched(code: i32, pod: &PodFact) -> Failed {
    let class = if code == AGAIN { FailureClass::Infrastructure } else { FailureClass::UserError };
    let message = format!("the input artifacts could not be fetched: {}", last_lines(termination_message(pod)));
    failed(class, Reason::ArtifactMissing, message)
}

fn by_exit(code: i32, word: &str, pod: &PodFact, step: &ValidStep) -> Failed {
    match word {
        "OOMKilled" | "StartError" | "ContainerCannotRun" if pod.fetching => return unfetched(AGAIN, pod),
        _ if pod.fetching => return unfetched(code, pod),
        "OOMKilled" => {
            return failed(
                FailureClass::Application,
                Reason::OutOfMemory,
                "the container used more memory than its limit: raise pod.resources.limits.memory, or use less",
            );
        }
        "StartError" | "ContainerCannotRun" => {
            return failed(
                FailureClass::UserError,
                Reason::ContainerCannotRun,
                format!(
                    "the container could not be started: {}: check command and image",
                    last_lines(termination_message(pod))
                ),
            );
        }
        _ => {}
    }
    let class =
        if (64..=78).contains(&code) && code != AGAIN { FailureClass::UserError } else { FailureClass::Application };
    let tail = last_lines(termination_message(pod));
    let advice = if class == FailureClass::UserError {
        "exit codes 64 to 78 (but 75) mean bad input and are not tried again"
    } else if step.retry.limit == 0 {
        "set steps[].retry to try again"
    } else {
        "see the log of each attempt"
    };
    failed(
        class,
        Reason::ExitCode,
        if tail.is_empty() {
            format!("exit code {code}: {advice}")
        } else {
            format!("exit code {code}: {advice}; last lines: {tail}")
        },
    )
}

/// At most the last 400 characters, on one line.
fn last_lines(text: &str) -> String {
    let flat = text.split('\n').map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join(" | ");
    let skip = flat.chars().count().saturating_sub(400);
    flat.chars().skip(skip).map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

fn written(message: &str, step: &ValidStep) -> Result<Written, Failed> {
    let (text, artifacts) = artifacts::told(message, step)?;
    let outputs = outputs(&text, step).map_err(|(reason, why)| failed(FailureClass::UserError, reason, why))?;
    Ok(Written { outputs, artifacts })
}

fn outputs(message: &str, step: &ValidStep) -> Result<BTreeMap<String, Json>, (Reason, String)> {
    if message.len() > MAX_OUTPUTS {
        return Err((
            Reason::OutputsTooLong,
            format!("the outputs are longer than {MAX_OUTPUTS} bytes: write less to /dev/termination-log"),
        ));
    }
    let written = if message.trim().is_empty() { Map::new() } else { object(message)? };
    let declared = || step.outputs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    if let Some(name) = written.keys().find(|name| !step.outputs.contains_key(*name)) {
        return Err((
            Reason::OutputUndeclared,
            format!("output {name} is not declared: add it to steps[].outputs (declared: {})", declared()),
        ));
    }
    let mut outputs = BTreeMap::new();
    for (name, of) in &step.outputs {
        let Some(value) = written.get(name) else {
            return Err((
                Reason::OutputMissing,
                format!("output {name} was not written: write a JSON object with it to /dev/termination-log"),
            ));
        };
        if !of.admits(value) {
            return Err((
                Reason::OutputMistyped,
                format!("output {name} is {}, but {of} is declared", type_name(value)),
            ));
        }
        outputs.insert(name.clone(), Json(value.clone()));
    }
    Ok(outputs)
}

fn object(message: &str) -> Result<Map<String, Value>, (Reason, String)> {
    match serde_json::from_str::<Value>(message.trim()) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err((
            Reason::OutputsNotJson,
            format!("/dev/termination-log holds {}, not a JSON object: write {{\"name\": value}}", type_name(&other)),
        )),
        Err(e) => {
            Err((Reason::OutputsNotJson, format!("/dev/termination-log is not JSON ({e}): write {{\"name\": value}}")))
        }
    }
}

/// Whether another attempt follows, given the failures so far, this one included.
#[must_use]
pub fn tries_again(end: &Failed, application: u32, infrastructure: u32, policy: &RetryPolicy) -> bool {
    match end.class {
        FailureClass::Void => true,
        FailureClass::Stopped => false,
        FailureClass::Infrastructure => infrastructure <= FREE_INFRASTRUCTURE,
        FailureClass::UserError => listed(end, policy) == Some(true) && application <= policy.limit,
        FailureClass::Application => listed(end, policy).unwrap_or(true) && application <= policy.limit,
    }
}

/// Whether the exit code is in `exitCodes`; None when that list is empty.
fn listed(end: &Failed, policy: &RetryPolicy) -> Option<bool> {
    (!policy.exit_codes.is_empty()).then(|| end.exit_code.is_some_and(|c| policy.exit_codes.contains(&c)))
}
