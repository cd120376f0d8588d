//! What the volume answers: GET and PUT of one blob, for whoever has a URL that gives that leave.

use super::{download, file::Volume, problem::Problem, upload, url::BadUrl};
use crate::store::{Artifacts, Backend};
use axum::{
    Router,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
    routing::any,
};
use jiff::Timestamp;
use std::sync::Arc;

/// The folder of all URLs.
pub const PREFIX: &str = "/blobs";

/// The routes of a store on a volume; None for another store, whose URLs lead elsewhere. They need TLS, but no
/// authentication beside the URL itself.
#[must_use]
pub fn router(artifacts: &Artifacts) -> Option<Router> {
    let Backend::Volume(volume) = &*artifacts.backend else { return None };
    let routes = Router::new().route("/blobs/{namespace}/{digest}", any(answer));
    Some(routes.with_state(Arc::clone(volume)))
}

async fn answer(State(volume): State<Arc<Volume>>, request: Request) -> Response {
    handle(volume, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn handle(volume: Arc<Volume>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let text = parts.uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str).unwrap_or_default();
    let text = text.strip_prefix(PREFIX).and_then(|t| t.strip_prefix('/')).ok_or(BadUrl::Forged)?;
    let grant = volume.keys.open(parts.method.as_str(), text, Timestamp::now())?;
    match parts.method {
        Method::GET => download::get(volume, grant, &parts.headers).await,
        Method::PUT => upload::put(volume, grant, &parts.headers, body).await,
        _ => Err(BadUrl::Forged.into()),
    }
}
