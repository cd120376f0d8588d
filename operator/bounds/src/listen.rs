//! Connections at a port: so many at a time, and an end in good order.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(100);

/// How many connections a port takes, and how they end.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Connections at a time; more wait to be accepted.
    pub most: u32,
    /// How long those under way may take when it stops.
    pub goodbye: Duration,
}

impl Port {
    /// Gives each connection to `meet` in a task of its own until `stop` is done. `meet` is told by the watch when it is
    /// time to finish.
    pub async fn accept<F>(
        self,
        listener: TcpListener,
        mut stop: impl Future<Output = ()> + Unpin,
        meet: impl Fn(TcpStream, SocketAddr, watch::Receiver<bool>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(usize::try_from(self.most).unwrap_or(Semaphore::MAX_PERMITS)));
        let (closing, closed) = watch::channel(false);
        loop {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                () = &mut stop => break,
            };
            let (stream, from) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of file handles, or the like: it passes when connections end.
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                },
                () = &mut stop => break,
            };
            let met = meet(stream, from, closed.clone());
            tokio::spawn(async move {
                let _slot = slot;
                met.await;
            });
        }
        closing.send_replace(true);
        // All slots free means that no connection is left.
        let _ = tokio::time::timeout(self.goodbye, slots.acquire_many(self.most)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
    };

    /// Says its number, and stays until it is time to finish.
    async fn stay(mut stream: TcpStream, mut closed: watch::Receiver<bool>) {
        stream.write_all(b"here").await.unwrap();
        closed.wait_for(|c| *c).await.unwrap();
        stream.write_all(b"bye").await.unwrap();
    }

    #[tokio::test]
    async fn more_wait_and_all_are_let_finish() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let port = Port { most: 1, goodbye: Duration::from_secs(5) };
        let serving = tokio::spawn(port.accept(
            listener,
            Box::pin(async { drop(stopped.await) }),
            |stream, _, closed| stay(stream, closed),
        ));
        let mut first = TcpStream::connect(addr).await.unwrap();
        let mut word = [0; 4];
        first.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"here");
        // The kernel has taken the second one, nobody else has.
        let mut second = TcpStream::connect(addr).await.unwrap();
        drop(stop);
        let mut rest = String::new();
        first.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "bye", "it was let finish");
        serving.await.unwrap();
        let mut none = Vec::new();
        // A reset is as good an end as a close.
        let _ended = second.read_to_end(&mut none).await;
        assert!(none.is_empty(), "it was never met");
    }
}
