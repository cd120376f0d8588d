//! What stands in for the API server and the store in tests: a client over a function, and rows in memory.

use crate::{
    cursor::CursorKey,
    health::Health,
    metrics::ApiMetrics,
    router::{Api, router},
    source::Source,
};
use axum::{Router, http::Method};
use hearth_artifacts::{
    Artifacts,
    volume::{Limits, UrlKeys, Volume, VolumeConfig},
};
use hearth_contract::digest::Digest;
use hearth_crds::{artifacts::StoredArtifact, time::Time};
use hearth_history::{
    AuditCursor, AuditEntry, AuditFilter, AuditLink, Error, Event, EventKey, Lineage, LineageEdge, LineageQuery,
    LineageRoot, Log, Page, Report, ReportEnd, Reported, Run, RunCursor, RunFilter, RunSummary, Step, StepKey, Usage,
    UsageFilter, WholeLog,
};
use hearth_wire::{AuditAnchor, AuditRecord, NO_HASH};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// UID of the namespace climate.
pub const UID: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";

/// A rule: user, verb, resource, namespace (`*` is all).
pub type Rule = (&'static str, &'static str, &'static str, &'static str);

/// What the API server knows, and what it was asked.
#[derive(Clone, Default)]
pub struct FakeCluster {
    pub rules: Arc<Mutex<Vec<Rule>>>,
    pub namespaces: Arc<Mutex<BTreeMap<&'static str, &'static str>>>,
    pub asked: Arc<Mutex<Vec<(String, Value)>>>,
    pub down: Arc<Mutex<bool>>,
    /// Secrets and ConfigMaps by path.
    pub objects: Arc<Mutex<BTreeMap<String, Value>>>,
    /// The Workflow climate/co2, if it is there.
    pub workflow: Arc<Mutex<Option<Value>>>,
    /// Workflows that were made beside it, by name.
    pub made: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl FakeCluster {
    pub fn with(rules: &[Rule]) -> Self {
        let cluster = Self::default();
        cluster.rules.lock().unwrap().extend_from_slice(rules);
        cluster.namespaces.lock().unwrap().insert("climate", UID);
        *cluster.workflow.lock().unwrap() = Some(workflow());
        cluster
    }

    pub fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: axum::http::Request<Body>| {
            let cluster = cluster.clone();
            async move {
                let (method, path) = (request.method().clone(), request.uri().path().to_owned());
                let body =
                    request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
                let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let (status, answer) = cluster.answer(&method, &path, &body);
                cluster.asked.lock().unwrap().push((path, body));
                let response = axum::http::Response::builder()
                    .status(status)
                    .body(Body::from(serde_json::to_vec(&answer).unwrap()));
                Ok::<_, Infallible>(response.unwrap())
            }
        });
        Client::new(service, "default")
    }

    fn answer(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        if *self.down.lock().unwrap() {
            return (
                500,
                json!({"kind": "Status", "status": "Failure", "message": "etcd is away", "reason": "InternalError", "code": 500}),
            );
        }
        if path.ends_with("/tokenreviews") {
            return (201, token_review(body));
        }
        if path.ends_with("/subjectaccessreviews") {
            return (201, self.access_review(body));
        }
        if path.contains("/secrets") || path.contains("/configmaps") {
            return self.object(method, path, body);
        }
        if path == "/apis/hearth.dev/v1alpha1/namespaces/climate/workflows" {
            return self.make(body);
        }
        if let Some(rest) = path.strip_prefix("/apis/hearth.dev/v1alpha1/namespaces/climate/workflows/") {
            return self.workflow(method, rest, body);
        }
        if let Some(name) = path.strip_prefix("/api/v1/namespaces/") {
            return match self.namespaces.lock().unwrap().get(name) {
                Some(uid) => (
                    200,
                    json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": {"name": name, "uid": uid}}),
                ),
                None => (
                    404,
                    json!({"kind": "Status", "status": "Failure", "message": "no such namespace", "reason": "NotFound", "code": 404}),
                ),
            };
        }
        panic!("an unexpected request: {path}")
    }

    /// POST of a Workflow.
    fn make(&self, body: &Value) -> (u16, Value) {
        let (mut made, mut object) = (self.made.lock().unwrap(), body.clone());
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if made.contains_key(&name) {
            return (
                409,
                json!({"kind": "Status", "status": "Failure", "message": "there", "reason": "AlreadyExists", "code": 409}),
            );
        }
        object["metadata"]["uid"] = format!("uid-{}", made.len()).into();
        made.insert(name, object.clone());
        (201, object)
    }

    /// GET, and server-side apply of one request.
    fn workflow(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        if let Some(object) = self.made.lock().unwrap().get(path) {
            return (200, object.clone());
        }
        let mut workflow = self.workflow.lock().unwrap();
        let Some(object) = workflow.as_mut().filter(|_| path.split('/').next() == Some("co2")) else {
            return (
                404,
                json!({"kind": "Status", "status": "Failure", "message": "none", "reason": "NotFound", "code": 404}),
            );
        };
        match (method.as_str(), path) {
            ("GET", "co2") => {}
            ("PATCH", "co2/status") => {
                let entry = body["status"]["requests"][0].clone();
                assert_eq!(body["status"].as_object().unwrap().len(), 1, "it applies nothing else");
                object["status"]["requests"].as_array_mut().unwrap().push(entry);
            }
            other => panic!("an unexpected request: {other:?}"),
        }
        (200, object.clone())
    }

    /// POST, GET and PATCH of whole objects.
    fn object(&self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        let status = |code: u16, reason: &str| {
            (code, json!({"kind": "Status", "status": "Failure", "message": reason, "reason": reason, "code": code}))
        };
        let mut objects = self.objects.lock().unwrap();
        let path = if method == Method::POST {
            format!("{path}/{}", body["metadata"]["name"].as_str().unwrap())
        } else {
            path.to_owned()
        };
        match (method.as_str(), objects.get(&path)) {
            ("POST", Some(_)) => status(409, "AlreadyExists"),
            ("GET", Some(found)) => (200, found.clone()),
            ("GET" | "PATCH", None) => status(404, "NotFound"),
            ("POST" | "PATCH", _) => {
                objects.insert(path, body.clone());
                (200, body.clone())
            }
            (other, _) => panic!("an unexpected {other}"),
        }
    }

    fn access_review(&self, body: &Value) -> Value {
        let user = body["spec"]["user"].as_str().unwrap();
        let asked = &body["spec"]["resourceAttributes"];
        let resource = match asked["subresource"].as_str() {
            Some(sub) => format!("{}/{sub}", asked["resource"].as_str().unwrap()),
            None => asked["resource"].as_str().unwrap().to_owned(),
        };
        let rules = self.rules.lock().unwrap();
        let allowed = rules.iter().any(|(u, v, r, n)| {
            *u == user && *v == asked["verb"] && *r == resource && (*n == "*" || asked["namespace"] == *n)
        });
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": body["spec"], "status": {"allowed": allowed}})
    }
}

/// Its run 1 waits for the approval of a step.
fn workflow() -> Value {
    json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "co2", "namespace": "climate", "uid": "uid-co2"},
        "spec": {"params": [{"name": "window", "type": "integer", "default": 12, "maximum": 120}], "steps": [{"name": "gate", "approval": {"message": "?"}}]},
        "status": {"requests": [], "run": {"id": RUN, "number": 1, "seq": 2, "revision": "r", "digest": "1:0", "generation": 1,
            "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z"}},
    })
}

/// The run that is under way.
pub const RUN: &str = "00000000-0000-0000-0000-000000000001";

/// Tokens are `token-USER`; all others are nobody's.
fn token_review(body: &Value) -> Value {
    let status = match body["spec"]["token"].as_str().and_then(|t| t.strip_prefix("token-")) {
        Some(user) => {
            json!({"authenticated": true, "user": {"username": user, "groups": ["system:authenticated"]}, "audiences": body["spec"]["audiences"]})
        }
        None => json!({"authenticated": false, "error": "unknown"}),
    };
    json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "metadata": {}, "spec": {}, "status": status})
}

/// Rows in memory, or a store that is away.
#[derive(Clone, Default)]
pub struct FakeStore {
    pub runs: Arc<Mutex<Vec<Run>>>,
    pub away: Arc<Mutex<bool>>,
    events: Arc<Mutex<Vec<Event>>>,
    /// Every read, so that a test sees what was read for whom.
    pub reads: Arc<Mutex<Vec<String>>>,
    /// The audit trail.
    pub trail: Arc<Mutex<Vec<AuditRecord>>>,
    /// What was done, in order: records of the trail and deletions.
    pub deeds: Arc<Mutex<Vec<&'static str>>>,
}

impl FakeStore {
    fn read(&self, what: String) -> Result<(), Error> {
        self.reads.lock().unwrap().push(what);
        if *self.away.lock().unwrap() {
            return Err(Error::Timeout {
                store: "db.example:5432/hearth".to_owned(),
                operation: "test",
                limit: Duration::from_secs(5),
            });
        }
        Ok(())
    }

    pub fn list_runs(
        &self,
        filter: &RunFilter,
        after: Option<RunCursor>,
        limit: u32,
    ) -> Result<Page<RunSummary, RunCursor>, Error> {
        self.read("list".to_owned())?;
        let mut rows: Vec<RunSummary> = self.runs.lock().unwrap().iter().map(|r| r.summary.clone()).collect();
        rows.sort_by_key(|r| std::cmp::Reverse((r.started_at, r.id)));
        rows.retain(|r| filter.namespaces.as_ref().is_none_or(|n| n.contains(&r.namespace)));
        rows.retain(|r| filter.namespace_uids.as_ref().is_none_or(|n| n.contains(&r.namespace_uid)));
        rows.retain(|r| {
            filter.name.as_ref().is_none_or(|n| *n == r.name)
                && (filter.phases.is_empty() || filter.phases.contains(&r.phase))
        });
        rows.retain(|r| after.is_none_or(|a| (r.started_at, r.id) < (a.started_at, a.id)));
        let limit = usize::try_from(limit).unwrap();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(RunSummary::cursor);
        Ok(Page { items: rows, next })
    }

    pub fn get_run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        self.read(format!("run {id}"))?;
        Ok(self.runs.lock().unwrap().iter().find(|r| r.summary.id == id).cloned())
    }

    pub fn list_steps(&self, run: Uuid) -> Result<Page<Step, StepKey>, Error> {
        self.read(format!("steps {run}"))?;
        Ok(Page { items: vec![step()], next: None })
    }

    pub fn list_events(&self, run: Uuid, after: Option<&EventKey>) -> Result<Page<Event, EventKey>, Error> {
        self.read(format!("events {run}"))?;
        let mut items = vec![event("Running", 1)];
        items.extend(self.events.lock().unwrap().iter().cloned());
        items.retain(|e| after.is_none_or(|a| (e.at, e.seq) > (a.at, a.seq)));
        Ok(Page { items, next: None })
    }

    /// A group for each run that the filter leaves.
    pub fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        self.read("usage".to_owned())?;
        let runs = self.runs.lock().unwrap();
        let kept = runs.iter().map(|r| &r.summary).filter(|r| {
            (filter.from..filter.to).contains(&r.started_at)
                && filter.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && filter.namespace_uid.as_ref().is_none_or(|u| *u == r.namespace_uid)
        });
        let of = |r: &RunSummary| Usage {
            namespace: r.namespace.clone(),
            owner: r.id.to_string(),
            runs: 1,
            memory_byte_seconds: 3.0 * f64::from(1 << 30),
            ..Usage::default()
        };
        Ok(kept.map(of).collect())
    }

    /// Every run read the artifact `x` of run 1, as far as the query lets them be seen.
    pub fn lineage(&self, query: &LineageQuery) -> Result<Lineage, Error> {
        self.read(format!("lineage of {:?} in {:?}, {:?}", query.root, query.namespace, query.namespace_uid))?;
        let mut runs: Vec<RunSummary> = self.runs.lock().unwrap().iter().map(|r| r.summary.clone()).collect();
        runs.retain(|r| {
            query.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && query.namespace_uid.as_ref().is_none_or(|u| *u == r.namespace_uid)
        });
        let read = |r: &RunSummary| LineageEdge {
            depth: 1,
            relation: "Read".to_owned(),
            from: Digest::of(b"x").to_string(),
            to: r.id.to_string(),
            run_id: r.id,
            step: "plot".to_owned(),
            attempt: 1,
            name: "model".to_owned(),
            own: false,
        };
        let limit = usize::try_from(query.limit).unwrap();
        let edges: Vec<LineageEdge> = runs.iter().map(read).take(limit).collect();
        let truncated = runs.len() > limit;
        Ok(match query.root {
            LineageRoot::Run(_) => Lineage { upstream: edges, runs, truncated, ..Lineage::default() },
            LineageRoot::Digest(_) => Lineage { downstream: edges, runs, truncated, ..Lineage::default() },
        })
    }

    /// A row per report, by the rules of the store as far as the router shows them.
    pub fn report(&self, report: &Report) -> Result<Reported, Error> {
        self.read("report".to_owned())?;
        self.deeds.lock().unwrap().push("report");
        let mut runs = self.runs.lock().unwrap();
        let known = runs.iter().position(|r| r.summary.reported_id.as_ref() == Some(&report.reported_id));
        if let Some(known) = known.map(|i| &runs[i]) {
            let row = &known.summary;
            if known.digest == report.digest {
                return Ok(Reported::Same(row.id));
            }
            if row.terminal {
                return Ok(Reported::Ended(row.id, row.phase.clone()));
            }
            if report.started_at.is_some_and(|at| at != row.started_at) {
                return Ok(Reported::OtherStart(row.id, row.started_at));
            }
        }
        let number = i64::try_from(runs.len()).unwrap() + 100;
        let mut row = run(number, &report.namespace, &report.namespace_uid);
        row.summary.name.clone_from(&report.name);
        row.summary.reported_id = Some(report.reported_id.clone());
        row.summary.trigger = "Reported".to_owned();
        row.summary.phase.clone_from(&report.phase);
        row.summary.terminal = report.end.is_some();
        row.summary.started_at = report.started_at.unwrap_or(report.at);
        row.summary.finished_at = report.end.map(|end| match end {
            ReportEnd::At(at) => at,
            ReportEnd::After(took) => row.summary.started_at.after(took),
        });
        row.digest.clone_from(&report.digest);
        (row.params, row.results) = (report.inputs.clone(), report.outputs.clone());
        match known {
            Some(known) => {
                row.summary.id = runs[known].summary.id;
                let id = row.summary.id;
                runs[known] = row;
                Ok(Reported::Changed(id))
            }
            None => {
                let id = row.summary.id;
                runs.push(row);
                Ok(Reported::New(id))
            }
        }
    }

    pub fn bury(&self, run: Uuid) -> Result<(), Error> {
        self.read(format!("bury {run}"))?;
        self.deeds.lock().unwrap().push("bury");
        self.runs.lock().unwrap().retain(|r| r.summary.id != run);
        Ok(())
    }

    pub fn record(&self, entry: &AuditEntry) -> Result<(), Error> {
        self.read("record".to_owned())?;
        self.deeds.lock().unwrap().push("record");
        let mut trail = self.trail.lock().unwrap();
        let mut record = AuditRecord {
            writer: Uuid::nil().to_string(),
            number: i64::try_from(trail.len()).unwrap() + 1,
            at: entry.at,
            who: entry.who.clone(),
            verb: entry.verb.clone(),
            resource: entry.resource.clone(),
            namespace: entry.namespace.clone(),
            name: entry.name.clone(),
            run: entry.run.map(|r| r.to_string()),
            from: entry.from.clone(),
            allowed: entry.allowed,
            reason: entry.reason.clone(),
            previous: trail.last().map_or(NO_HASH.to_owned(), |r| r.hash.clone()),
            hash: String::new(),
        };
        record.hash = record.digest();
        trail.push(record);
        Ok(())
    }

    pub fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditCursor>, Error> {
        self.read("audit".to_owned())?;
        let mut items = self.trail.lock().unwrap().clone();
        items.reverse();
        items.retain(|r| {
            filter.namespace.as_ref().is_none_or(|n| *n == r.namespace)
                && filter.who.as_ref().is_none_or(|w| *w == r.who)
                && filter.allowed.is_none_or(|a| a == r.allowed)
                && filter.since.is_none_or(|s| s <= r.at)
                && after.is_none_or(|a| r.number < a.link.number)
        });
        let limit = usize::try_from(limit).unwrap();
        let more = items.len() > limit;
        items.truncate(limit);
        let cursor = |r: &AuditRecord| AuditCursor { at: r.at, link: link(r) };
        let next = items.last().filter(|_| more).map(cursor);
        Ok(Page { items, next })
    }

    pub fn audit_chain(&self, after: Option<AuditLink>, limit: u32) -> Result<Page<AuditRecord, AuditLink>, Error> {
        self.read("chain".to_owned())?;
        let mut items = self.trail.lock().unwrap().clone();
        items.retain(|r| after.is_none_or(|a| r.number > a.number));
        let limit = usize::try_from(limit).unwrap();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(link);
        Ok(Page { items, next })
    }

    pub fn audit_anchors(&self) -> Result<Page<AuditAnchor, AuditLink>, Error> {
        self.read("anchors".to_owned())?;
        Ok(Page { items: Vec::new(), next: None })
    }

    /// Adds a transition to the first one, which every run has.
    pub fn add_event(&self, transition: &str, seq: i64) {
        self.events.lock().unwrap().push(event(transition, seq));
    }

    /// Puts run 1 into a phase.
    pub fn set_phase(&self, phase: &str) {
        let mut runs = self.runs.lock().unwrap();
        runs[0].summary.phase = phase.to_owned();
        runs[0].summary.terminal = phase != "Running";
    }

    pub fn artifact(&self, run: Uuid, step: &str, name: &str) -> Result<Option<StoredArtifact>, Error> {
        self.read(format!("artifact {run}"))?;
        let stored =
            |bytes: &[u8]| StoredArtifact { digest: Digest::of(bytes).to_string(), bytes: 1, directory: false };
        Ok(match (step, name) {
            ("fit", "model") => Some(stored(b"x")),
            ("fit", "lost") => Some(stored(b"y")),
            _ => None,
        })
    }

    pub fn get_log(&self, run: Uuid, step: &str) -> Result<Option<Log>, Error> {
        self.read(format!("log {run}"))?;
        let log = Log {
            step: step.to_owned(),
            item: 0,
            attempt: 1,
            phase: "Failed".to_owned(),
            pod: None,
            log: Some("boom\n".to_owned()),
            log_unavailable: None,
            whole: None,
            whole_unavailable: None,
        };
        let whole = |of: &[u8], bytes| WholeLog { digest: Digest::of(of).to_string(), bytes, left_out: 0 };
        Ok(match step {
            "fit" => Some(log),
            "whole" => Some(Log { whole: Some(whole(WHOLE, 12)), ..log }),
            "lost" => Some(Log { whole: Some(whole(b"y", 1)), ..log }),
            "none" => Some(Log { log: None, whole_unavailable: Some("the pod was gone".to_owned()), ..log }),
            _ => None,
        })
    }
}

fn link(record: &AuditRecord) -> AuditLink {
    AuditLink { writer: Uuid::nil(), number: record.number }
}

fn event(transition: &str, seq: i64) -> Event {
    Event {
        subject: "run".to_owned(),
        transition: transition.to_owned(),
        seq,
        at: Time::from_millis(seq * 1000),
        reason: None,
        message: None,
    }
}

fn step() -> Step {
    Step {
        step: "fit".to_owned(),
        item: 0,
        attempt: 1,
        seq: 2,
        phase: "Failed".to_owned(),
        terminal: true,
        class: Some("Application".to_owned()),
        reason: Some("ExitCode".to_owned()),
        message: None,
        exit_code: Some(1),
        pod: None,
        node: None,
        image: None,
        image_id: None,
        outputs: Value::Null,
        artifacts: Value::Null,
        has_log: true,
        log_unavailable: None,
        started_at: None,
        finished_at: None,
        duration_ms: None,
        cached_from: None,
    }
}

/// A run of `climate/co2` that starts `number` seconds after 1970.
pub fn run(number: i64, namespace: &str, namespace_uid: &str) -> Run {
    let started_at = Time::from_millis(number * 1000);
    Run {
        summary: RunSummary {
            id: Uuid::from_u128(u128::try_from(number).unwrap()),
            cluster: "cluster".to_owned(),
            kind: "Workflow".to_owned(),
            namespace: namespace.to_owned(),
            namespace_uid: namespace_uid.to_owned(),
            name: "co2".to_owned(),
            uid: "object".to_owned(),
            number,
            phase: "Failed".to_owned(),
            terminal: true,
            reason: Some("StepFailed".to_owned()),
            message: None,
            trigger: "Created".to_owned(),
            owner: String::new(),
            started_at,
            finished_at: Some(started_at.after(Duration::from_secs(5))),
            duration_ms: Some(5000),
            minimal: false,
            reported_id: None,
        },
        revision: "co2-1".to_owned(),
        digest: "1:ab".to_owned(),
        seq: 6,
        spec: json!({}),
        params: json!({}),
        results: json!({}),
        labels: BTreeMap::new(),
    }
}

/// The whole router over these two.
pub fn app(cluster: &FakeCluster, store: &FakeStore, cluster_tokens: bool) -> Router {
    let api = Api::new(
        cluster.client(),
        Source::Fake(store.clone()),
        cluster_tokens,
        CursorKey::derive(b"test"),
        Health::new(),
        ApiMetrics::default(),
        watch::channel(Some(artifacts())).1,
    );
    router(api)
}

/// The whole log of a step of run 1.
pub const WHOLE: &[u8] = b"begin\nboom\n\xff";

/// A volume that holds the artifact of run 1, the byte `x`, and a whole log.
fn artifacts() -> Artifacts {
    let folder = std::env::temp_dir().join(format!("hearth-api-artifacts-{}", std::process::id()));
    let blobs = folder.join("blobs").join(UID);
    std::fs::create_dir_all(&blobs).unwrap();
    for blob in [b"x".as_slice(), WHOLE] {
        std::fs::write(blobs.join(Digest::of(blob).hex()), blob).unwrap();
    }
    let config = VolumeConfig {
        folder,
        endpoint: "https://localhost".to_owned(),
        keys: UrlKeys::derive(b"test", None),
        keep_free: 0,
        limits: Limits::default(),
    };
    Artifacts::volume(Volume::open(config).unwrap())
}
