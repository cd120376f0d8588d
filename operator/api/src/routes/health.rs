//! How this process is, by the short paths. They ask who asks; `/healthz` and `/readyz` do not.

use crate::router::Api;
use axum::{extract::State, response::Response};

/// Whether the process answers, and since when
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getHealth",
    tag = "health",
    responses((status = 200, description = "It does: version, uptime and history store.", body = serde_json::Value))
)]
pub async fn health(State(api): State<Api>) -> Response {
    api.health().health(api.gate().back_end())
}

/// Whether the process serves, and how its parts are
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "getReadiness",
    tag = "health",
    responses(
        (status = 200, description = "It does; how its parts are is in the answer.", body = serde_json::Value),
        (status = 503, description = "It is starting, or the API server does not answer.", body = serde_json::Value)
    )
)]
pub async fn ready(State(api): State<Api>) -> Response {
    api.health().readyz()
}

/// See how the process is
#[utoipa::path(
    get,
    path = "/status",
    operation_id = "getStatus",
    tag = "health",
    responses((status = 200, description = "State, version, uptime, history store and parts.", body = serde_json::Value))
)]
pub async fn status(State(api): State<Api>) -> Response {
    api.health().status(api.gate().back_end())
}
