//! Logs of attempts: as a document with their end, or as text, whole where it is kept.

use super::{
    answer::tagged,
    extract::{Params, RunOf},
};
use crate::{gate::Authorized, identity::Identity, query::LogQuery, refused::Refused, router::Api, source};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_artifacts::{BlobKey, StoreError, byte_range};
use hearth_contract::digest::Digest;
use hearth_history::{Log, Run, WholeLog};
use hearth_wire::{self as wire, ProblemKind};
use std::ops::Range;

/// RFC 9530: the digest of all that there is, in base64.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Get the log of an attempt
///
/// Its end, and whether all of it is kept. It needs the right to get pods/log as well.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/logs",
    operation_id = "getLog",
    tag = "runs",
    params(("id" = String, Path, description = "Id of the run (UUIDv7)."), LogQuery),
    responses(
        (status = 200, description = "The end of the log, or why there is none.", body = wire::Log),
        (status = 304, description = "As the ETag in If-None-Match says.")
    )
)]
pub async fn log(
    State(api): State<Api>,
    headers: HeaderMap,
    RunOf(run, who): RunOf,
    Params(query): Params<LogQuery>,
) -> Result<Response, Refused> {
    let log = find(&api, &who, &run, &query).await?;
    Ok(tagged(&headers, &source::log(log)))
}

/// Get the log of an attempt as text
///
/// All of it where it is kept (`logs: Full`), else its end. One range of bytes can be asked for. It needs the right to get
/// pods/log as well. A transfer may take ten minutes.
#[utoipa::path(
    get,
    path = "/api/v1/runs/{id}/logs/text",
    operation_id = "getLogText",
    tag = "runs",
    params(
        ("id" = String, Path, description = "Id of the run (UUIDv7)."),
        LogQuery,
        ("Range" = Option<String>, Header, description = "One range of bytes, for example bytes=-65536 for the end."),
    ),
    responses(
        (
            status = 200,
            description = "The text. A whole log is compared with its digest as it is read: if they differ, the answer breaks off.",
            body = String,
            content_type = "text/plain",
            headers(("Repr-Digest" = String, description = "SHA-256 of a whole log (RFC 9530)."))
        ),
        (status = 206, description = "The bytes that Range asks for.", body = String, content_type = "text/plain")
    )
)]
pub async fn text(
    State(api): State<Api>,
    headers: HeaderMap,
    RunOf(run, who): RunOf,
    Params(query): Params<LogQuery>,
) -> Result<Response, Refused> {
    let log = find(&api, &who, &run, &query).await?;
    let Some(whole) = log.whole else { return end(&headers, log) };
    let bytes = u64::try_from(whole.bytes).unwrap_or(0);
    let span = wanted(&headers, bytes)?;
    let (digest, key) = blob(&run, &whole)?;
    let artifacts = api.artifacts().ok_or_else(|| {
        Refused::new(ProblemKind::StoreAway, "there is no artifact store: set artifacts in the values of the chart")
    })?;
    let body = match &span {
        None => Body::from_stream(artifacts.read(&key).await.map_err(|e| refused(&e))?),
        Some(span) => Body::from_stream(artifacts.read_range(&key, span.clone()).await.map_err(|e| refused(&e))?),
    };
    let mut response = plain(body, bytes, span);
    if let Ok(value) = HeaderValue::from_str(&format!("sha-256=:{}:", digest.checksum_header())) {
        response.headers_mut().insert(REPR_DIGEST, value);
    }
    Ok(response)
}

/// The log that is asked for.
async fn find(api: &Api, who: &Identity, run: &Authorized<Run>, query: &LogQuery) -> Result<Log, Refused> {
    let step =
        query.step.as_deref().ok_or_else(|| Refused::new(ProblemKind::BadRequest, "name the step: ?step=NAME"))?;
    let found = api.gate().get_log(who, run, step, query.item.unwrap_or(0), query.attempt).await?;
    found.ok_or_else(|| no_log(run, step, query))
}

fn no_log(run: &Authorized<Run>, step: &str, query: &LogQuery) -> Refused {
    let attempt = query.attempt.map_or(String::new(), |a| format!(", attempt {a}"));
    let id = run.get().summary.id;
    Refused::new(
        ProblemKind::NotFound,
        format!("run {id} has no step {step:?}{attempt} with a log; GET /api/v1/runs/{id}/steps lists its steps"),
    )
}

/// What the record itself keeps of a log.
fn end(headers: &HeaderMap, log: Log) -> Result<Response, Refused> {
    let Some(text) = log.log else {
        let why = log.whole_unavailable.or(log.log_unavailable).unwrap_or_else(|| "none is kept".to_owned());
        return Err(Refused::new(ProblemKind::NotFound, format!("there is no log of that attempt: {why}")));
    };
    let text = Bytes::from(text);
    let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
    let span = wanted(headers, bytes)?;
    let part = span.as_ref().and_then(|s| Some(usize::try_from(s.start).ok()?..usize::try_from(s.end).ok()?));
    let body = part.map_or_else(|| text.clone(), |part| text.slice(part));
    Ok(plain(Body::from(body), bytes, span))
}

/// The part that is asked for, if it is a part.
fn wanted(headers: &HeaderMap, bytes: u64) -> Result<Option<Range<u64>>, Refused> {
    match headers.get(header::RANGE).and_then(|r| byte_range(r.to_str().ok()?, bytes)) {
        None => Ok(None),
        Some(Some(span)) => Ok(Some(span)),
        Some(None) => Err(Refused::new(ProblemKind::Range, format!("the log has {bytes} bytes"))),
    }
}

/// Whatever a program wrote, as text that no browser takes for anything else.
fn plain(body: Body, bytes: u64, span: Option<Range<u64>>) -> Response {
    let mut response = body.into_response();
    let length = span.as_ref().map_or(bytes, |s| s.end.saturating_sub(s.start));
    let part = span.map(|s| format!("bytes {}-{}/{bytes}", s.start, s.end.saturating_sub(1)));
    if part.is_some() {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    headers.extend(part.and_then(|p| Some((header::CONTENT_RANGE, HeaderValue::from_str(&p).ok()?))));
    response
}

fn blob(run: &Authorized<Run>, whole: &WholeLog) -> Result<(Digest, BlobKey), Refused> {
    let digest: Digest = whole.digest.parse().map_err(|_| lost())?;
    let key = BlobKey::new(&run.get().summary.namespace_uid, digest).map_err(|_| lost())?;
    Ok((digest, key))
}

fn lost() -> Refused {
    let detail = "the record names the whole log, but the artifact store has lost it; GET …/logs has its end";
    Refused::new(ProblemKind::NotFound, detail)
}

fn refused(error: &StoreError) -> Refused {
    if let StoreError::Missing(_) = error {
        return lost();
    }
    tracing::warn!(%error, "a whole log could not be read");
    Refused::new(
        ProblemKind::StoreAway,
        "the artifact store does not answer; try again later, or GET …/logs for the end",
    )
}
