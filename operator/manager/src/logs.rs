//! Whole logs: their bytes go to the artifact store, and where these are to the history store.

use anyhow::{Context, Result};
use futures::stream::BoxStream;
use hearth_artifacts::{Artifacts, Bytes};
use hearth_driver::WholeLog;
use hearth_history::{AttemptKey, Store};
use hearth_plan::Intent;
use std::io;
use tokio::sync::{mpsc, watch};

/// The longest log that is stored whole, in bytes; of a longer one the middle is left out. The text of `logs` names it.
const LIMIT: u64 = 64 * 1024 * 1024;

/// Stores each log that comes, and says when it is durable. Ends when nobody can send one any more.
pub async fn keep(mut logs: mpsc::Receiver<WholeLog>, artifacts: watch::Receiver<Option<Artifacts>>, store: Store) {
    while let Some(WholeLog { attempt, namespace_uid, bytes, done }) = logs.recv().await {
        let (artifacts, store) = (artifacts.borrow().clone(), store.clone());
        tokio::spawn(async move {
            let kept = keep_one(attempt, &namespace_uid, bytes, artifacts, &store).await;
            // Whoever is not there any more needs no answer.
            let _gone = done.send(kept.map_err(|e| format!("{e:#}")));
        });
    }
}

async fn keep_one(
    attempt: Intent,
    namespace_uid: &str,
    bytes: Result<BoxStream<'static, io::Result<Bytes>>, String>,
    artifacts: Option<Artifacts>,
    store: &Store,
) -> Result<()> {
    let of = key(attempt)?;
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(why) => return Ok(store.put_log(&of, Err(&why)).await?),
    };
    if is_kept(store, &of).await? {
        return Ok(());
    }
    let artifacts = artifacts.context("the artifact store is not open yet")?;
    let written = artifacts.write_stream(namespace_uid, LIMIT, bytes).await?;
    let whole = hearth_history::WholeLog {
        digest: written.key.digest().to_string(),
        bytes: i64::try_from(written.bytes)?,
        left_out: i64::try_from(written.left_out)?,
    };
    Ok(store.put_log(&of, Ok(&whole)).await?)
}

fn key(of: Intent) -> Result<AttemptKey> {
    Ok(AttemptKey {
        run_id: of.run_id.parse().context("the id of the run")?,
        step: of.step,
        item: i32::try_from(of.item)?,
        attempt: i32::try_from(of.attempt)?,
    })
}

/// Whether an earlier process stored it already.
async fn is_kept(store: &Store, of: &AttemptKey) -> Result<bool> {
    let log = store.get_log(of.run_id, &of.step, of.item, Some(of.attempt)).await?;
    Ok(log.is_some_and(|log| log.whole.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use hearth_artifacts::volume::{Limits, UrlKeys, Volume, VolumeConfig};
    use hearth_contract::digest::Digest;
    use hearth_history::BlobName;
    use tokio::sync::oneshot;

    const NAMESPACE: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";

    fn artifacts(folder: &std::path::Path) -> Artifacts {
        let config = VolumeConfig {
            folder: folder.join("artifacts"),
            endpoint: "https://localhost".to_owned(),
            keys: UrlKeys::derive(b"test", None),
            keep_free: 0,
            limits: Limits::default(),
        };
        Artifacts::volume(Volume::open(config).unwrap())
    }

    /// Hands a log on as the driver does, and gives the answer.
    async fn sent(to: &mpsc::Sender<WholeLog>, bytes: Result<Vec<io::Result<Bytes>>, String>) -> Result<(), String> {
        let (done, answer) = oneshot::channel();
        let run_id = "01993b6a-7c00-7000-8000-000000000001".to_owned();
        let attempt = Intent { run_id, step: "fit".to_owned(), item: 0, attempt: 1 };
        let bytes = bytes.map(|pieces| stream::iter(pieces).boxed());
        assert!(to.send(WholeLog { attempt, namespace_uid: NAMESPACE.to_owned(), bytes, done }).await.is_ok());
        answer.await.unwrap()
    }

    #[tokio::test]
    async fn bytes_are_stored_and_then_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = hearth_history::open(&folder.path().join("history.db"));
        let ((opened, artifacts_seen), (to, logs)) = (watch::channel(None), mpsc::channel(1));
        tokio::spawn(keep(logs, artifacts_seen, store.clone()));
        let piece = |text: &'static str| io::Result::Ok(Bytes::from(text));
        let early = sent(&to, Ok(vec![piece("boom\n")])).await.unwrap_err();
        assert!(early.contains("history store"), "there are no tables yet: {early}");
        store.migrate().await.unwrap();
        let early = sent(&to, Ok(vec![piece("boom\n")])).await.unwrap_err();
        assert!(early.contains("not open yet"), "{early}");
        let artifacts = artifacts(folder.path());
        opened.send_replace(Some(artifacts.clone()));
        let cut = sent(&to, Ok(vec![piece("boo"), Err(io::ErrorKind::TimedOut.into())])).await.unwrap_err();
        assert!(cut.contains("broke off"), "{cut}");
        assert_eq!(sent(&to, Err("404 the pod is gone".to_owned())).await, Ok(()));
        assert_eq!(store.blobs().await.unwrap(), []);
        assert_eq!(sent(&to, Ok(vec![piece("boom\n"), piece("bye")])).await, Ok(()));
        let digest = Digest::of(b"boom\nbye");
        let named = BlobName { namespace_uid: String::new(), digest: digest.to_string() };
        assert_eq!(store.blobs().await.unwrap(), [named]);
        let key = hearth_artifacts::BlobKey::new(NAMESPACE, digest).unwrap();
        assert_eq!(artifacts.stat(&key).await.unwrap().unwrap().bytes, 8);
    }
}
