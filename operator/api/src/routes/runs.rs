//! Runs and what belongs to them.

use super::{
    answer::{fresh, tagged},
    extract::{InPath, Params, RunOf, run_id, workflow_id},
};
use crate::{
    gate::Part,
    identity::Identity,
    query::{PartQuery, RunsQuery},
    refused::Refused,
    router::Api,
    source,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use hearth_wire::{self as wire, MAX_PAGE, Page, ProblemKind};

/// List runs
///
/// Newest first. Without a namespace the right to list in all namespaces is needed.
#[utoipa::path(
    get,
    path = "/api/v1/runs",
    operation_id = "listRuns",
    tag = "runs",
    params(RunsQuery),
    responses((status = 200, description = "A page of runs, newest first.", body = Page<wire::RunSummary>))
)]
pub async fn runs(
    State(api): State<Api>,
    who: Identity,
    Params(query): Params<RunsQuery>,
) -> Result<Response, Refused> {
    list_runs(&api, &who, &query).await
}

/// List runs of one Workflow
///
/// Whether the Workflow is still there or not.
#[utoipa::path(
    get,
    path = "/api/v1/workflows/{namespace}/{name}/runs",
    operation_id = "listRunsOfWorkflow",
    tag = "workflows",
    params(
        ("namespace" = String, Path, description = "Namespace of the Workflow."),
        ("name" = String, Path, description = "Name of the Workflow."),
        RunsQuery,
    ),
    responses((status = 200, description = "A page of runs, newest first.", body = Page<wire::RunSummary>))
)]
pub async fn workflow_runs(
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

/// List runs of one Workflow by its short path
///
/// The same as /api/v1/workflows/{namespace}/{name}/runs.
#[utoipa::path(
    get,
    path = "/workflows/{id}/runs",
    operation_id = "listRunsByShortPath",
    tag = "workflows",
    params(
        ("id" = String, Path, description = "The Workflow as NAMESPACE.NAME, or as NAMESPACE/NAME with %2F for the slash."),
        RunsQuery,
    ),
    responses((status = 200, description = "A page of runs, newest first.", body = Page<wire::RunSummary>))
)]
pub async fn workflow_runs_short(
    state: State<Api>,
    who: Identity,
    InPath(id): InPath<String>,
    query: Params<RunsQuery>,
) -> Result<Response, Refused> {
    let (namespace, name) = workflow_id(&id)?;
    workflow_runs(state, who, InPath((namespace, name)), query).await
}

/// A page that is asked for by its number is found from one cursor to the next: no row is counted, and none is sent.
async fn list_runs(api: &Api, who: &Identity, query: &RunsQuery) -> Result<Response, Refused> {
    let (filter, mut part) = (query.filter()?, query.part(api.cursors())?);
    let mut skipped = query.skipped()?;
    while skipped > 0 {
        let before = Part { limit: skipped.min(MAX_PAGE), ..part.clone() };
        skipped -= before.limit;
        let page = api.gate().list_runs(who, &query.scope(), filter.clone(), before).await?.into_inner();
        if page.next.is_none() {
            return Ok(fresh(&Page::<wire::RunSummary> { items: Vec::new(), next: None }));
        }
        part.after = page.next;
    }
    let page = api.gate().list_runs(who, &query.scope(), filter, part).await?.into_inner();
    let next = page.next.map(|at| api.cursors().sign(&at, &query.signature()));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::summary).collect(), next }))
}

/// Get a run
///
/// With its spec, params and results as they were.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}",
    operation_id = "getRun",
    tag = "runs",
    params(("id" = String, Path, description = "Id of the run (UUIDv7).")),
    responses(
        (status = 200, description = "The run.", body = wire::Run, headers(("ETag" = String, description = "Changes with the run."))),
        (status = 304, description = "As the ETag in If-None-Match says.")
    )
)]
pub async fn run(headers: HeaderMap, RunOf(run, _): RunOf) -> Response {
    tagged(&headers, &source::run(run.into_inner()))
}

/// Delete a run
///
/// With all its rows, for good; it needs the right to delete the object itself. A run that is not over cannot be deleted.
/// Who deleted it stays on the audit trail.
#[utoipa::path(
    delete,
    path = "/api/v1/runs/{id}",
    operation_id = "deleteRun",
    tag = "runs",
    params(("id" = String, Path, description = "Id of the run (UUIDv7).")),
    responses((status = 204, description = "It is deleted; the same again is a 404."))
)]
pub async fn delete(State(api): State<Api>, who: Identity, InPath(id): InPath<String>) -> Result<StatusCode, Refused> {
    api.gate().delete_run(&who, run_id(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the attempts of a run
///
/// One entry per step, item and attempt.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/steps",
    operation_id = "listSteps",
    tag = "runs",
    params(("id" = String, Path, description = "Id of the run (UUIDv7)."), PartQuery),
    responses((status = 200, description = "A page of attempts, in the order of their start.", body = Page<wire::Step>))
)]
pub async fn steps(
    State(api): State<Api>,
    RunOf(run, _): RunOf,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    let of = format!("steps/{}", run.get().summary.id);
    let page = api.gate().list_steps(&run, query.part(api.cursors(), &of)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, &of));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::step).collect(), next }))
}

/// List the transitions of a run
///
/// Of the run itself and of its attempts.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/events",
    operation_id = "listEvents",
    tag = "runs",
    params(("id" = String, Path, description = "Id of the run (UUIDv7)."), PartQuery),
    responses((status = 200, description = "A page of transitions, in their order.", body = Page<wire::Event>))
)]
pub async fn events(
    State(api): State<Api>,
    RunOf(run, _): RunOf,
    Params(query): Params<PartQuery>,
) -> Result<Response, Refused> {
    let of = format!("events/{}", run.get().summary.id);
    let page = api.gate().list_events(&run, query.part(api.cursors(), &of)?).await?;
    let next = page.next.map(|at| api.cursors().sign(&at, &of));
    Ok(fresh(&Page { items: page.items.into_iter().map(source::event).collect(), next }))
}
