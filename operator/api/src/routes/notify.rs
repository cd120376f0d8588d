//! Runs that outside systems made themselves.

use super::extract::{Body, InPath, is_workflow, workflow_id};
use crate::{identity::Identity, query::time, refused::Refused, router::Api};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_contract::digest::Digest;
use hearth_crds::time::Time;
use hearth_history::{Report, ReportEnd, Reported, ReportedStep};
use hearth_wire::{NodeLog, Notified, NotifyBody, ProblemKind};
use jiff::Timestamp;
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// The longest id of a run and name of a step, in characters.
const LONGEST_NAME: usize = 253;
/// The longest message, in characters.
const LONGEST_MESSAGE: usize = 1024;
/// The largest inputs, and the largest outputs, as JSON.
const LARGEST: usize = 16 * 1024;
/// The most attempts of steps.
const MOST_NODES: usize = 128;
/// The longest run: ten years.
const LONGEST_RUN_MS: i64 = 3_653 * 86_400_000;
/// How far the clock of another system may be ahead.
const AHEAD: Duration = Duration::from_secs(300);

/// Report a run that was made elsewhere
///
/// An outside system puts a run that it made itself on the record of a Workflow, and says later what became of it: the same
/// runId is the same run. What it says last counts until it says an end, which does not change any more; the same once more
/// changes nothing. Such a run carries reportedId and the trigger Reported, and is never one of the operator's. The
/// Workflow itself need not be there. It needs the right to update it.
#[utoipa::path(
    post,
    path = "/api/v1/workflows/{namespace}/{name}/runs/notify",
    operation_id = "notifyRun",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
    ),
    request_body(content = NotifyBody, description = "The run."),
    responses(
        (status = 200, description = "The run was known before; its record says this now.", body = Notified),
        (status = 201, description = "The run is on record.", body = Notified)
    )
)]
pub async fn notify(
    State(api): State<Api>,
    who: Identity,
    InPath((namespace, name)): InPath<(String, String)>,
    Body(body): Body<NotifyBody>,
) -> Result<Response, Refused> {
    if !is_workflow(&namespace, &name) {
        return Err(bad("the names in the path are not those of a namespace and a Workflow"));
    }
    report(&api, &who, namespace, name, &body).await
}

/// Report a run that was made elsewhere by the short path
///
/// The same as /api/v1/workflows/{namespace}/{name}/runs/notify.
#[utoipa::path(
    post,
    path = "/workflows/{id}/runs/notify",
    operation_id = "notifyRunByShortPath",
    tag = "workflows",
    params(("id" = String, Path, description = "The Workflow as NAMESPACE.NAME, or as NAMESPACE/NAME with %2F for the slash.")),
    request_body(content = NotifyBody, description = "The run."),
    responses(
        (status = 200, description = "The run was known before; its record says this now.", body = Notified),
        (status = 201, description = "The run is on record.", body = Notified)
    )
)]
pub async fn notify_short(
    State(api): State<Api>,
    who: Identity,
    InPath(id): InPath<String>,
    Body(body): Body<NotifyBody>,
) -> Result<Response, Refused> {
    let (namespace, name) = workflow_id(&id)?;
    report(&api, &who, namespace, name, &body).await
}

async fn report(
    api: &Api,
    who: &Identity,
    namespace: String,
    name: String,
    body: &NotifyBody,
) -> Result<Response, Refused> {
    let report = checked(body, namespace, name, Time::new(Timestamp::now()))?;
    let run_id = report.reported_id.clone();
    let (id, result, status) = match api.gate().report(who, report).await? {
        Reported::New(id) => (id, "New", StatusCode::CREATED),
        Reported::Changed(id) => (id, "Changed", StatusCode::OK),
        Reported::Same(id) | Reported::Ended(id, _) | Reported::OtherStart(id, _) | Reported::Deleted(id) => {
            (id, "Same", StatusCode::OK)
        }
    };
    let answer = Notified { id: id.to_string(), run_id, result: result.to_owned() };
    let place = format!("/api/v1/runs/{id}");
    let headers = [(header::CACHE_CONTROL, "no-store"), (header::LOCATION, place.as_str())];
    Ok((status, headers, Json(answer)).into_response())
}

/// What is reported, if all of it holds. The gate fills in the namespace's UID and who reports.
fn checked(body: &NotifyBody, namespace: String, name: String, now: Time) -> Result<Report, Refused> {
    let reported_id = word("runId", body.run_id.as_deref())?;
    let (phase, ended) = phase("status", body.status.as_deref(), &RUN_WORDS)?;
    let times = Times {
        started: moment("startedAt", body.started_at.as_deref(), now)?,
        finished: moment("finishedAt", body.finished_at.as_deref(), now)?,
        took: took(body.duration_ms)?,
    };
    let (started_at, end) = if ended { times.of_an_end()? } else { (times.of_one_under_way()?, None) };
    if body.node_logs.len() > MOST_NODES {
        return Err(bad(format!("nodeLogs: has {} entries, at most {MOST_NODES} are allowed", body.node_logs.len())));
    }
    let mut seen = BTreeSet::new();
    let steps = body.node_logs.iter().enumerate().map(|(i, node)| {
        let step = node_log(&format!("nodeLogs[{i}]"), node, now)?;
        if seen.insert((step.step.clone(), step.item, step.attempt)) {
            return Ok(step);
        }
        Err(bad(format!(
            "nodeLogs[{i}]: step {:?}, item {}, attempt {} is there twice",
            step.step, step.item, step.attempt
        )))
    });
    Ok(Report {
        reported_id,
        namespace,
        namespace_uid: String::new(),
        name,
        by: String::new(),
        at: now,
        phase: phase.to_owned(),
        end,
        message: message("message", body.message.as_ref())?,
        started_at,
        inputs: fields("inputs", body.inputs.as_ref())?,
        outputs: fields("outputs", body.outputs.as_ref())?,
        digest: format!("reported:{}", Digest::of(&serde_json::to_vec(body).unwrap_or_default()).hex()),
        steps: steps.collect::<Result<_, _>>()?,
    })
}

/// What is said of the times of a run.
#[derive(Clone, Copy)]
struct Times {
    started: Option<Time>,
    finished: Option<Time>,
    took: Option<Duration>,
}

impl Times {
    /// Its start, if it is said or follows from the rest, and its end.
    fn of_an_end(self) -> Result<(Option<Time>, Option<ReportEnd>), Refused> {
        match (self.started, self.finished, self.took) {
            (_, None, None) => Err(bad("finishedAt: a run that ended needs finishedAt or durationMs")),
            (started, None, Some(took)) => Ok((started, Some(ReportEnd::After(took)))),
            (Some(started), Some(finished), _) if finished < started => {
                Err(bad(format!("finishedAt: must not be before startedAt, {started}; it is {finished}")))
            }
            (Some(started), Some(finished), Some(took)) if finished.since(started) != took => Err(bad(format!(
                "durationMs: startedAt and finishedAt are {} ms apart; leave one of the three out",
                finished.since(started).as_millis()
            ))),
            (None, Some(finished), Some(took)) => {
                let ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
                let started = Time::from_millis(finished.millis().saturating_sub(ms).max(0));
                Ok((Some(started), Some(ReportEnd::At(finished))))
            }
            (started, Some(finished), _) => Ok((started, Some(ReportEnd::At(finished)))),
        }
    }

    fn of_one_under_way(self) -> Result<Option<Time>, Refused> {
        if self.finished.is_some() || self.took.is_some() {
            return Err(bad("status: a run with finishedAt or durationMs is completed, failed or cancelled"));
        }
        Ok(self.started)
    }
}

fn node_log(at: &str, node: &NodeLog, now: Time) -> Result<ReportedStep, Refused> {
    let field = |name: &str| format!("{at}.{name}");
    let (phase, terminal) = phase(&field("status"), node.status.as_deref(), &STEP_WORDS)?;
    let (item, attempt) = (node.item.unwrap_or(0), node.attempt.unwrap_or(1));
    if item < 0 {
        return Err(bad(format!("{}: must be at least 0", field("item"))));
    }
    if attempt < 1 {
        return Err(bad(format!("{}: must be at least 1", field("attempt"))));
    }
    Ok(ReportedStep {
        step: word(&field("step"), node.step.as_deref())?,
        item,
        attempt,
        phase: phase.to_owned(),
        terminal,
        message: message(&field("message"), node.message.as_ref())?,
        exit_code: node.exit_code,
        outputs: fields(&field("outputs"), node.outputs.as_ref())?,
        log: node.log.clone(),
        started_at: moment(&field("startedAt"), node.started_at.as_deref(), now)?,
        finished_at: moment(&field("finishedAt"), node.finished_at.as_deref(), now)?,
    })
}

/// A word of the contract, that of the store, and whether it is an end.
type Word = (&'static str, &'static str, bool);

const RUN_WORDS: [Word; 5] = [
    ("pending", "Pending", false),
    ("running", "Running", false),
    ("completed", "Succeeded", true),
    ("failed", "Failed", true),
    ("cancelled", "Cancelled", true),
];

const STEP_WORDS: [Word; 6] = [
    ("pending", "Waiting", false),
    ("running", "Running", false),
    ("completed", "Succeeded", true),
    ("failed", "Failed", true),
    ("cancelled", "Cancelled", true),
    ("skipped", "Skipped", true),
];

fn phase(field: &str, text: Option<&str>, words: &[Word]) -> Result<(&'static str, bool), Refused> {
    let found = words.iter().find(|(word, ..)| Some(*word) == text);
    found.map(|(_, phase, end)| (*phase, *end)).ok_or_else(|| {
        let all: Vec<&str> = words.iter().map(|(word, ..)| *word).collect();
        bad(format!("{field}: must be one of {}", all.join(", ")))
    })
}

fn word(field: &str, text: Option<&str>) -> Result<String, Refused> {
    let fits = |t: &&str| (1..=LONGEST_NAME).contains(&t.chars().count()) && !t.chars().any(char::is_control);
    text.filter(fits).map(str::to_owned).ok_or_else(|| {
        bad(format!("{field}: must have 1 to {LONGEST_NAME} characters, none of them a control character"))
    })
}

fn message(field: &str, text: Option<&String>) -> Result<Option<String>, Refused> {
    if text.is_some_and(|t| t.chars().count() > LONGEST_MESSAGE) {
        return Err(bad(format!("{field}: must have at most {LONGEST_MESSAGE} characters")));
    }
    Ok(text.cloned())
}

fn fields(field: &str, value: Option<&Value>) -> Result<Value, Refused> {
    let Some(value) = value else { return Ok(Value::Object(serde_json::Map::new())) };
    if !value.is_object() {
        return Err(bad(format!("{field}: must be an object")));
    }
    let length = value.to_string().len();
    if length > LARGEST {
        return Err(bad(format!("{field}: must have at most {LARGEST} bytes as JSON; it has {length}")));
    }
    Ok(value.clone())
}

/// A time that has come, and that every store can hold.
fn moment(field: &str, text: Option<&str>, now: Time) -> Result<Option<Time>, Refused> {
    let at = time(field, text)?;
    match at {
        Some(at) if at.millis() < 0 || at > now.after(AHEAD) => {
            Err(bad(format!("{field}: must be between 1970 and now; it is {at}")))
        }
        other => Ok(other),
    }
}

fn took(ms: Option<i64>) -> Result<Option<Duration>, Refused> {
    let Some(ms) = ms else { return Ok(None) };
    let fits = u64::try_from(ms).ok().filter(|_| ms <= LONGEST_RUN_MS);
    let fits = fits.ok_or_else(|| bad(format!("durationMs: must be from 0 to {LONGEST_RUN_MS}; it is {ms}")))?;
    Ok(Some(Duration::from_millis(fits)))
}

fn bad(detail: impl Into<String>) -> Refused {
    Refused::new(ProblemKind::BadRequest, detail)
}
