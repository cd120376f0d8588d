//! A server that takes posts or does not, and a store with runs in it.

use crate::{
    deliver::Endpoint,
    exporter::{Exporter, Pace},
    metrics::ExportMetrics,
    target::Targets,
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hearth_crds::time::Time;
use hearth_history::{HistoryMetrics, ObjectKey, RecordBatch, Retention, Store};
use hearth_plan::record::{LineageRow, Record, Relation, RunRow, StepRow};
use prometheus_client::{encoding::text::encode, registry::Registry};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use uuid::Uuid;

/// The longest that any condition is waited for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A post that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Post {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Judge = Box<dyn Fn(&Post) -> u16 + Send>;

/// Takes all posts, unless told otherwise.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    posts: Arc<Mutex<VecDeque<(Post, u16)>>>,
    judge: Arc<Mutex<Judge>>,
}

impl Server {
    pub async fn start() -> Self {
        // Another test may have done it.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/told", listener.local_addr().unwrap());
        let server = Self { url, posts: Arc::default(), judge: Arc::new(Mutex::new(Box::new(|_| 200))) };
        let router = Router::new().fallback(take).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    /// How posts are answered from now on.
    pub fn answer(&self, judge: impl Fn(&Post) -> u16 + Send + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// All posts so far, with the answers to them.
    pub fn posts(&self) -> Vec<(Post, u16)> {
        self.posts.lock().unwrap().iter().cloned().collect()
    }

    /// Waits until so many posts were taken, and gives them.
    pub async fn taken(&self, count: usize) -> Vec<Post> {
        let taken = || self.posts().into_iter().filter(|(_, a)| *a == 200).map(|(p, _)| p).collect::<Vec<_>>();
        until(|| taken().len() >= count).await;
        taken()
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(&self.url, &[("Authorization".into(), "Bearer s3cret".into())], None).unwrap()
    }
}

async fn take(State(server): State<Server>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let post = Post { path: uri.path().to_owned(), headers, body: body.to_vec() };
    let answer = (*server.judge.lock().unwrap())(&post);
    server.posts.lock().unwrap().push_back((post, answer));
    let status = StatusCode::from_u16(answer).unwrap();
    let elsewhere = [(header::LOCATION, "/elsewhere")];
    if status.is_success() { status.into_response() } else { (status, elsewhere, "no, thanks").into_response() }
}

/// Waits for something, and not for long.
pub async fn until(mut is_so: impl FnMut() -> bool) {
    let polled = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, polled).await.expect("it does not come about");
}

/// A record, and who writes it.
pub struct Scene {
    pub store: Store,
    batches: mpsc::Sender<RecordBatch>,
    acks: mpsc::Receiver<hearth_history::Ack>,
    registry: Registry,
    metrics: ExportMetrics,
    _folder: TempDir,
}

impl Scene {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = hearth_history::open(&folder.path().join("history.db"));
        store.migrate().await.unwrap();
        let (batches, queue) = mpsc::channel(64);
        let (acked, acks) = mpsc::channel(64);
        let mut registry = Registry::default();
        let history = HistoryMetrics::register(&mut registry);
        let metrics = ExportMetrics::register(&mut registry);
        store.spawn_writer(queue, acked, watch::channel(true).0, history, Retention::default());
        Self { store, batches, acks, registry, metrics, _folder: folder }
    }

    /// Tells these targets from now on, until the handle is aborted.
    pub async fn export(&self, targets: Targets) -> JoinHandle<()> {
        let noted: Vec<_> = targets.clone().all().iter().map(super::target::Target::noted).collect();
        self.store.set_export_targets(&noted).await.unwrap();
        let ms = Duration::from_millis;
        let pace = Pace { idle: ms(5), backoff_min: ms(5), backoff_max: ms(20) };
        tokio::spawn(Exporter::new(self.store.clone(), targets, self.metrics.clone()).paced(pace).run())
    }

    /// Stores records of one run.
    pub async fn keep(&mut self, run: RunRow, others: Vec<Record>) {
        let (object, run_id, seq) = (run.object.clone(), run.id.clone(), run.seq);
        let records = std::iter::once(Record::Run(Box::new(run))).chain(others).collect();
        self.batches.send(RecordBatch { object, run_id, seq, last: true, records }).await.unwrap();
        self.acks.recv().await.unwrap();
    }

    /// A value of the metrics.
    pub fn metric(&self, series: &str) -> u64 {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        let line = text.lines().find_map(|l| l.strip_prefix(series)).unwrap_or_else(|| panic!("{series}: {text}"));
        line.trim().parse().unwrap()
    }
}

/// 2026-11-21T08:00:00Z and so many milliseconds.
pub fn time(ms: i64) -> Time {
    Time::from_millis(1_795_248_000_000 + ms)
}

pub fn run(id: Uuid, name: &str, seq: i64, phase: &str) -> RunRow {
    let over = !matches!(phase, "Pending" | "Running");
    let object =
        ObjectKey { kind: "Workflow".into(), namespace: "climate".into(), name: name.into(), uid: format!("u-{name}") };
    serde_json::from_value(json!({
        "id": id, "cluster": "c-1", "object": object, "namespace_uid": "ns-1", "number": 7, "seq": seq, "phase": phase,
        "terminal": over, "trigger": "Created", "revision": "r", "digest": "d", "spec": {}, "params": {}, "results": {},
        "labels": {}, "owner": "ada", "started_at": time(0), "finished_at": over.then(|| time(9000)),
    }))
    .unwrap()
}

pub fn step(id: Uuid, name: &str, attempt: i32, phase: &str) -> Record {
    let row: StepRow = serde_json::from_value(json!({
        "run_id": id, "run_started_at": time(0), "step": name, "item": 0, "attempt": attempt, "seq": 1, "phase": phase,
        "terminal": true, "outputs": {}, "artifacts": {}, "pod": format!("{name}-{attempt}"), "node": "n1",
        "image": "example.org/fit", "message": (phase == "Failed").then_some("it broke"),
        "exit_code": i32::from(phase == "Failed"),
        "started_at": (attempt > 0).then(|| time(1000 * i64::from(attempt))),
        "finished_at": time(1000 * i64::from(attempt) + 500),
    }))
    .unwrap();
    Record::Step(Box::new(row))
}

pub fn lineage(id: Uuid, relation: Relation, other: &str, step: &str, name: &str) -> Record {
    let (from, to) = match relation {
        Relation::Wrote => (id.to_string(), other.to_owned()),
        _ => (other.to_owned(), id.to_string()),
    };
    let (step, name) = (step.to_owned(), name.to_owned());
    Record::Lineage(LineageRow { run_id: id.to_string(), seq: 1, relation, from, to, step, attempt: 1, name })
}
