//! Answers with the headers that say who may keep them.

use crate::refused::Refused;
use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_wire::ProblemKind;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// An answer that nobody may keep.
pub fn fresh<T: Serialize>(document: &T) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(document)).into_response()
}

/// A single resource with its ETag; 304 when the asker has it already.
pub fn tagged<T: Serialize>(headers: &HeaderMap, document: &T) -> Response {
    let Ok(body) = serde_json::to_vec(document) else {
        return Refused::new(ProblemKind::Internal, "the answer could not be written").into_response();
    };
    tagged_json(headers, &body)
}

/// The same, of a document that is written already.
pub fn tagged_json(headers: &HeaderMap, body: &[u8]) -> Response {
    let tag = etag(body);
    let seen = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(',').any(|t| matches_tag(t.trim(), &tag)));
    let mut response = if seen {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], body.to_vec()).into_response()
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
