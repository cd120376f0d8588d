//! Whether this process is ready, and how its parts are.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};
use tokio::{sync::watch, task::JoinHandle};

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It works.
    Up,
    /// It is not there yet.
    Starting,
    /// It does not answer.
    Away,
    /// It waits for its turn: another replica leads.
    Standby,
}

impl PartState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Up => "Up",
            Self::Starting => "Starting",
            Self::Away => "Away",
            Self::Standby => "Standby",
        }
    }
}

/// The state of the process, shared by all who know a part of it.
///
/// Ready says that the process serves. A store that is away is shown, but does not make it unready: runs go on without it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    since: Instant,
    ready: bool,
    parts: BTreeMap<&'static str, PartState>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { since: Instant::now(), ready: false, parts: BTreeMap::new() }
    }
}

impl Inner {
    fn word(&self) -> &'static str {
        if self.ready { "ready" } else { "starting" }
    }

    fn parts(&self) -> BTreeMap<&'static str, &'static str> {
        self.parts.iter().map(|(name, state)| (*name, state.as_str())).collect()
    }
}

impl Health {
    /// Nothing is known yet, and nothing is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says how a part is.
    pub fn set(&self, part: &'static str, state: PartState) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).parts.insert(part, state);
    }

    /// Says whether the process serves.
    pub fn set_ready(&self, ready: bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ready = ready;
    }

    /// Follows a part that others report as up or not.
    pub fn follow(&self, part: &'static str, mut up: watch::Receiver<bool>) -> JoinHandle<()> {
        let health = self.clone();
        tokio::spawn(async move {
            loop {
                health.set(part, if *up.borrow_and_update() { PartState::Up } else { PartState::Away });
                if up.changed().await.is_err() {
                    break;
                }
            }
        })
    }

    /// The answer of `/readyz`: 200 when the process serves, 503 before; the parts are in its JSON.
    #[must_use]
    pub fn readyz(&self) -> Response {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = if inner.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(json!({"status": inner.word(), "components": inner.parts()}))).into_response()
    }

    /// The answer of `/health`: the process answers, and since when; `store` is the kind of the history store.
    #[must_use]
    pub fn health(&self, store: &str) -> Response {
        let uptime = self.0.lock().unwrap_or_else(PoisonError::into_inner).since.elapsed().as_secs();
        let version = env!("CARGO_PKG_VERSION");
        Json(json!({"status": "ok", "version": version, "uptimeSeconds": uptime, "store": store})).into_response()
    }

    /// The answer of `/status`: the same with the state of the process and its parts.
    #[must_use]
    pub fn status(&self, store: &str) -> Response {
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Json(json!({
            "state": inner.word(), "version": env!("CARGO_PKG_VERSION"), "uptimeSeconds": inner.since.elapsed().as_secs(),
            "store": store, "components": inner.parts(),
        }))
        .into_response()
    }

    /// The answer of `/healthz`: the process answers.
    #[must_use]
    pub fn healthz(&self) -> Response {
        Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")})).into_response()
    }
}
