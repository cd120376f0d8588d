//! The OpenAPI document, and a page to read and try it.
//!
//! Both tell nothing of the cluster. They ask who asks all the same: the API has one rule, and what nobody unknown can
//! reach cannot be used against its users either.

use super::{answer::tagged_json, extract::InPath};
use crate::{refused::Refused, router::Api};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, header},
    response::{IntoResponse, Redirect, Response},
};
use hearth_wire::ProblemKind;
use std::sync::Arc;
use utoipa_swagger_ui::{Config, serve};

/// The page runs its own scripts and speaks to this API, and nothing else. Swagger UI sets styles on elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Get this document
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "documentation",
    responses((status = 200, description = "The OpenAPI document.", body = serde_json::Value))
)]
pub async fn document(State(api): State<Api>, headers: HeaderMap) -> Response {
    tagged_json(&headers, api.document())
}

/// Go to the page to try it
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "getDocs",
    tag = "documentation",
    responses((status = 308, description = "To the page."))
)]
pub async fn docs() -> Redirect {
    Redirect::permanent("/docs/index.html")
}

/// Get a file of the page
#[utoipa::path(
    get,
    path = "/docs/{file}",
    operation_id = "getDocsFile",
    tag = "documentation",
    params(("file" = String, Path, description = "Name of the file; index.html is the page.", example = "index.html")),
    responses((status = 200, description = "The file.", content_type = "text/html", body = String))
)]
pub async fn docs_file(InPath(file): InPath<String>) -> Result<Response, Refused> {
    let config = Arc::new(Config::from("/openapi.json"));
    let found = serve(&file, config).map_err(|error| {
        tracing::error!(%error, "a file of the page could not be made");
        Refused::new(ProblemKind::Internal, "the page could not be made")
    })?;
    let found = found
        .ok_or_else(|| Refused::new(ProblemKind::NotFound, "there is no such file; the page is /docs/index.html"))?;
    let headers: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, found.content_type.as_str()),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, max-age=3600"),
    ];
    let mut response = (headers, found.bytes.into_owned()).into_response();
    if found.gzpipped {
        response.headers_mut().insert(header::CONTENT_ENCODING, header::HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
