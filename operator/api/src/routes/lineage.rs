//! What came of what.

use super::{
    answer::fresh,
    extract::{InPath, Params, run_id},
};
use crate::{identity::Identity, query::LineageQuery, refused::Refused, router::Api, source};
use axum::{extract::State, response::Response};
use hearth_contract::digest::Digest;
use hearth_wire::{self as wire, ProblemKind};

/// See what came of what
///
/// Both ways from a run, or from data or an image by its digest: the artifacts that its steps read and wrote, the images and
/// the template that it ran, the runs that did so, and the run whose steps it took over. A run's own namespace is looked at;
/// it needs the right to list there. Lineage is kept of runs that were recorded by this version or a later one.
#[utoipa::path(
    get,
    path = "/api/v1/lineage/{id}",
    operation_id = "getLineage",
    tag = "runs",
    params(
        ("id" = String, Path, description = "Id of a run (UUIDv7), or the digest of an artifact or an image, as sha256:hex."),
        LineageQuery,
    ),
    responses((status = 200, description = "What it came of, and what came of it.", body = wire::Lineage))
)]
pub async fn lineage(
    State(api): State<Api>,
    who: Identity,
    InPath(id): InPath<String>,
    Params(query): Params<LineageQuery>,
) -> Result<Response, Refused> {
    let reach = query.reach()?;
    if id.starts_with("sha256:") {
        let digest: Digest = id.parse().map_err(|_| bad("a digest is sha256: and 64 hexadecimal digits"))?;
        let found = api.gate().lineage_of_digest(&who, &query.scope(), digest.to_string(), reach).await?;
        return Ok(fresh(&source::lineage(id, found)));
    }
    if query.namespace.is_some() {
        return Err(bad("a run has its own namespace; leave it out of the query"));
    }
    let found = api.gate().lineage_of_run(&who, run_id(&id)?, reach).await?;
    Ok(fresh(&source::lineage(id, found)))
}

fn bad(detail: &str) -> Refused {
    Refused::new(ProblemKind::BadRequest, detail)
}
