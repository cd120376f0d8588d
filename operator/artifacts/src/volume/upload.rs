//! A PUT: bytes go to a file of their own, and it gets its name when all of them are there and right.

use super::{file::Volume, problem::Problem, url::Grant};
use crate::key::BlobKey;
use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use hearth_contract::digest::Hasher;
use std::{io, sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, time::Instant};

/// What every upload gets beside the time for its bytes.
const GRACE: Duration = Duration::from_secs(60);

/// Answers a PUT whose URL gives that leave.
pub(super) async fn put(
    volume: Arc<Volume>,
    grant: Grant,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let size = grant.size.ok_or_else(|| Problem::Bad("the URL is not for an upload".to_owned()))?;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|l| l.to_str().ok()).ok_or(Problem::NoLength)?;
    if length.parse() != Ok(size) {
        return Err(Problem::Bad(format!("Content-Length is {length}, and the URL is for {size} bytes")));
    }
    let _slot = volume.upload_slots.try_acquire().map_err(|_| Problem::Busy)?;
    let pieces = body.into_data_stream().map(|piece| piece.map_err(io::Error::other)).boxed();
    receive(&volume, &grant.key, size, pieces).await?;
    Ok((StatusCode::CREATED, [(header::ETAG, format!("\"{}\"", grant.key.digest().hex()))]).into_response())
}

/// Stores `size` bytes under their key.
async fn receive(
    volume: &Arc<Volume>,
    key: &BlobKey,
    size: u64,
    mut pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
) -> Result<(), Problem> {
    let limits = volume.limits;
    let end = Instant::now() + GRACE + Duration::from_secs(size.checked_div(limits.slowest).unwrap_or_default());
    let (upload, file) = aside(volume, move |v| v.begin(size)).await.map_err(Problem::of)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut hasher = Hasher::default();
    while hasher.bytes() < size {
        let patience = end.min(Instant::now() + limits.idle);
        let piece = match tokio::time::timeout_at(patience, pieces.next()).await {
            Ok(Some(Ok(piece))) => piece,
            Ok(Some(Err(_)) | None) => return Err(cut(hasher.bytes(), size)),
            Err(_) => return Err(Problem::Slow(limits.idle)),
        };
        hasher.update(&piece);
        if hasher.bytes() > size {
            return Err(Problem::Bad(format!("more than {size} bytes came")));
        }
        file.write_all(&piece).await.map_err(Problem::of)?;
    }
    file.flush().await.map_err(Problem::of)?;
    let found = hasher.finish();
    if found != key.digest() {
        return Err(Problem::Bad(format!("the bytes are those of {found}, and the URL is for {}", key.digest())));
    }
    let (file, key) = (file.into_std().await, *key);
    aside(volume, move |v| v.finish(&upload, &file, &key)).await.map_err(Problem::of)
}

/// Does something with the volume that may take long, where it holds up nobody.
async fn aside<T: Send + 'static>(
    volume: &Arc<Volume>,
    work: impl FnOnce(&Volume) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let volume = Arc::clone(volume);
    crate::spool::aside(move || work(&volume)).await
}

fn cut(came: u64, size: u64) -> Problem {
    Problem::Bad(format!("the upload ended after {came} of {size} bytes"))
}

impl Volume {
    /// Stores bytes that the operator itself has.
    pub(crate) async fn write(
        self: &Arc<Self>,
        key: &BlobKey,
        size: u64,
        pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> io::Result<()> {
        receive(self, key, size, pieces).await.map_err(|problem| match problem {
            Problem::Failed(error) => error,
            Problem::Full => io::ErrorKind::StorageFull.into(),
            other => io::Error::other(other.to_string()),
        })
    }
}
