//! Bytes that are what their name says.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use hearth_contract::digest::{Digest, Hasher};

/// Stored bytes that are not those of their digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored bytes are not those of {0}: the blob is damaged, make it again")]
pub struct Corrupt(pub Digest);

/// Passes a stream on, and fails at its end if the bytes are not those of `digest`. The last piece comes only after the
/// check, so nobody gets all of a damaged blob.
pub(crate) fn verified<E: From<Corrupt>>(
    digest: Digest,
    from: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> impl Stream<Item = Result<Bytes, E>> + Send {
    stream::try_unfold((from, Hasher::default(), None::<Bytes>), move |(mut from, mut hasher, mut held)| async move {
        while let Some(piece) = from.next().await {
            let piece = piece?;
            hasher.update(&piece);
            if let Some(earlier) = held.replace(piece) {
                return Ok(Some((earlier, (from, hasher, held))));
            }
        }
        if hasher.clone().finish() != digest {
            return Err(Corrupt(digest).into());
        }
        Ok(held.take().map(|last| (last, (from, hasher, None))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    async fn read(digest: Digest, pieces: &[&'static str]) -> (Vec<u8>, Option<Corrupt>) {
        let pieces: Vec<Result<Bytes, Corrupt>> = pieces.iter().map(|p| Ok(Bytes::from(*p))).collect();
        let mut read = Vec::new();
        let mut out = Box::pin(verified(digest, stream::iter(pieces)));
        loop {
            match out.try_next().await {
                Ok(Some(piece)) => read.extend_from_slice(&piece),
                Ok(None) => return (read, None),
                Err(corrupt) => return (read, Some(corrupt)),
            }
        }
    }

    #[tokio::test]
    async fn the_end_is_kept_back_until_the_digest_is_known() {
        let digest = Digest::of(b"one two");
        assert_eq!(read(digest, &["one", " ", "two"]).await, (b"one two".to_vec(), None));
        assert_eq!(read(digest, &["one", " ", "tow"]).await, (b"one ".to_vec(), Some(Corrupt(digest))));
        assert_eq!(read(digest, &["one two"]).await, (b"one two".to_vec(), None));
        assert_eq!(read(digest, &["one tw"]).await, (Vec::new(), Some(Corrupt(digest))));
        assert_eq!(read(Digest::of(b""), &[]).await, (Vec::new(), None));
    }
}
