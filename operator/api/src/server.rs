//! The servers: the API with TLS, and the plain port with health and metrics.

use crate::{
    health::{Health, PartState},
    identity::{Origin, Peer},
    keeper::{Issued, Keeper, KeeperError},
    metrics::{ApiMetrics, Handshake},
    router::{Api, router},
    source::Source,
    tls::peer,
};
use axum::{Router, body::Body, extract::State, http::header, response::IntoResponse, routing::get};
use hearth_artifacts::Artifacts;
use hearth_bounds::Port;
use hearth_history::Store;
use hyper_util::rt::{TokioIo, TokioTimer};
use kube::Client;
use prometheus_client::{encoding::text::encode, registry::Registry};
use rustls::ServerConfig;
use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

/// The longest head of a request, in bytes. What is read in one go may be as long once more.
const LONGEST_HEAD: usize = 64 * 1024;
/// Connections at a time, and how long the answers under way may take when the process stops.
const PORT: Port = Port { most: 512, goodbye: Duration::from_secs(5) };
/// For a handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection ends after this time, so that its certificate is verified anew.
const OLDEST: Duration = Duration::from_secs(300);
/// The longest pause between attempts to get certificates.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How the API is served.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The operator's namespace, where its CA lies.
    pub namespace: String,
    /// Name of its Service; the first name in its certificate is `SERVICE.NAMESPACE.svc`.
    pub service: String,
    /// Whether tokens that the API server itself takes are taken here too.
    pub cluster_tokens: bool,
}

/// What the API and the port that pods reach give each other.
pub struct PodSide {
    /// Is told each certificate.
    pub issued: watch::Sender<Option<Arc<Issued>>>,
    /// The artifact store, once it is open.
    pub artifacts: watch::Receiver<Option<Artifacts>>,
}

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It cannot listen there.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// There are no certificates.
    #[error(transparent)]
    Certificates(#[from] KeeperError),
}

/// Serves the API until `stop` is done, and tells the port for pods each certificate that it uses. Until the API server has
/// given the certificates it tries again and again.
pub async fn serve(
    config: ApiConfig,
    client: Client,
    store: Store,
    health: Health,
    metrics: ApiMetrics,
    pod_side: PodSide,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let mut stop = pin!(stop);
    health.set("api", PartState::Starting);
    let listener = listen(config.addr).await?;
    let keeper = tokio::select! {
        keeper = certificates(&client, &config, &pod_side.issued) => keeper,
        () = &mut stop => return Ok(()),
    };
    let api = Api::new(
        client,
        Source::Store(store),
        config.cluster_tokens,
        keeper.cursor_key(),
        health.clone(),
        metrics.clone(),
        pod_side.artifacts,
    );
    let tls = keeper.config();
    health.set("api", PartState::Up);
    tracing::info!(addr = %config.addr, "the API listens");
    tokio::select! {
        () = keeper.keep() => {}
        () = accept(listener, Front::Tls(tls, metrics), router(api), &mut stop) => {}
    }
    Ok(())
}

async fn certificates(client: &Client, config: &ApiConfig, issued: &watch::Sender<Option<Arc<Issued>>>) -> Keeper {
    let names = [
        hearth_wire::server_name(&config.service, &config.namespace),
        format!("{}.{}", config.service, config.namespace),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ];
    let mut pause = Duration::from_millis(500);
    loop {
        match Keeper::start(client.clone(), config.namespace.clone(), names.to_vec(), issued.clone()).await {
            Ok(keeper) => return keeper,
            Err(error) => tracing::warn!(%error, "the API has no certificates yet; it will try again"),
        }
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

async fn listen(addr: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(addr).await.map_err(|source| ServeError::Listen { addr, source })
}

/// What connections begin with.
#[derive(Clone)]
pub(crate) enum Front {
    /// TLS, counted.
    Tls(watch::Receiver<Arc<ServerConfig>>, ApiMetrics),
    /// Nothing.
    Plain,
}

impl Front {
    /// Takes one connection from its beginning to its end.
    async fn meet(self, stream: TcpStream, from: Origin, router: Router, closed: watch::Receiver<bool>) {
        match self {
            Self::Plain => converse(stream, (Peer::default(), from), router, closed).await,
            Self::Tls(tls, metrics) => {
                let acceptor = TlsAcceptor::from(tls.borrow().clone());
                let Some(stream) = handshake(&acceptor, stream, &metrics).await else { return };
                metrics.connections().inc();
                let who = peer(stream.get_ref().1.peer_certificates());
                converse(stream, (who, from), router, closed).await;
                metrics.connections().dec();
            }
        }
    }
}

/// Takes connections until `stop` is done, then lets those under way finish.
pub(crate) async fn accept(
    listener: TcpListener,
    front: Front,
    router: Router,
    stop: impl Future<Output = ()> + Unpin,
) {
    PORT.accept(listener, stop, |stream, from, closed| {
        front.clone().meet(stream, Origin(from.ip()), router.clone(), closed)
    })
    .await;
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream, metrics: &ApiMetrics) -> Option<TlsStream<TcpStream>> {
    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let outcome = if stream.get_ref().1.peer_certificates().is_some() {
                Handshake::Certificate
            } else {
                Handshake::Plain
            };
            metrics.handshake(outcome);
            Some(stream)
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            metrics.handshake(Handshake::Failed);
            None
        }
        Err(_) => {
            metrics.handshake(Handshake::Failed);
            None
        }
    }
}

/// Answers the requests of one connection. A client that is slow to say what it wants is let go.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (who, from): (Peer, Origin),
    router: Router,
    mut closed: watch::Receiver<bool>,
) {
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(who.clone());
        request.extensions_mut().insert(from);
        let router = router.clone();
        async move { Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let builder = {
        let mut builder = hyper::server::conn::http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST_HEAD);
        builder
    };
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = tokio::time::sleep(OLDEST) => None,
        _ = closed.wait_for(|c| *c) => None,
    };
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        // What is under way is bounded by the time-out of each request; this bounds a client that does not read.
        let _ = tokio::time::timeout(OLDEST, connection).await;
    }
}

/// Serves `/healthz`, `/readyz` and `/metrics` without TLS until `stop` is done.
pub async fn serve_plain(
    addr: SocketAddr,
    registry: Arc<Registry>,
    health: Health,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let listener = listen(addr).await?;
    accept(listener, Front::Plain, plain(registry, health), pin!(stop)).await;
    Ok(())
}

/// The plain port's paths.
pub fn plain(registry: Arc<Registry>, health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|State(health): State<Health>| async move { health.healthz() }))
        .route("/readyz", get(|State(health): State<Health>| async move { health.readyz() }))
        .with_state(health)
        .route("/metrics", get(metrics_page).with_state(registry))
}

async fn metrics_page(State(registry): State<Arc<Registry>>) -> impl IntoResponse {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
