//! What stands in for the API server and the store in tests: a client over a function, and rows in memory.

mod cluster;
mod store;

pub use cluster::{FakeCluster, Rule};
pub use store::{FakeStore, run};

use crate::{
    cursor::CursorKey,
    health::Health,
    metrics::ApiMetrics,
    router::{Api, router},
    source::Source,
};
use axum::{Extension, Router};
use hearth_artifacts::{
    Artifacts,
    volume::{Limits, UrlKeys, Volume, VolumeConfig},
};
use hearth_contract::digest::Digest;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use tokio::sync::watch;

/// UID of the namespace climate.
pub const UID: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";

/// The run that is under way.
pub const RUN: &str = "00000000-0000-0000-0000-000000000001";

/// The whole router over these two.
pub fn app(cluster: &FakeCluster, store: &FakeStore, cluster_tokens: bool) -> Router {
    let folder = TempDir::new().unwrap();
    let api = Api::new(
        cluster.client(),
        Source::Fake(store.clone()),
        cluster_tokens,
        CursorKey::derive(b"test"),
        Health::new(),
        ApiMetrics::default(),
        watch::channel(Some(artifacts(folder.path()))).1,
    );
    // The folder goes with the router.
    router(api).layer(Extension(Arc::new(folder)))
}

/// The whole log of a step of run 1.
pub const WHOLE: &[u8] = b"begin\nboom\n\xff";

/// A volume that holds the artifact of run 1, the byte `x`, and a whole log.
fn artifacts(folder: &Path) -> Artifacts {
    let blobs = folder.join("blobs").join(UID);
    std::fs::create_dir_all(&blobs).unwrap();
    for blob in [b"x".as_slice(), WHOLE] {
        std::fs::write(blobs.join(Digest::of(blob).hex()), blob).unwrap();
    }
    let config = VolumeConfig {
        folder: folder.to_owned(),
        endpoint: "https://localhost".to_owned(),
        keys: UrlKeys::derive(b"test", None),
        keep_free: 0,
        limits: Limits::default(),
    };
    Artifacts::volume(Volume::open(config).unwrap())
}
