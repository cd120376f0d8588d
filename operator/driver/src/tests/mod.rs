mod fake;
mod fates;
mod lease;
mod parking;
mod passes;
mod posting;
mod reading;
mod trust;
mod whole_logs;
mod working;

use crate::{
    DriverMetrics, Question, Settings, Shared, ToStore,
    calls::Calls,
    controller::Controller,
    lease::{Leadership, LeaseSettings},
    trust::Trust,
    whole_logs::WholeLog,
    world::World,
};
use fake::{Fake, FakeCr};
use futures::FutureExt;
use hearth_plan::{
    kind::{Env, OnDelete},
    record::RecordBatch,
};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc, watch};
use tower_test::mock::Handle;

type Server = Handle<Request<Body>, Response<Body>>;

/// A controller of the fake kind in front of a server that the test plays.
struct Bench {
    controller: Arc<Controller<Fake>>,
    shared: Arc<Shared>,
    rows: mpsc::Receiver<RecordBatch>,
    logs: mpsc::Receiver<WholeLog>,
    questions: mpsc::Receiver<Question>,
    store_up: watch::Sender<bool>,
    server: Api,
}

/// The server's side: what is asked, in order, and what it answers.
struct Api(Server);

struct Asked {
    method: Method,
    path: String,
    body: Value,
    answer: tower_test::mock::SendResponse<Response<Body>>,
}

impl Api {
    async fn next(&mut self) -> Asked {
        let (request, answer) = tokio::time::timeout(Duration::from_secs(5), self.0.next_request())
            .await
            .expect("a request within 5 s")
            .expect("an open client");
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Asked { method: parts.method, path: parts.uri.to_string().trim_end_matches('?').to_owned(), body, answer }
    }

    /// Takes the next request, which must be that one.
    async fn expect(&mut self, method: Method, path: &str) -> Asked {
        let asked = self.next().await;
        assert_eq!((&asked.method, asked.path.as_str()), (&method, path), "body {}", asked.body);
        asked
    }

    /// Nothing is asked beyond what was expected.
    fn is_quiet(&mut self) {
        if let Some(Some((request, _))) = self.0.next_request().now_or_never() {
            panic!("unexpected {} {}", request.method(), request.uri());
        }
    }
}

impl Asked {
    fn answer(self, code: u16, body: &Value) -> Value {
        self.answer.send_response(
            Response::builder().status(code).body(Body::from(serde_json::to_vec(body).unwrap())).unwrap(),
        );
        self.body
    }

    fn refuse(self, code: u16, reason: &str, message: &str) -> Value {
        self.answer(code, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}))
    }
}

fn bench() -> Bench {
    bench_with(8, true)
}

fn bench_with(channel: usize, fresh: bool) -> Bench {
    let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let (whole_logs, logs) = mpsc::channel(1);
    let settings = Settings {
        request_timeout: Duration::from_secs(2),
        lease_duration: Duration::from_secs(15),
        run_as: None,
        on_delete: OnDelete::Hold,
        offer: Arc::default(),
        store_name: "the store".into(),
        concurrency: 4,
        posts: 4,
        scope: crate::scope::Scope::default(),
        whole_logs,
    };
    let lease = LeaseSettings {
        namespace: "system".into(),
        name: "l".into(),
        identity: "me".into(),
        duration: settings.lease_duration,
        request_timeout: settings.request_timeout,
    };
    let leadership = Leadership::new(&lease);
    if fresh {
        leadership.renewed(crate::clock::since_boot());
    }
    let (records, rows) = mpsc::channel(channel);
    let (work, questions) = mpsc::channel(channel);
    let (store_up, up) = watch::channel(true);
    let shared = Arc::new(Shared {
        calls: Calls::new(Client::new(service, "default"), settings.request_timeout),
        world: World::new(env()),
        settings,
        leadership: Arc::new(leadership),
        to_store: ToStore { records, up, work },
        metrics: DriverMetrics::default(),
        trust: Trust::new(watch::channel(Some("a certificate".to_owned())).1, Some("the store's".to_owned())),
        log_slots: Semaphore::new(2),
        sweep_slots: Semaphore::new(2),
    });
    Bench {
        controller: Arc::new(Controller::new(Arc::clone(&shared))),
        shared,
        rows,
        logs,
        questions,
        store_up,
        server: Api(handle),
    }
}

fn env() -> Env {
    Env {
        cluster_id: "cluster".into(),
        namespace_uids: BTreeMap::new(),
        run_as: None,
        fence_age: Duration::from_secs(17),
        store_name: "the store".into(),
        on_delete: OnDelete::Hold,
        offer: Arc::default(),
    }
}

const OBJECT: &str = "/apis/hearth.dev/v1alpha1/namespaces/ns/fakes/a";
const STATUS: &str = "/apis/hearth.dev/v1alpha1/namespaces/ns/fakes/a/status";
const PODS: &str = "/api/v1/namespaces/ns/pods";

/// The object as the server holds it.
fn object(version: u32, finalizers: &[&str], spec: &Value, status: Option<Value>) -> Value {
    let mut o = json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Fake",
        "metadata": {"name": "a", "namespace": "ns", "uid": "uid-a", "resourceVersion": version.to_string(), "generation": 1},
        "spec": spec,
    });
    if !finalizers.is_empty() {
        o["metadata"]["finalizers"] = json!(finalizers);
    }
    if let Some(status) = status {
        o["status"] = status;
    }
    o
}

fn cr(o: &Value) -> Arc<FakeCr> {
    Arc::new(serde_json::from_value(o.clone()).unwrap())
}

fn running(attempt: u32, seq: i64) -> Value {
    json!({"run": {"id": "run-1", "seq": seq, "attempt": attempt}})
}

/// A pod as the server holds it.
fn pod(name: &str, owner: Option<&str>, version: u32, gated: bool) -> Value {
    let owners = owner.map(|uid| json!([{"apiVersion": "hearth.dev/v1alpha1", "kind": "Fake", "name": "a", "uid": uid, "controller": true}]));
    json!({
        "metadata": {"name": name, "namespace": "ns", "uid": format!("{name}-uid"), "resourceVersion": version.to_string(), "ownerReferences": owners.unwrap_or(Value::Null), "labels": {"hearth.dev/run-id": "run-1", "app.kubernetes.io/managed-by": "hearth"}},
        "spec": {"schedulingGates": if gated { json!([{"name": "hearth.dev/fenced"}]) } else { json!([]) }},
        "status": {"phase": "Pending"},
    })
}
