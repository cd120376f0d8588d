//! A client over a function that answers as an API server would.

use super::{RUN, UID};
use axum::http::Method;
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

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
