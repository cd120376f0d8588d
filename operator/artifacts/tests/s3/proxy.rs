//! Stands between a client and the S3 server, and fails as it is told.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, future, stream};
use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpListener;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// 503, as S3 answers when it has too much to do.
    SlowDown,
    /// It passes after a while.
    Late(Duration),
    /// No answer ever comes.
    Silence,
    /// The connection to the server ends after that many bytes of the request's body.
    Cut(usize),
}

#[derive(Clone)]
pub struct Proxy {
    pub addr: SocketAddr,
    target: SocketAddr,
    client: reqwest::Client,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Proxy {
    pub async fn start(target: SocketAddr, client: reqwest::Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let proxy = Self { addr, target, client, faults: Arc::default() };
        let app = Router::new().fallback(pass).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        proxy
    }

    /// These faults happen to the next requests, one each.
    pub fn fail(&self, faults: &[Fault]) {
        self.faults.lock().unwrap().extend(faults.iter().rev());
    }

    pub fn all_happened(&self) -> bool {
        self.faults.lock().unwrap().is_empty()
    }
}

async fn pass(State(proxy): State<Proxy>, request: Request) -> Response {
    let fault = proxy.faults.lock().unwrap().pop();
    let mut most = usize::MAX;
    match fault {
        Some(Fault::SlowDown) => {
            let body = "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";
            return (StatusCode::SERVICE_UNAVAILABLE, body).into_response();
        }
        Some(Fault::Late(time)) => tokio::time::sleep(time).await,
        Some(Fault::Silence) => future::pending().await,
        Some(Fault::Cut(bytes)) => most = bytes,
        None => {}
    }
    let (mut parts, body) = request.into_parts();
    let url = format!("http://{}{}", proxy.target, parts.uri.path_and_query().unwrap());
    // The signature is over the Host that the client knows, so that is what goes on.
    parts.headers.remove(header::CONNECTION);
    let request = proxy.client.request(parts.method, url).headers(parts.headers).body(until(body, most));
    match request.send().await {
        Ok(answer) => {
            let (status, headers) = (answer.status(), answer.headers().clone());
            (status, headers, Body::from_stream(answer.bytes_stream())).into_response()
        }
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

/// A body that fails after `most` bytes.
fn until(body: Body, most: usize) -> reqwest::Body {
    let cut = || io::Error::from(io::ErrorKind::ConnectionReset);
    let pieces = body.into_data_stream().scan(most, move |left, piece| {
        let next = match piece {
            Ok(piece) if piece.len() <= *left => {
                *left -= piece.len();
                vec![Ok(piece)]
            }
            Ok(piece) => vec![Ok(piece.slice(..*left)), Err(cut())],
            Err(_) => vec![Err(cut())],
        };
        future::ready(Some(stream::iter(next)))
    });
    reqwest::Body::wrap_stream(pieces.flatten())
}
