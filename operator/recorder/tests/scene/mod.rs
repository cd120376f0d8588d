//! A Recorder and an artifact volume on loopback with TLS, and an API server that knows one attempt. The tests of
//! hearth-step use it too.

#![allow(dead_code, reason = "each test program uses what it needs")]

use hearth_artifacts::{
    Artifacts,
    volume::{Limits, UrlKeys, Volume, VolumeConfig},
};
use hearth_contract::AUDIENCE;
use hearth_recorder::{Service, asker::Askers, serve, server_config};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};
use tokio::{net::TcpListener, sync::watch};

pub const NAMESPACE_UID: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";
pub const TOKEN: &str = "the-token-of-the-pod";

/// What the API server knows. A test changes it as it likes.
#[derive(Clone)]
pub struct Known {
    pub review: Value,
    pub namespace: Value,
    pub pod: Option<Value>,
    pub owner: Option<Value>,
    pub down: bool,
}

/// The API server, and what it was asked.
#[derive(Clone)]
pub struct FakeCluster {
    pub known: Arc<Mutex<Known>>,
    pub asked: Arc<Mutex<Vec<(String, Value)>>>,
}

/// The answer to a review of a token that is bound to pod `fit-1` of namespace `climate`.
pub fn review() -> Value {
    json!({"authenticated": true, "audiences": [AUDIENCE], "user": {
        "username": "system:serviceaccount:climate:default",
        "extra": {"authentication.kubernetes.io/pod-name": ["fit-1"], "authentication.kubernetes.io/pod-uid": ["pod-uid"]},
    }})
}

/// The pod of attempt 2 of step `fit`.
pub fn pod(spec: &Value) -> Value {
    json!({
        "metadata": {
            "name": "fit-1", "namespace": "climate", "uid": "pod-uid",
            "labels": {"hearth.dev/role": "attempt", "hearth.dev/step": "fit", "hearth.dev/attempt": "2",
                "hearth.dev/owner-uid": "owner-uid"},
            "annotations": {"hearth.dev/spec": spec.to_string()},
            "ownerReferences": [{"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "name": "co2", "uid": "owner-uid",
                "controller": true}],
        },
        "spec": {"containers": []},
        "status": {"phase": "Running"},
    })
}

impl FakeCluster {
    pub fn new(spec: &Value) -> Self {
        let known = Known {
            review: review(),
            namespace: json!({"metadata": {"name": "climate", "uid": NAMESPACE_UID}}),
            pod: Some(pod(spec)),
            owner: Some(json!({"metadata": {"name": "co2", "uid": "owner-uid"}})),
            down: false,
        };
        Self { known: Arc::new(Mutex::new(known)), asked: Arc::default() }
    }

    pub fn count(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(p, _)| p.ends_with(path)).count()
    }

    fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: axum::http::Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let (status, answer) = cluster.answer(&path, &body);
                cluster.asked.lock().unwrap().push((path, body));
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(axum::http::Response::builder().status(status).body(answer).unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, path: &str, body: &Value) -> (u16, Value) {
        let known = self.known.lock().unwrap().clone();
        let found = |object: Option<Value>, kind: &str, version: &str| match object {
            Some(mut object) => {
                object["kind"] = kind.into();
                object["apiVersion"] = version.into();
                (200, object)
            }
            None => (
                404,
                json!({"kind": "Status", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404}),
            ),
        };
        if known.down {
            return (
                500,
                json!({"kind": "Status", "status": "Failure", "message": "etcd is away", "reason": "InternalError", "code": 500}),
            );
        }
        match path {
            "/apis/authentication.k8s.io/v1/tokenreviews" => {
                let knows = body["spec"]["token"] == TOKEN && body["spec"]["audiences"] == json!([AUDIENCE]);
                let status = if knows { known.review } else { json!({"authenticated": false}) };
                (
                    201,
                    json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {}, "spec": {}, "status": status}),
                )
            }
            "/api/v1/namespaces/climate" => found(Some(known.namespace), "PartialObjectMetadata", "meta.k8s.io/v1"),
            "/api/v1/namespaces/climate/pods/fit-1" => found(known.pod, "Pod", "v1"),
            "/apis/hearth.dev/v1alpha1/namespaces/climate/workflows/co2" => {
                found(known.owner, "PartialObjectMetadata", "meta.k8s.io/v1")
            }
            other => panic!("an unexpected request: {other}"),
        }
    }
}

/// A folder that goes with this value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("hearth-recorder-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub struct Scene {
    pub cluster: FakeCluster,
    pub artifacts: Artifacts,
    pub folder: Folder,
    pub addr: SocketAddr,
    /// The certificate authority, in PEM.
    pub ca: String,
}

impl Scene {
    /// An attempt with that spec, and a volume.
    pub async fn new(spec: impl FnOnce(&str) -> Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        Self::behind(listener, &endpoint, spec, |folder| volume(folder, &endpoint, 0))
    }

    /// The same where pods reach the listener by that endpoint, with a store of the test's own.
    pub fn behind(
        listener: TcpListener,
        endpoint: &str,
        spec: impl FnOnce(&str) -> Value,
        store: impl FnOnce(&Path) -> Artifacts,
    ) -> Self {
        // It fails when another test was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let addr = listener.local_addr().unwrap();
        let cluster = FakeCluster::new(&spec(endpoint));
        let folder = Folder::new();
        let artifacts = store(&folder.0);
        let leaf = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(leaf.signing_key.serialize_der());
        let (_keep, tls) = watch::channel(server_config(vec![leaf.cert.der().clone()], key.into()).unwrap());
        let service = Service::new(Askers::new(cluster.client()), artifacts.clone());
        let served = artifacts.clone();
        tokio::spawn(async move { serve(listener, tls, service, &served, std::future::pending()).await });
        Self { cluster, artifacts, folder, addr, ca: leaf.cert.pem() }
    }
}

/// A store on a volume. Uploads leave `keep_free` bytes.
pub fn volume(folder: &Path, endpoint: &str, keep_free: u64) -> Artifacts {
    let config = VolumeConfig {
        folder: folder.to_owned(),
        endpoint: endpoint.to_owned(),
        keys: UrlKeys::derive(b"test", None),
        keep_free,
        limits: Limits::default(),
    };
    Artifacts::volume(Volume::open(config).unwrap())
}
