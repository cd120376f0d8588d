//! The answer to a request that is not met: a problem document.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_wire::{Problem, ProblemKind};

/// Media type of RFC 9457.
const PROBLEM_JSON: &str = "application/problem+json";

/// A request that is not met, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    kind: ProblemKind,
    detail: String,
}

impl Refused {
    /// Refuses, in words that say what to do.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// The kind of problem.
    #[must_use]
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// Whether trying again later helps.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self.kind {
            ProblemKind::StoreAway
            | ProblemKind::ClusterAway
            | ProblemKind::TimedOut
            | ProblemKind::TooManyRequests => true,
            ProblemKind::BadRequest
            | ProblemKind::Unauthenticated
            | ProblemKind::Forbidden
            | ProblemKind::NotFound
            | ProblemKind::MethodNotAllowed
            | ProblemKind::Conflict
            | ProblemKind::TooLarge
            | ProblemKind::Range
            | ProblemKind::Internal => false,
        }
    }

    /// The document that says it.
    #[must_use]
    pub fn problem(self) -> Problem {
        Problem::new(self.kind, self.detail)
    }

    /// No such run; said to those only who are known.
    #[must_use]
    pub fn no_run(id: &str) -> Self {
        Self::new(ProblemKind::NotFound, format!("no run has the id {id:?}, or its record is not stored yet"))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let kind = self.kind;
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, PROBLEM_JSON), (header::CACHE_CONTROL, "no-store")], body).into_response();
        if let Some((name, value)) = hint(kind) {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// The header that tells a client how to go on.
fn hint(kind: ProblemKind) -> Option<(header::HeaderName, HeaderValue)> {
    match kind {
        ProblemKind::Unauthenticated => {
            Some((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hearth\"")))
        }
        ProblemKind::TooManyRequests => Some((header::RETRY_AFTER, HeaderValue::from_static("1"))),
        ProblemKind::StoreAway | ProblemKind::ClusterAway | ProblemKind::TimedOut => {
            Some((header::RETRY_AFTER, HeaderValue::from_static("5")))
        }
        ProblemKind::BadRequest
        | ProblemKind::Forbidden
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::Conflict
        | ProblemKind::TooLarge
        | ProblemKind::Range
        | ProblemKind::Internal => None,
    }
}
