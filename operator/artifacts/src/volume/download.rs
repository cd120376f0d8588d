//! A GET, whole or a range.
//!
//! A task of its own reads the file and hands pieces on, so that a client that does not read loses its place after a
//! while, and the file and the place are free again.

use super::{file::Volume, problem::Problem, url::Grant};
use crate::{
    range::byte_range,
    verify::{Corrupt, verified},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, Stream, StreamExt, channel::mpsc, stream};
use std::{io, ops::Range, sync::Arc, time::Duration};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, SeekFrom},
};

/// Bytes per read.
const PIECE: usize = 256 * 1024;
/// Pieces that are read ahead.
const AHEAD: usize = 2;

/// Answers a GET whose URL gives that leave.
pub(super) async fn get(volume: Arc<Volume>, grant: Grant, headers: &HeaderMap) -> Result<Response, Problem> {
    let slot = Arc::clone(&volume.download_slots).try_acquire_owned().map_err(|_| Problem::Busy)?;
    let mut file = File::open(volume.path(&grant.key)).await.map_err(Problem::of)?;
    let size = file.metadata().await.map_err(Problem::of)?.len();
    let wanted = headers.get(header::RANGE).and_then(|r| byte_range(r.to_str().ok()?, size));
    let (status, span) = match wanted {
        None => (StatusCode::OK, 0..size),
        Some(Some(span)) => (StatusCode::PARTIAL_CONTENT, span),
        Some(None) => return Err(Problem::Range(size)),
    };
    if span.start > 0 {
        file.seek(SeekFrom::Start(span.start)).await.map_err(Problem::of)?;
    }
    let pieces = pieces(file, span.end - span.start);
    let pieces = match status {
        StatusCode::OK => verified(grant.key.digest(), pieces.boxed()).boxed(),
        // Part of a blob cannot be checked: whoever puts the parts together does.
        _ => pieces.boxed(),
    };
    let (mut sender, receiver) = mpsc::channel(AHEAD);
    let idle = volume.limits.idle;
    tokio::spawn(async move {
        let _slot = slot;
        hand_on(pieces, &mut sender, idle).await;
    });
    let mut response = Response::new(Body::from_stream(receiver));
    *response.status_mut() = status;
    describe(response.headers_mut(), &grant, size, (status == StatusCode::PARTIAL_CONTENT).then_some(&span));
    let length = HeaderValue::from(span.end - span.start);
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    Ok(response)
}

fn describe(headers: &mut HeaderMap, grant: &Grant, size: u64, span: Option<&Range<u64>>) {
    let mut set = |name, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, "application/octet-stream".to_owned());
    set(header::ACCEPT_RANGES, "bytes".to_owned());
    set(header::CACHE_CONTROL, "private, no-store".to_owned());
    set(header::ETAG, format!("\"{}\"", grant.key.digest().hex()));
    if let Some(span) = span {
        set(header::CONTENT_RANGE, format!("bytes {}-{}/{size}", span.start, span.end.saturating_sub(1)));
    }
}

/// The next `left` bytes of a file.
fn pieces(file: File, left: u64) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
        let mut piece = BytesMut::with_capacity(most);
        while piece.len() < most {
            if (&mut file).take(u64::try_from(most - piece.len()).unwrap_or(0)).read_buf(&mut piece).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let read = u64::try_from(piece.len()).unwrap_or(left);
        Ok(Some((piece.freeze(), (file, left.saturating_sub(read)))))
    })
}

/// Sends pieces until the client is gone, or takes none for `idle`. An error ends the answer before its length is
/// reached, so the client knows that it has not all.
async fn hand_on(
    mut pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
    sender: &mut mpsc::Sender<io::Result<Bytes>>,
    idle: Duration,
) {
    while let Some(piece) = pieces.next().await {
        if let Err(error) = &piece {
            tracing::error!(%error, "a blob could not be read to its end");
        }
        match tokio::time::timeout(idle, sender.send(piece)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

impl From<Corrupt> for io::Error {
    fn from(corrupt: Corrupt) -> Self {
        Self::new(io::ErrorKind::InvalidData, corrupt)
    }
}
