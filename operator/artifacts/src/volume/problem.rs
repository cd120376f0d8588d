//! The answer to a request that is not met: a problem document (RFC 9457).

use super::url::BadUrl;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{io, time::Duration};

/// Why an upload or download is not done.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The URL gives no leave.
    #[error("{0}")]
    Forbidden(String),
    /// No such blob.
    #[error("there is no such blob")]
    Missing,
    /// The request does not fit its URL.
    #[error("{0}")]
    Bad(String),
    /// No length was sent.
    #[error("send the header Content-Length with the size that the URL was made for")]
    NoLength,
    /// A range outside of the blob.
    #[error("the range lies outside of the blob's {0} bytes")]
    Range(u64),
    /// The client was too slow.
    #[error("the request took too long: nothing came for {0:?}, or all of it was too slow")]
    Slow(Duration),
    /// Too much is under way.
    #[error("too many uploads or downloads are under way: try again")]
    Busy,
    /// No room.
    #[error("the artifact volume is full: remove runs, or give it more room")]
    Full,
    /// The volume failed.
    #[error("the artifact volume failed")]
    Failed(#[source] io::Error),
}

impl Problem {
    /// What an error of the volume means.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::Full,
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Failed(error),
        }
    }

    fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "The URL gives no leave"),
            Self::Missing => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::Bad(_) => (StatusCode::BAD_REQUEST, "bad-request", "The request does not fit its URL"),
            Self::NoLength => (StatusCode::LENGTH_REQUIRED, "bad-request", "The request has no length"),
            Self::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "bad-request", "The range cannot be met"),
            Self::Slow(_) => (StatusCode::REQUEST_TIMEOUT, "timed-out", "The request took too long"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too-many-requests", "Too much is under way"),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "volume-full", "The artifact volume is full"),
            Self::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The artifact volume failed"),
        }
    }
}

impl From<BadUrl> for Problem {
    fn from(bad: BadUrl) -> Self {
        Self::Forbidden(bad.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Failed(error) = &self {
            tracing::error!(%error, "the artifact volume failed");
        }
        let (status, kind, title) = self.parts();
        let document = json!({
            "type": format!("urn:hearth:problem:{kind}"), "title": title, "status": status.as_u16(),
            "detail": self.to_string(),
        });
        let mut response = (status, document.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Busy => drop(headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"))),
            // What the client still sends is not read.
            Self::Slow(_) | Self::Full | Self::Bad(_) => {
                drop(headers.insert(header::CONNECTION, HeaderValue::from_static("close")));
            }
            _ => {}
        }
        response
    }
}
