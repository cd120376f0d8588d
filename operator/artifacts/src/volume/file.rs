//! The files of the volume: `blobs/<namespace uid>/<sha256>`, and `uploads/` for what is not whole yet.

use super::{
    Limits, VolumeConfig,
    router::PREFIX,
    url::{Grant, UrlKeys},
};
use crate::{
    key::BlobKey,
    store::{Signed, StoreError, timestamp},
};
use jiff::Timestamp;
use object_store::{ObjectStore, local::LocalFileSystem};
use rustix::{
    fs::{FallocateFlags, fallocate, fstatvfs},
    io::Errno,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// A volume with blobs.
pub struct Volume {
    blobs: PathBuf,
    uploads: PathBuf,
    objects: LocalFileSystem,
    endpoint: String,
    keep_free: u64,
    pub(super) keys: UrlKeys,
    pub(super) limits: Limits,
    pub(super) upload_slots: Semaphore,
    pub(super) download_slots: std::sync::Arc<Semaphore>,
    /// Held while a blob gets or loses its name, so that none is removed while it is uploaded again.
    naming: Mutex<()>,
}

/// A file in `uploads/`. It goes with this value, unless it got its name.
pub(super) struct Upload {
    path: PathBuf,
}

impl Drop for Upload {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "the rest of an upload was not removed; a restart removes it"),
        }
    }
}

impl Volume {
    /// Opens the folder, makes what is missing, and removes what an earlier process did not finish.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(config: VolumeConfig) -> Result<Self, StoreError> {
        let (blobs, uploads) = (config.folder.join("blobs"), config.folder.join("uploads"));
        for folder in [&config.folder, &blobs, &uploads] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        for left in fs::read_dir(&uploads)? {
            fs::remove_file(left?.path())?;
        }
        let objects = LocalFileSystem::new_with_prefix(&blobs)?.with_fsync(true);
        Ok(Self {
            blobs,
            uploads,
            objects,
            endpoint: config.endpoint.trim_end_matches('/').to_owned(),
            keep_free: config.keep_free,
            keys: config.keys,
            limits: config.limits,
            upload_slots: Semaphore::new(config.limits.uploads),
            download_slots: std::sync::Arc::new(Semaphore::new(config.limits.downloads)),
            naming: Mutex::new(()),
        })
    }

    pub(crate) fn objects(&self) -> &dyn ObjectStore {
        &self.objects
    }

    pub(crate) fn presign(
        &self,
        method: &'static str,
        key: &BlobKey,
        size: Option<u64>,
        headers: Vec<(String, String)>,
        expires: Timestamp,
    ) -> Signed {
        let url = self.keys.sign(method, Grant { key: *key, size }, expires);
        Signed { method, url: format!("{}{PREFIX}/{url}", self.endpoint), headers, expires }
    }

    /// Where a blob lies.
    pub(super) fn path(&self, key: &BlobKey) -> PathBuf {
        self.blobs.join(key.namespace().as_hyphenated().to_string()).join(key.digest().hex())
    }

    /// A new file with room for `size` bytes. The room is taken at once, so that uploads at the same time do not count on
    /// the same free bytes.
    pub(super) fn begin(&self, size: u64) -> io::Result<(Upload, File)> {
        let upload = Upload { path: self.uploads.join(Uuid::new_v4().as_hyphenated().to_string()) };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&upload.path)?;
        if size > 0 {
            match fallocate(&file, FallocateFlags::empty(), 0, size) {
                // Not every file system can: then the writes find out.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let space = fstatvfs(&file)?;
        if space.f_bavail.saturating_mul(space.f_frsize) < self.keep_free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok((upload, file))
    }

    /// Gives a whole and verified file its name. It is there after a crash.
    pub(super) fn finish(&self, upload: &Upload, file: &File, key: &BlobKey) -> io::Result<()> {
        file.sync_all()?;
        let target = self.path(key);
        let folder = target.parent().unwrap_or(&self.blobs);
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        let new = !folder.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        fs::rename(&upload.path, &target)?;
        sync(folder)?;
        if new { sync(&self.blobs) } else { Ok(()) }
    }

    /// Removes a blob unless it was uploaded after `last`. Says whether it did.
    pub(crate) fn remove(&self, key: &BlobKey, last: Timestamp) -> io::Result<bool> {
        let path = self.path(key);
        let _naming = self.naming.lock().unwrap_or_else(PoisonError::into_inner);
        match fs::metadata(&path).and_then(|m| m.modified()) {
            Ok(modified) if timestamp(modified) > last => return Ok(false),
            Ok(_) => fs::remove_file(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        if let Some(folder) = path.parent() {
            // It stays while it holds other blobs.
            let _not_empty = fs::remove_dir(folder);
        }
        Ok(true)
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
