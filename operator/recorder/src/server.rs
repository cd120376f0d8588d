//! The port that pods reach: the Recorder's calls (HTTP/2), and blobs of the artifact volume (HTTP/1.1), with TLS.

use crate::service::Service;
use axum::{Router, body::Body};
use hearth_artifacts::{Artifacts, volume};
use hearth_bounds::Port;
use hearth_recorder_proto::v1::recorder_server::SERVICE_NAME;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{future::Future, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::ServiceExt;

/// Connections at a time, and how long requests under way may take when the process stops.
const PORT: Port = Port { most: 1024, goodbye: Duration::from_secs(5) };
/// Calls at a time on one connection.
const MOST_STREAMS: u32 = 64;
/// For a handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is gone.
const UNREAD: Duration = Duration::from_secs(60);
/// After this time a connection takes no further request.
const OLDEST: Duration = Duration::from_secs(300);
/// The longest that a request under way may go on after that: the slowest upload of the largest artifact.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// What a connection comes in by: TLS over TCP that does not wait for ever to be read.
type Stream = TlsStream<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

/// TLS for this port: no client certificates, both versions of HTTP.
///
/// # Errors
/// The key is not the certificate's.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let mut config =
        builder.with_safe_default_protocol_versions()?.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Serves pods until `stop` is done, then lets what is under way finish. `tls` is looked at for each connection.
pub async fn serve(
    listener: TcpListener,
    tls: watch::Receiver<Arc<ServerConfig>>,
    service: Service,
    artifacts: &Artifacts,
    stop: impl Future<Output = ()>,
) {
    let stop = pin!(stop);
    let calls = Router::new().route_service(&format!("/{SERVICE_NAME}/{{call}}"), service.into_server());
    let router = calls.merge(volume::router(artifacts).unwrap_or_default());
    PORT.accept(listener, stop, |stream, _, closed| {
        let acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow()));
        let router = router.clone();
        async move {
            if let Some(stream) = handshake(&acceptor, stream).await {
                converse(stream, router, closed).await;
            }
        }
    })
    .await;
}

async fn handshake(acceptor: &TlsAcceptor, stream: TcpStream) -> Option<Stream> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(UNREAD));
    match tokio::time::timeout(PATIENCE, acceptor.accept(Box::pin(stream))).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// Answers the requests of one connection.
async fn converse(stream: Stream, router: Router, mut closed: watch::Receiver<bool>) {
    let service =
        TowerToHyperService::new(router.map_request(|r: hyper::Request<hyper::body::Incoming>| r.map(Body::new)));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .max_header_list_size(64 * 1024)
        .keep_alive_interval(Some(PATIENCE))
        .keep_alive_timeout(PATIENCE);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = tokio::time::sleep(OLDEST) => None,
        _ = closed.wait_for(|c| *c) => None,
    };
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(LONGEST, connection).await;
    }
}
