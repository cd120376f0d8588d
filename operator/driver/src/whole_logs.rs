//! Whole logs on their way to the store: beside all passes, a few at a time, each until it is stored or its pod is gone.

use crate::shared::Shared;
use bytes::Bytes;
use futures::{AsyncRead, AsyncReadExt, Stream, StreamExt, stream, stream::BoxStream};
use hearth_plan::Intent;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use std::{io, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Logs that are under way at the same time.
pub(crate) const AT_ONCE: usize = 2;
/// The first pause after a failure; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest of them.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The longest that a node may say nothing while it sends a log.
const IDLE: Duration = Duration::from_secs(30);
/// Bytes per read.
const PIECE: usize = 64 * 1024;

/// Nobody takes a log any more, or answers.
const STOPS: &str = "the process stops";

/// A log that is to be stored whole.
pub struct WholeLog {
    /// The attempt that it is of.
    pub attempt: Intent,
    /// UID of its namespace; empty when it is not known.
    pub namespace_uid: String,
    /// The bytes as they come, or why there are none and never will be.
    pub bytes: Result<BoxStream<'static, io::Result<Bytes>>, String>,
    /// Is told when that is durable, or why it has to be tried again.
    pub done: oneshot::Sender<Result<(), String>>,
}

/// Starts to store the log of a pod, unless somebody does or did. That it is done is a fact of a later pass.
pub(crate) fn keep(shared: &Arc<Shared>, uid: &str, namespace: &str, pod: &str, attempt: &Intent) {
    if !shared.world.with(uid, |o| o.start_keeping(pod)) {
        return;
    }
    let keeping = Keeping { namespace: namespace.to_owned(), pod: pod.to_owned(), attempt: attempt.clone() };
    let (shared, uid) = (Arc::clone(shared), uid.to_owned());
    tokio::spawn(async move {
        let mut pause = FIRST_PAUSE;
        let mut waits = false;
        while let Err(why) = keeping.once(&shared).await {
            // One that is only in line behind others does not wait for a store.
            if !std::mem::replace(&mut waits, true) {
                shared.metrics.logs_waiting.inc();
            }
            let Keeping { namespace, pod, .. } = &keeping;
            tracing::warn!(namespace, pod, why, ?pause, "a whole log is not stored yet; its pod stays until it is");
            shared.metrics.log("again");
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            if shared.world.with_known(&uid, |_| ()).is_none() {
                // The object is gone, and its pods with it.
                break;
            }
        }
        if waits {
            shared.metrics.logs_waiting.dec();
        }
        shared.world.with_known(&uid, |o| o.log_kept(&keeping.pod));
        shared.world.wake(&uid);
    });
}

/// A log that is being stored.
struct Keeping {
    namespace: String,
    pod: String,
    attempt: Intent,
}

impl Keeping {
    /// Tries once.
    async fn once(&self, shared: &Shared) -> Result<(), String> {
        let _slot = shared.log_slots.acquire().await.map_err(|e| e.to_string())?;
        let bytes = self.open(shared).await?;
        let outcome = if bytes.is_ok() { "stored" } else { "unavailable" };
        let namespace_uid = shared.world.env().namespace_uids.get(&self.namespace).cloned().unwrap_or_default();
        let (done, answer) = oneshot::channel();
        let log = WholeLog { attempt: self.attempt.clone(), namespace_uid, bytes, done };
        shared.settings.whole_logs.send(log).await.map_err(|_| STOPS)?;
        answer.await.map_err(|_| STOPS)??;
        shared.metrics.log(outcome);
        Ok(())
    }

    /// The log, or the server's word that there is none. An error is one that may pass.
    async fn open(&self, shared: &Shared) -> Result<Result<BoxStream<'static, io::Result<Bytes>>, String>, String> {
        let api: Api<Pod> = Api::namespaced(shared.calls.client(), &self.namespace);
        let (limit, all) = (shared.settings.request_timeout, LogParams::default());
        match tokio::time::timeout(limit, api.log_stream(&self.pod, &all)).await {
            Ok(Ok(log)) => Ok(Ok(pieces(log).boxed())),
            Ok(Err(kube::Error::Api(status))) if matches!(status.code, 400 | 404) => {
                Ok(Err(format!("{} {}", status.code, status.message)))
            }
            Ok(Err(kube::Error::Api(status))) => Err(format!("{} {}", status.code, status.message)),
            Ok(Err(other)) => Err(other.to_string()),
            Err(_) => Err(format!("no answer within {limit:?}")),
        }
    }
}

fn pieces(log: impl AsyncRead + Send + 'static) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((Box::pin(log), vec![0; PIECE]), |(mut log, mut piece)| async move {
        let read = tokio::time::timeout(IDLE, log.read(&mut piece)).await??;
        let bytes = Bytes::copy_from_slice(piece.get(..read).unwrap_or_default());
        Ok((read > 0).then_some((bytes, (log, piece))))
    })
}
