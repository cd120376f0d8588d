//! Removal of blobs that nothing refers to.
//!
//! A blob goes when it was found without a reference twice, a day or more apart, and was not uploaded in between. What was
//! found first is noted in the store itself, so it outlives the process. One process collects at a time: the leader.

use crate::{
    key::BlobKey,
    store::{Artifacts, Backend, StoreError, timestamp},
};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use object_store::{ObjectStoreExt, path::Path};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Where the notes lie. No namespace has this UID.
const NOTES: &str = "gc/marks.json";
/// The most blobs that are noted; more wait for a later pass.
const MOST: usize = 100_000;

/// When blobs were first found without a reference.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    marks: BTreeMap<String, Timestamp>,
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs that are stored, removed ones included.
    pub listed: u64,
    /// Blobs without a reference that wait for a later pass.
    pub waiting: u64,
    /// Blobs that were removed.
    pub removed: u64,
    /// Bytes of those.
    pub removed_bytes: u64,
}

impl Artifacts {
    /// One pass: notes what nothing refers to, and removes what was noted `older_than` ago or more and still has no
    /// reference. A blob that was uploaded within that time is left alone. `referenced` is asked again just before each
    /// removal; when it cannot know, it must say true.
    ///
    /// # Errors
    /// The store fails. What was removed until then is gone, the rest is found by the next pass.
    pub async fn collect(
        &self,
        now: Timestamp,
        older_than: Duration,
        referenced: impl Fn(&BlobKey) -> bool + Send + Sync,
    ) -> Result<Collected, StoreError> {
        let young = now - SignedDuration::try_from(older_than).unwrap_or(SignedDuration::MAX);
        let before = self.notes().await?;
        let (mut notes, mut done) = (Notes::default(), Collected::default());
        let mut listed = self.objects().list(None);
        while let Some(object) = listed.try_next().await? {
            let Ok(key) = object.location.as_ref().parse::<BlobKey>() else { continue };
            done.listed += 1;
            let modified = timestamp(object.last_modified);
            if modified > young || referenced(&key) {
                continue;
            }
            let marked = before.marks.get(object.location.as_ref()).copied().filter(|at| modified <= *at);
            if marked.is_some_and(|at| at <= young) && !referenced(&key) {
                if self.remove(&key, modified).await? {
                    done.removed += 1;
                    done.removed_bytes += object.size;
                }
            } else if notes.marks.len() < MOST {
                done.waiting += 1;
                notes.marks.insert(object.location.to_string(), marked.unwrap_or(now));
            }
        }
        drop(listed);
        self.note(&notes).await?;
        Ok(done)
    }

    /// Notes that cannot be read are begun anew: blobs then stay a day longer.
    async fn notes(&self) -> Result<Notes, StoreError> {
        let bytes = match self.objects().get(&Path::from(NOTES)).await {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Ok(Notes::default()),
            Err(error) => return Err(error.into()),
        };
        Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(%error, "the notes of the artifact store's collection cannot be read; they are begun anew");
            Notes::default()
        }))
    }

    async fn note(&self, notes: &Notes) -> Result<(), StoreError> {
        let text = serde_json::to_vec(notes).map_err(|e| StoreError::Config(e.to_string()))?;
        self.objects().put(&Path::from(NOTES), text.into()).await?;
        Ok(())
    }

    /// Removes a blob unless it was uploaded after `last`. S3 has no such condition, so there a look comes just before.
    async fn remove(&self, key: &BlobKey, last: Timestamp) -> Result<bool, StoreError> {
        match &*self.backend {
            Backend::Volume(volume) => {
                let (volume, key) = (Arc::clone(volume), *key);
                let removed = tokio::task::spawn_blocking(move || volume.remove(&key, last)).await;
                Ok(removed.map_err(std::io::Error::other)??)
            }
            Backend::S3(s3) => match self.stat(key).await? {
                Some(blob) if blob.modified <= last => {
                    s3.objects.delete(&key.path()).await?;
                    Ok(true)
                }
                Some(_) | None => Ok(false),
            },
        }
    }
}
