//! The store as the rest of the operator sees it.

use crate::{
    key::{BadKey, BlobKey},
    s3::{S3, S3Config},
    spool::Spool,
    verify::{Corrupt, verified},
    volume::Volume,
};
pub use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use hearth_contract::{
    MAX_BYTES,
    digest::{Digest, Hasher},
};
use jiff::{SignedDuration, Timestamp};
use object_store::{GetOptions, ObjectStore, ObjectStoreExt};
use std::{io, ops::Range, sync::Arc, time::Duration};

/// The longest life of a URL.
const MAX_TTL: Duration = Duration::from_secs(3600);

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configuration is wrong.
    #[error("artifact store: {0}")]
    Config(String),
    /// There is no such blob.
    #[error("there is no blob {0}")]
    Missing(BlobKey),
    /// It is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// It would be longer than a single PUT may be.
    #[error("an artifact of {0} bytes is longer than {MAX_BYTES}: write it as several")]
    TooLong(u64),
    /// The life of a URL is not possible.
    #[error("a URL lives from one second to an hour, not {0:?}")]
    Ttl(Duration),
    /// What was to be stored broke off.
    #[error("what was to be stored broke off: {0}")]
    Source(std::io::Error),
    /// The store did not do it.
    #[error("the artifact store: {0}")]
    Failed(#[from] object_store::Error),
    /// The volume did not do it.
    #[error("the artifact volume: {0}")]
    Io(#[from] std::io::Error),
}

/// Leave for one request.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// `GET` or `PUT`.
    pub method: &'static str,
    /// Where. Whoever has it may do it, so it is never stored or logged.
    pub url: String,
    /// Headers that must be sent as they are.
    pub headers: Vec<(String, String)>,
    /// Until when.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("method", &self.method).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A stored blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was uploaded last.
    pub modified: Timestamp,
}

/// Bytes that came and were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Their key.
    pub key: BlobKey,
    /// How many are stored.
    pub bytes: u64,
    /// How many of the middle were left out, since there were too many.
    pub left_out: u64,
}

/// The artifact store. A clone is the same store.
#[derive(Clone)]
pub struct Artifacts {
    pub(crate) backend: Arc<Backend>,
}

pub(crate) enum Backend {
    S3(S3),
    Volume(Arc<Volume>),
}

impl Artifacts {
    /// In a bucket. The process has a TLS provider already: rustls with ring, installed as the default.
    ///
    /// # Errors
    /// The configuration is wrong. The bucket is not asked.
    pub fn s3(config: &S3Config) -> Result<Self, StoreError> {
        Ok(Self { backend: Arc::new(Backend::S3(S3::open(config)?)) })
    }

    /// On a volume.
    #[must_use]
    pub fn volume(volume: Volume) -> Self {
        Self { backend: Arc::new(Backend::Volume(Arc::new(volume))) }
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        match &*self.backend {
            Backend::S3(s3) => s3.objects.as_ref(),
            Backend::Volume(volume) => volume.objects(),
        }
    }

    /// Leave to upload one blob: those bytes, that many, for `ttl` from now.
    ///
    /// # Errors
    /// The size or the time is not possible, or there are no credentials.
    pub async fn presign_put(&self, key: &BlobKey, size: u64, ttl: Duration) -> Result<Signed, StoreError> {
        let (now, expires) = life(ttl)?;
        if size > MAX_BYTES {
            return Err(StoreError::TooLong(size));
        }
        let length = ("content-length".to_owned(), size.to_string());
        match &*self.backend {
            Backend::S3(s3) => {
                let checksum = ("x-amz-checksum-sha256".to_owned(), key.digest().checksum_header());
                s3.presign("PUT", key, vec![length, checksum], now, expires).await
            }
            Backend::Volume(volume) => Ok(volume.presign("PUT", key, Some(size), vec![length], expires)),
        }
    }

    /// Leave to download one blob for `ttl` from now.
    ///
    /// # Errors
    /// The time is not possible, or there are no credentials.
    pub async fn presign_get(&self, key: &BlobKey, ttl: Duration) -> Result<Signed, StoreError> {
        let (now, expires) = life(ttl)?;
        match &*self.backend {
            Backend::S3(s3) => s3.presign("GET", key, Vec::new(), now, expires).await,
            Backend::Volume(volume) => Ok(volume.presign("GET", key, None, Vec::new(), expires)),
        }
    }

    /// What is stored under that key, if anything.
    ///
    /// # Errors
    /// The store does not say.
    pub async fn stat(&self, key: &BlobKey) -> Result<Option<Blob>, StoreError> {
        match self.objects().head(&key.path()).await {
            Ok(meta) => Ok(Some(Blob { bytes: meta.size, modified: timestamp(meta.last_modified) })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The bytes of a blob. The stream fails at its end, before the last piece, if they are not those of its digest.
    ///
    /// # Errors
    /// There is no such blob, or the store fails.
    pub async fn read(
        &self,
        key: &BlobKey,
    ) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send + use<>, StoreError> {
        let found = match self.objects().get(&key.path()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Err(StoreError::Missing(*key)),
            Err(error) => return Err(error.into()),
        };
        Ok(verified(key.digest(), found.into_stream().map_err(StoreError::from).boxed()))
    }

    /// Some of the bytes of a blob. They are not compared with its digest: only all of them can be.
    ///
    /// # Errors
    /// There is no such blob, it has no such bytes, or the store fails.
    pub async fn read_range(
        &self,
        key: &BlobKey,
        span: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send + use<>, StoreError> {
        let wanted = GetOptions { range: Some(span.into()), ..GetOptions::default() };
        match self.objects().get_opts(&key.path(), wanted).await {
            Ok(found) => Ok(found.into_stream().map_err(StoreError::from)),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::Missing(*key)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores bytes that the operator itself has, and gives their key.
    ///
    /// # Errors
    /// The namespace's UID is not one, or the store fails.
    pub async fn write(&self, namespace_uid: &str, bytes: Bytes) -> Result<BlobKey, StoreError> {
        let key = blob(namespace_uid, Digest::of(&bytes))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.send(&key, size, stream::iter([Ok(bytes)])).await?;
        Ok(key)
    }

    /// Stores bytes as they come, and gives their key. Of more than `limit` of them the middle is left out, and a line
    /// that says how many there were stands in its place. They wait in a temporary file until their digest is known.
    ///
    /// # Errors
    /// The namespace's UID is not one, they break off, or the file or the store fails.
    pub async fn write_stream(
        &self,
        namespace_uid: &str,
        limit: u64,
        mut from: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Written, StoreError> {
        blob(namespace_uid, Digest::of(&[]))?;
        let mut spool = Spool::new(limit)?;
        while let Some(piece) = from.next().await {
            spool.push(piece.map_err(StoreError::Source)?).await?;
        }
        let mut hasher = Hasher::default();
        let mut held = spool.pieces().boxed();
        while let Some(piece) = held.try_next().await? {
            hasher.update(&piece);
        }
        let bytes = hasher.bytes();
        let key = blob(namespace_uid, hasher.finish())?;
        self.send(&key, bytes, spool.pieces().boxed()).await?;
        Ok(Written { key, bytes, left_out: spool.left_out() })
    }

    async fn send(
        &self,
        key: &BlobKey,
        size: u64,
        pieces: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<(), StoreError> {
        match &*self.backend {
            Backend::S3(s3) => s3.write(key, size, pieces).await,
            Backend::Volume(volume) => Ok(volume.write(key, size, pieces).await?),
        }
    }
}

fn blob(namespace_uid: &str, digest: Digest) -> Result<BlobKey, StoreError> {
    BlobKey::new(namespace_uid, digest).map_err(|e: BadKey| StoreError::Config(e.to_string()))
}

fn life(ttl: Duration) -> Result<(Timestamp, Timestamp), StoreError> {
    if ttl < Duration::from_secs(1) || ttl > MAX_TTL {
        return Err(StoreError::Ttl(ttl));
    }
    let now = Timestamp::now();
    let ttl = SignedDuration::try_from(ttl).unwrap_or(SignedDuration::ZERO);
    Ok((now, now + ttl))
}

/// `object_store` has its times from chrono.
pub(crate) fn timestamp(time: impl Into<std::time::SystemTime>) -> Timestamp {
    Timestamp::try_from(time.into()).unwrap_or(Timestamp::MAX)
}
