//! Tests over bare sockets: clients that are slow, too long, or do not speak HTTP.

use crate::{
    server::{Front, accept},
    testing::{FakeCluster, FakeStore, UID, app, run},
};
use std::{future::pending, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

async fn serve() -> SocketAddr {
    let store = FakeStore::default();
    store.runs.lock().unwrap().push(run(1, "climate", UID));
    let cluster = FakeCluster::with(&[("ada", "list", "workflows", "climate")]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let router = app(&cluster, &store, true);
    tokio::spawn(async move { accept(listener, Front::Plain, router, Box::pin(pending())).await });
    addr
}

/// What the server says to these bytes before it ends the connection.
async fn said(addr: SocketAddr, parts: &[&str]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    for part in parts {
        // The server may have ended it already: then there is an answer, or none.
        let _ = stream.write_all(part.as_bytes()).await;
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const HEAD: &str = "GET /api/v1/runs?namespace=climate HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token-ada\r\n";

#[tokio::test]
async fn a_request_is_answered() {
    let addr = serve().await;
    let answer = said(addr, &[HEAD, "Connection: close\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// The clock goes on by itself when everybody waits; if nothing ended the connection, this would hang.
#[tokio::test(start_paused = true)]
async fn half_a_head_is_not_waited_for() {
    let addr = serve().await;
    for start in ["", "GET", HEAD] {
        let began = Instant::now();
        let answer = said(addr, &[start]).await;
        assert!(!answer.contains("200"), "{start:?}: {answer}");
        assert!(began.elapsed() <= Duration::from_secs(11), "{start:?}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn long_heads_and_many_headers_are_refused() {
    let addr = serve().await;
    let many = (0..200).map(|n| format!("X-{n}: y\r\n")).collect::<String>() + "\r\n";
    let answer = said(addr, &[HEAD, &many]).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // The rest of it may meet a closed connection, and then the answer is lost.
    let answer = said(addr, &[HEAD, &format!("X-Long: {}\r\n\r\n", "x".repeat(300_000))]).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let target = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    let answer = said(addr, &[&target]).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let answer = said(addr, &["\u{16}\u{3}\u{1} this is TLS\r\n\r\n"]).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

/// A body is never read: what says that it is long is refused, what sends one all the same is cut off.
#[tokio::test(start_paused = true)]
async fn bodies_are_not_waited_for() {
    let addr = serve().await;
    let answer = said(addr, &[HEAD, "Content-Length: 1000000\r\n\r\n"]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    for body in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let answer = said(addr, &[HEAD, body]).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
    }
}
