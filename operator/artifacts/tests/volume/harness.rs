//! A volume in a temporary folder, served on loopback.

use hearth_artifacts::{
    Artifacts, BlobKey, Signed,
    volume::{Limits, UrlKeys, Volume, VolumeConfig, router},
};
use hearth_contract::digest::Digest;
use reqwest::Response;
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

pub const NAMESPACE: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";
pub const MINUTE: Duration = Duration::from_secs(60);

/// A folder that goes with this value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hearth-volume-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Scene {
    pub folder: Folder,
    pub artifacts: Artifacts,
    pub addr: SocketAddr,
    pub client: reqwest::Client,
}

pub fn config(folder: &Path, endpoint: String) -> VolumeConfig {
    VolumeConfig {
        folder: folder.to_owned(),
        endpoint,
        keys: UrlKeys::derive(b"test", None),
        keep_free: 0,
        limits: Limits::default(),
    }
}

pub fn client() -> reqwest::Client {
    // It fails when another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut VolumeConfig)) -> Self {
        let folder = Folder::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut config = config(folder.path(), format!("http://{addr}"));
        change(&mut config);
        let artifacts = Artifacts::volume(Volume::open(config).unwrap());
        let router = router(&artifacts).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { folder, artifacts, addr, client: client() }
    }

    pub async fn leave_to_put(&self, bytes: &[u8]) -> Signed {
        self.artifacts.presign_put(&key(bytes), bytes.len() as u64, MINUTE).await.unwrap()
    }

    pub async fn put(&self, bytes: &[u8]) -> Response {
        send(&self.client, &self.leave_to_put(bytes).await, bytes).await
    }

    pub async fn get(&self, bytes: &[u8], range: Option<&str>) -> Response {
        let leave = self.artifacts.presign_get(&key(bytes), MINUTE).await.unwrap();
        let request = self.client.get(leave.url);
        let request = match range {
            Some(range) => request.header("range", range),
            None => request,
        };
        request.send().await.unwrap()
    }

    pub fn file(&self, bytes: &[u8]) -> PathBuf {
        self.folder.path().join("blobs").join(key(bytes).to_string())
    }

    pub fn uploads(&self) -> usize {
        fs::read_dir(self.folder.path().join("uploads")).unwrap().count()
    }
}

pub fn key(bytes: &[u8]) -> BlobKey {
    BlobKey::new(NAMESPACE, Digest::of(bytes)).unwrap()
}

/// Bytes that look like nothing, the same in each run.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

pub async fn send(client: &reqwest::Client, leave: &Signed, bytes: &[u8]) -> Response {
    let mut request = client.put(&leave.url).body(bytes.to_vec());
    for (name, value) in &leave.headers {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

/// The type and the detail of a problem document.
pub async fn problem(response: Response) -> (u16, String, String) {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let status = response.status().as_u16();
    let document: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(document["status"], status);
    (status, document["type"].as_str().unwrap().to_owned(), document["detail"].as_str().unwrap().to_owned())
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
