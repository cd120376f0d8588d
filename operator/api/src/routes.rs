//! The resources. The router is built from [`Endpoint::ALL`], so this list is what there is.

use crate::{
    gate::Authorized,
    identity::Identity,
    query::{LogQuery, PartQuery, RunsQuery},
    refused::Refused,
    router::Api,
    source,
};
use axum::{
    Json,
    extract::{FromRequestParts, Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use hearth_history::Run;
use hearth_wire::{Page, ProblemKind};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use uuid::Uuid;

/// A resource behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Runs.
    Runs,
    /// One run.
    Run,
    /// Its attempts.
    Steps,
    /// Its transitions.
    Events,
    /// The log of an attempt.
    Logs,
    /// Runs of one Workflow.
    WorkflowRuns,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Runs, Self::Run, Self::Steps, Self::Events, Self::Logs, Self::WorkflowRuns];

    /// The path, as axum writes it.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Runs => "/api/v1/runs",
            Self::Run => "/api/v1/runs/{id}",
            Self::Steps => "/api/v1/runs/{id}/steps",
            Self::Events => "/api/v1/runs/{id}/events",
            Self::Logs => "/api/v1/runs/{id}/logs",
            Self::WorkflowRuns => "/api/v1/workflows/{namespace}/{name}/runs",
        }
    }

    pub(crate) fn handler(self) -> MethodRouter<Api> {
        match self {
            Self::Runs => get(runs),
            Self::Run => get(run),
            Self::Steps => get(steps),
            Self::Events => get(events),
            Self::Logs => get(logs),
            Self::WorkflowRuns => get(workflow_runs),
        }
    }
}

/// A resource for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Open {
    /// The process answers.
    Healthz,
    /// The process serves.
    Readyz,
}

impl Open {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Healthz, Self::Readyz];

    /// The path.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
        }
    }

    pub(crate) fn handler(self) -> MethodRouter<Api> {
        match self {
            Self::Healthz => get(|State(api): State<Api>| async move { api.health().healthz() }),
            Self::Readyz => get(|State(api): State<Api>| async move { api.health().readyz() }),
        }
    }
}

/// Parameters of a query, refused by a problem document.
struct Params<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Query(query) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|e| Refused::new(ProblemKind::BadRequest, e.body_text()))?;
        Ok(Self(query))
    }
}

/// Parts of the path, refused by a problem document.
struct InPath<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for InPath<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let Path(path) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|e| Refused::new(ProblemKind::BadRequest, e.body_text()))?;
        Ok(Self(path))
    }
}

/// A run that the asker may see, found by the id in the path.
struct RunOf(Authorized<Run>, Identity);

impl FromRequestParts<Api> for RunOf {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refused> {
        let who = Identity::from_request_parts(parts, api).await?;
        let InPath(id) = InPath::<String>::from_request_parts(parts, api).await?;
        let uuid = Uuid::try_parse(&id).map_err(|_| Refused::no_run(&id))?;
        Ok(Self(api.gate().get_run(&who, uuid).await?, who))
    }
}

/// Authentication has put it there; without it there is no way into a handler.
impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Refused::new(ProblemKind::Unauthenticated, "send a bearer token or a client certificate"))
    }
}

async fn runs(State(api): State<Api>, who: Identity, Params(query): Params<RunsQuery>) -> Result<Response, Refused> {
    list_runs(&api, &who, &query).await
}

async fn workflow_runs(
    State(api): State<Api>,
    who: Identity,
    InPath((namespace, name)): InPath<(String, String)>,
    Params(query): Params<RunsQuery>,
) -> Result<Response, Refused> {
    if query.namespace.is_some() || query.name.is_some() || query.kind.is_some() {
        return Err(Refused::new(
            ProblemKind::BadRequest,
            "namespace, name and kind are in the path; leave them out of the query",
        ));
    }
    let query = RunsQuery { namespace: Some(namespace), name: Some(name), kind: Some("Workflow".to_owned()), ..query };
    list_runs(&api, &who, &query).await
}

async fn list_runs(api: &Api, who: &Identity, query: &RunsQuery) -> Result<Response, Refused> {
    let (filter, part) = (query.filter()?, query.part(api.cursors())?);
    let page = api.gate().list_runs(who, &query.scope(), filter, part).await?.into_inner();
    let next = page.next.map(|at| api.cursors().sign(&at, &query.signature()));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::summary).collect(), next }))
}

async fn run(headers: HeaderMap, RunOf(run, _): RunOf) -> Response {
    tagged(&headers, &source::run(run.into_inner()))
}

async fn steps(
    State(api): State<Api>,
    RunOf(run, _): RunOf,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    let of = format!("steps/{}", run.get().summary.id);
    let page = api.gate().list_steps(&run, query.part(api.cursors(), &of)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, &of));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::step).collect(), next }))
}

async fn events(
    State(api): State<Api>,
    RunOf(run, _): RunOf,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    let of = format!("events/{}", run.get().summary.id);
    let page = api.gate().list_events(&run, query.part(api.cursors(), &of)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, &of));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::event).collect(), next }))
}

async fn logs(
    State(api): State<Api>,
    headers: HeaderMap,
    RunOf(run, who): RunOf,
    Params(query): Params<LogQuery>,
) -> Result<Response, Refused> {
    let step =
        query.step.as_deref().ok_or_else(|| Refused::new(ProblemKind::BadRequest, "name the step: ?step=NAME"))?;
    let found = api.gate().get_log(&who, &run, step, query.item.unwrap_or(0), query.attempt).await?;
    let log = found.ok_or_else(|| no_log(&run, step, &query))?;
    Ok(tagged(&headers, &source::log(log)))
}

fn no_log(run: &Authorized<Run>, step: &str, query: &LogQuery) -> Refused {
    let attempt = query.attempt.map_or(String::new(), |a| format!(", attempt {a}"));
    let id = run.get().summary.id;
    Refused::new(
        ProblemKind::NotFound,
        format!("run {id} has no step {step:?}{attempt} with a log; GET /api/v1/runs/{id}/steps lists its steps"),
    )
}

/// An answer that nobody may keep.
fn fresh<T: Serialize>(document: &Page<T>) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response()
}

/// A single resource with its ETag; 304 when the asker has it already.
fn tagged<T: Serialize>(headers: &HeaderMap, document: &T) -> Response {
    let Ok(body) = serde_json::to_vec(document) else {
        return Refused::new(ProblemKind::Internal, "the answer could not be written").into_response();
    };
    let tag = etag(&body);
    let seen = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(',').any(|t| matches_tag(t.trim(), &tag)));
    let mut response = if seen {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

fn matches_tag(given: &str, tag: &str) -> bool {
    given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
}

fn etag(body: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in Sha256::digest(body).iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// What nobody answers to; asked of those only who are known.
pub(crate) async fn no_such_path() -> Refused {
    Refused::new(ProblemKind::NotFound, "there is nothing under this path; GET /api/v1/runs lists runs")
}

/// A verb that the resource does not have.
pub(crate) async fn no_such_method() -> Refused {
    Refused::new(ProblemKind::MethodNotAllowed, "this resource can only be read: GET or HEAD")
}
