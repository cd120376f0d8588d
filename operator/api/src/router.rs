//! The router: open paths, and everything else behind authentication.

use crate::{
    authn::Authenticator,
    cluster::Cluster,
    cursor::CursorKey,
    gate::Gate,
    health::Health,
    identity::{Origin, Peer},
    metrics::ApiMetrics,
    openapi,
    refused::Refused,
    routes::{Endpoint, Open, no_such_method, no_such_path},
    source::Source,
    streams::Streams,
};
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use hearth_artifacts::Artifacts;
use hearth_bounds::Limiter;
use hearth_wire::ProblemKind;
use kube::Client;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

/// The longest body of a request.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Requests per second of one identity, and how many at once.
const RATE: (f64, f64) = (50.0, 200.0);

/// Streams of one identity, and in all.
const STREAMS: (usize, usize) = (8, 128);

/// What the handlers share.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    gate: Gate,
    authenticator: Authenticator,
    limiter: Limiter<[u8; 32]>,
    cursors: CursorKey,
    health: Health,
    metrics: ApiMetrics,
    document: Vec<u8>,
    streams: Streams,
    artifacts: watch::Receiver<Option<Artifacts>>,
}

impl Api {
    /// An API over `source` and `artifacts`, which asks the API server through `client` who may see what.
    #[must_use]
    pub fn new(
        client: Client,
        source: Source,
        cluster_tokens: bool,
        cursors: CursorKey,
        health: Health,
        metrics: ApiMetrics,
        artifacts: watch::Receiver<Option<Artifacts>>,
    ) -> Self {
        let cluster = Cluster::new(client);
        Self(Arc::new(Inner {
            gate: Gate::new(source, cluster.clone()),
            authenticator: Authenticator::new(cluster, cluster_tokens),
            limiter: Limiter::new(RATE.0, RATE.1, 10_000),
            cursors,
            health,
            metrics,
            document: openapi::written(),
            streams: Streams::new(STREAMS.0, STREAMS.1),
            artifacts,
        }))
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }

    pub(crate) fn cursors(&self) -> &CursorKey {
        &self.0.cursors
    }

    /// The OpenAPI document.
    pub(crate) fn document(&self) -> &[u8] {
        &self.0.document
    }

    /// The artifact store, if there is one.
    pub(crate) fn artifacts(&self) -> Option<Artifacts> {
        self.0.artifacts.borrow().clone()
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn health(&self) -> &Health {
        &self.0.health
    }
}

/// All paths of the API. Requests carry a [`Peer`] extension when their connection has a client certificate.
pub fn router(api: Api) -> Router {
    let mut behind = OpenApiRouter::new();
    for endpoint in Endpoint::ALL {
        behind = behind.routes(endpoint.routes());
    }
    let behind = Router::from(behind)
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(api.clone(), authenticate));
    let mut open = OpenApiRouter::new();
    for path in Open::ALL {
        open = open.routes(path.routes());
    }
    let open = Router::from(open).method_not_allowed_fallback(no_such_method);
    behind.merge(open).layer(from_fn_with_state(api.clone(), observe)).with_state(api)
}

/// Who asks, and whether they ask too often. Nothing behind it runs for nobody.
async fn authenticate(State(api): State<Api>, mut request: Request, next: Next) -> Result<Response, Refused> {
    let peer = request.extensions_mut().remove::<Peer>().unwrap_or_default();
    let from = request.extensions().get::<Origin>().map(|o| o.0);
    let who = api.0.authenticator.identify(request.headers(), &peer).await?.asking_from(from);
    if !api.0.limiter.take(who.key(), Instant::now()) {
        return Err(Refused::new(
            ProblemKind::TooManyRequests,
            format!("more than {} requests a second; slow down", RATE.0),
        ));
    }
    // The credential has done its work; no handler needs it.
    request.headers_mut().remove(header::AUTHORIZATION);
    request.extensions_mut().insert(who);
    Ok(next.run(request).await)
}

/// Limits and counts every request.
async fn observe(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("other", |p| known(p.as_str()));
    let response = if too_long(&request) {
        Refused::new(ProblemKind::TooLarge, format!("at most {MAX_BODY} bytes")).into_response()
    } else {
        tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| {
            Refused::new(ProblemKind::TimedOut, format!("no answer within {PATIENCE:?}; narrow the query or try again"))
                .into_response()
        })
    };
    let took = started.elapsed();
    api.0.metrics.request(route, &method, response.status(), took);
    tracing::debug!(%method, route, status = response.status().as_u16(), ms = took.as_millis(), "answered");
    response
}

fn too_long(request: &Request) -> bool {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.and_then(|l| l.to_str().ok()).and_then(|l| l.parse::<u64>().ok()).is_some_and(|l| l > MAX_BODY as u64)
}

/// The route template as a constant, so that metrics can hold nothing else.
fn known(path: &str) -> &'static str {
    let paths = Endpoint::ALL.into_iter().map(Endpoint::path).chain(Open::ALL.into_iter().map(Open::path));
    paths.into_iter().find(|p| *p == path).unwrap_or("other")
}
