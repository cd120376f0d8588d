//! Stands before the Recorder and breaks connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

/// How many connections came.
pub type Count = Arc<AtomicUsize>;

/// Passes connections on to `target`. The nth one ends after as many bytes from the client as `cuts` says; those behind
/// the list pass.
pub fn stand_before(listener: TcpListener, target: SocketAddr, cuts: &'static [Option<usize>]) -> Count {
    let count = Count::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let cut = cuts.get(counted.fetch_add(1, Ordering::Relaxed)).copied().flatten();
            tokio::spawn(pass(client, target, cut.unwrap_or(usize::MAX)));
        }
    });
    count
}

async fn pass(mut client: TcpStream, target: SocketAddr, mut left: usize) {
    let mut server = TcpStream::connect(target).await.unwrap();
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let mut piece = vec![0; 16 * 1024];
        loop {
            let read = from_client.read(&mut piece).await.unwrap_or(0);
            let passed = read.min(left);
            if to_server.write_all(&piece[..passed]).await.is_err() || read == 0 || passed < read {
                return;
            }
            left -= passed;
        }
    };
    tokio::select! {
        () = up => {}
        _ = copy(&mut from_server, &mut to_client) => {}
    }
}
