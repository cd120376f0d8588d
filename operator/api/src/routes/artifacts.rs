//! Files that steps left.

use super::{
    extract::{InPath, RunOf},
    logs::REPR_DIGEST,
};
use crate::{refused::Refused, router::Api};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use hearth_artifacts::{BlobKey, StoreError};
use hearth_contract::{digest::Digest, name::is_artifact_name};
use hearth_wire::ProblemKind;

/// Get a file that a step left
///
/// A directory comes as a tar. It needs the right to get pods/log as well. A transfer may take ten minutes.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/artifacts/{step}/{artifact}",
    operation_id = "getArtifact",
    tag = "runs",
    params(
        ("id" = String, Path, description = "Id of the run (UUIDv7)."),
        ("step" = String, Path, description = "Name of the step."),
        ("artifact" = String, Path, description = "Name of the artifact."),
    ),
    responses(
        (
            status = 200,
            description = "Its bytes. They are compared with the digest as they are read: if they differ, the answer breaks off.",
            body = Vec<u8>,
            content_type = "application/octet-stream",
            headers(("Repr-Digest" = String, description = "SHA-256 of the bytes (RFC 9530)."))
        )
    )
)]
pub async fn artifact(
    State(api): State<Api>,
    RunOf(run, who): RunOf,
    InPath((_, step, name)): InPath<(String, String, String)>,
) -> Result<Response, Refused> {
    let row = &run.get().summary;
    let missing = || {
        let detail = format!(
            "run {} has no artifact {name:?} of step {step:?}; GET /api/v1/runs/{}/steps lists them",
            row.id, row.id
        );
        Refused::new(ProblemKind::NotFound, detail)
    };
    let found = api.gate().artifact(&who, &run, &step, &name).await?;
    let stored = found.filter(|_| is_artifact_name(&name)).ok_or_else(missing)?;
    let artifacts = api.artifacts().ok_or_else(|| {
        Refused::new(ProblemKind::StoreAway, "there is no artifact store: set artifacts in the values of the chart")
    })?;
    let digest: Digest = stored.digest.parse().map_err(|_| missing())?;
    let key = BlobKey::new(&row.namespace_uid, digest).map_err(|_| missing())?;
    let bytes = artifacts.read(&key).await.map_err(|error| refused(&error))?;
    let kind = if stored.directory { "application/x-tar" } else { "application/octet-stream" };
    let file = if stored.directory { format!("{name}.tar") } else { name.clone() };
    let texts = [
        (header::CONTENT_LENGTH, stored.bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
        (REPR_DIGEST, format!("sha-256=:{}:", digest.checksum_header())),
    ];
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.extend(texts.into_iter().filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text).ok()?))));
    Ok(response)
}

fn refused(error: &StoreError) -> Refused {
    if let StoreError::Missing(_) = error {
        let detail = "the record names this artifact, but the store has lost it: run the step again";
        return Refused::new(ProblemKind::NotFound, detail);
    }
    tracing::warn!(%error, "an artifact could not be read");
    Refused::new(ProblemKind::StoreAway, "the artifact store does not answer; try again later")
}
