//! A wire between the store and its server that can be cut and can fall silent.

use crate::harness::Db;
use sqlx::ConnectOptions;
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Flows,
    /// Connections stay and take bytes, but nothing arrives: a stopped server.
    Hangs,
    /// Connections end, new ones end at once: a server that is away.
    Cut,
}

pub struct Proxy {
    state: Arc<watch::Sender<Wire>>,
    pub dsn: String,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub async fn to(db: &Db) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut url = db.options().clone().host("127.0.0.1").port(port).to_url_lossy();
        // A socket of the real server must not win over the proxy's port.
        let pairs: Vec<(String, String)> =
            url.query_pairs().filter(|(k, _)| k != "host").map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url.set_host(Some("127.0.0.1")).unwrap();
        let state = Arc::new(watch::channel(Wire::Flows).0);
        let task = tokio::spawn(listen(listener, db.clone(), state.clone()));
        Self { state, dsn: url.to_string(), task }
    }

    pub fn set(&self, wire: Wire) {
        self.state.send_replace(wire);
    }
}

async fn listen(listener: TcpListener, db: Db, state: Arc<watch::Sender<Wire>>) {
    while let Ok((client, _)) = listener.accept().await {
        let wire = state.subscribe();
        if *wire.borrow() == Wire::Cut {
            continue;
        }
        let db = db.clone();
        tokio::spawn(async move {
            match db.options().get_socket() {
                Some(folder) => {
                    join(
                        client,
                        UnixStream::connect(folder.join(format!(".s.PGSQL.{}", db.options().get_port())))
                            .await
                            .unwrap(),
                        wire,
                    )
                    .await
                }
                None => {
                    join(
                        client,
                        TcpStream::connect((db.options().get_host(), db.options().get_port())).await.unwrap(),
                        wire,
                    )
                    .await
                }
            }
        });
    }
}

async fn join(client: TcpStream, server: impl AsyncRead + AsyncWrite, wire: watch::Receiver<Wire>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        () = carry(from_client, to_server, wire.clone()) => {}
        () = carry(from_server, to_client, wire) => {}
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut wire: watch::Receiver<Wire>) {
    let mut buffer = [0; 4096];
    loop {
        let n = tokio::select! {
            n = from.read(&mut buffer) => n.unwrap_or(0),
            _ = wire.wait_for(|w| *w == Wire::Cut) => return,
        };
        let Ok(state) = wire.wait_for(|w| *w != Wire::Hangs).await.map(|w| *w) else { return };
        if n == 0 || state == Wire::Cut || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
