//! versitygw on loopback: built once into the cache, as the lab's Go programs are.

use hearth_artifacts::{Artifacts, BlobKey, S3Config, Signed};
use hearth_contract::digest::Digest;
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

const PACKAGE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";
const BUCKET: &str = "hearth";
pub const NAMESPACE: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";
pub const MINUTE: Duration = Duration::from_secs(60);

/// A server that ends, and whose data goes, with this value.
pub struct Gateway {
    process: Child,
    folder: PathBuf,
    pub addr: SocketAddr,
    pub client: reqwest::Client,
}

fn program() -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let cache =
        std::env::var("XDG_CACHE_HOME").unwrap_or_else(|_| format!("{}/.cache", std::env::var("HOME").unwrap()));
    let folder = PathBuf::from(cache).join("hearth/tools").join(format!("versitygw-{VERSION}"));
    let _building = BUILDING.lock().unwrap();
    if !folder.join("versitygw").exists() {
        eprintln!("building versitygw {VERSION} into {} (once)", folder.display());
        let built = Command::new("go")
            .current_dir("/")
            .args(["install", "-trimpath", &format!("{PACKAGE}@{VERSION}")])
            .env("GOBIN", &folder)
            .env("CGO_ENABLED", "0")
            .status();
        assert!(built.expect("Go builds the S3 server of these tests: install Go 1.26 or later").success());
    }
    folder.join("versitygw")
}

impl Gateway {
    pub fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hearth-s3-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(folder.join("data").join(BUCKET)).unwrap();
        fs::create_dir_all(folder.join("meta")).unwrap();
        let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(program())
            .args(["--quiet", "--access", "someone", "--secret", "something", "--port", &addr.to_string(), "posix"])
            .arg("--sidecar")
            .arg(folder.join("meta"))
            .arg(folder.join("data"))
            .current_dir(&folder)
            .env("HOME", &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut gateway = Self { process, folder, addr, client: reqwest::Client::new() };
        let begun = Instant::now();
        while TcpStream::connect(addr).is_err() {
            assert!(gateway.process.try_wait().unwrap().is_none(), "the server ended");
            assert!(begun.elapsed() < Duration::from_secs(30), "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        gateway
    }

    /// The store, reached by that address.
    pub fn store(&self, addr: SocketAddr, patience: Duration) -> Artifacts {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Artifacts::s3(&S3Config {
            bucket: BUCKET.to_owned(),
            endpoint: Some(format!("http://{addr}")),
            prefix: Some("artifacts/v1".to_owned()),
            allow_http: true,
            environment: vec![
                variable("AWS_ACCESS_KEY_ID", "someone"),
                variable("AWS_SECRET_ACCESS_KEY", "something"),
                variable("AWS_PAGER", "less"),
            ],
            patience,
            ..S3Config::default()
        })
        .unwrap()
    }

    /// Where the server keeps a blob of that store.
    pub fn file(&self, key: &BlobKey) -> PathBuf {
        self.folder.join("data").join(BUCKET).join("artifacts/v1").join(key.to_string())
    }

    pub async fn send(&self, leave: &Signed, bytes: Vec<u8>) -> reqwest::Result<u16> {
        let mut request = self.client.put(&leave.url).body(bytes);
        for (name, value) in &leave.headers {
            request = request.header(name, value);
        }
        Ok(request.send().await?.status().as_u16())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

pub fn key(bytes: &[u8]) -> BlobKey {
    BlobKey::new(NAMESPACE, Digest::of(bytes)).unwrap()
}
