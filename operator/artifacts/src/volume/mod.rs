//! Blobs on a volume of the operator's own, and how pods reach them.

mod download;
mod file;
mod problem;
mod router;
mod upload;
mod url;

pub use file::Volume;
pub use router::{PREFIX, router};
pub use url::UrlKeys;

use std::{path::PathBuf, time::Duration};

/// A volume and how it is served.
#[derive(Clone, Debug)]
pub struct VolumeConfig {
    /// A folder that nobody else uses.
    pub folder: PathBuf,
    /// What pods reach the server by: `https://HOST:PORT`.
    pub endpoint: String,
    /// What URLs are signed with.
    pub keys: UrlKeys,
    /// Bytes that uploads leave free, for whatever else lies on the volume.
    pub keep_free: u64,
    /// How much is done at a time.
    pub limits: Limits,
}

/// How much is done at a time, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Uploads at a time.
    pub uploads: usize,
    /// Downloads at a time.
    pub downloads: usize,
    /// The longest pause of a client.
    pub idle: Duration,
    /// The slowest client that an upload waits for, in bytes per second, beside a minute for all.
    pub slowest: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { uploads: 16, downloads: 64, idle: Duration::from_secs(30), slowest: 256 * 1024 }
    }
}
