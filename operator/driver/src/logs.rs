//! The end of a log: best effort, on its own, never in the way of a pass.

use crate::shared::Shared;
use futures::{AsyncRead, AsyncReadExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};
use std::{pin::pin, sync::Arc};

/// How much of a log's end is kept.
const KEEP: usize = 64 * 1024;
/// How much is read at most to find it.
const READ: usize = 8 * 1024 * 1024;
/// How many lines are asked for.
const LINES: i64 = 4096;

/// Starts to read, unless somebody does or did; the answer is a fact of the next pass.
pub(crate) fn read(shared: &Arc<Shared>, uid: &str, namespace: &str, pod: &str) {
    if !shared.world.with(uid, |o| o.start_reading(pod)) {
        return;
    }
    let (shared, uid, namespace, pod) = (Arc::clone(shared), uid.to_owned(), namespace.to_owned(), pod.to_owned());
    tokio::spawn(async move {
        let limit = shared.settings.request_timeout;
        let log = tokio::time::timeout(limit, tail(&shared, &namespace, &pod)).await;
        let log = log.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")));
        shared.world.with_known(&uid, |o| o.log_read(&pod, log));
        shared.world.wake(&uid);
    });
}

async fn tail(shared: &Shared, namespace: &str, pod: &str) -> Result<String, String> {
    let api: Api<Pod> = Api::namespaced(shared.calls.client(), namespace);
    let params = LogParams { tail_lines: Some(LINES), limit_bytes: i64::try_from(READ).ok(), ..LogParams::default() };
    let stream = api.log_stream(pod, &params).await.map_err(|e| match e {
        kube::Error::Api(status) => format!("{} {}", status.code, status.message),
        other => other.to_string(),
    })?;
    last(stream).await.map_err(|e| e.to_string())
}

/// The last bytes of a stream, as text.
async fn last(stream: impl AsyncRead) -> std::io::Result<String> {
    let mut stream = pin!(stream);
    let mut kept = Vec::new();
    let mut chunk = vec![0u8; 16 * 1024];
    loop {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            break;
        }
        kept.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if kept.len() > 2 * KEEP {
            kept.drain(..kept.len() - KEEP);
        }
    }
    let from = kept.len().saturating_sub(KEEP);
    Ok(String::from_utf8_lossy(kept.get(from..).unwrap_or_default()).into_owned())
}
