//! Tests over the router itself: every path, asked by nobody, by a stranger, by somebody without rights and by one with.

mod audit;
mod figures;
mod lineage;
mod notify;
mod requests;
mod stream;
mod trigger;

use crate::{
    certificate::holder,
    identity::Peer,
    routes::{Endpoint, Open},
    testing::{FakeCluster, FakeStore, Rule, UID, app, run},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
    response::Response,
};
use hearth_wire::{Page, Problem, ProblemKind, RunSummary};
use http_body_util::BodyExt;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::Value;
use tower::ServiceExt;

const ADA: &[Rule] = &[
    ("ada", "list", "workflows", "climate"),
    ("ada", "get", "workflows", "climate"),
    ("ada", "get", "pods/log", "climate"),
    ("ada", "delete", "workflows", "climate"),
    ("ada", "list", "auditrecords", "*"),
    ("ada", "update", "workflows", "climate"),
    ("ada", "create", "workflows", "climate"),
    ("ada", "approve", "workflows", "climate"),
];

fn store() -> FakeStore {
    let store = FakeStore::default();
    store.runs.lock().unwrap().push(run(1, "climate", UID));
    store
}

/// A path of the router with its parts filled in, so that it names run 1.
fn filled(endpoint: Endpoint) -> String {
    let path = endpoint
        .path()
        .replace("/workflows/{id}/", "/workflows/climate.co2/")
        .replace("{id}", "00000000-0000-0000-0000-000000000001")
        .replace("{step}", "fit")
        .replace("{artifact}", "model")
        .replace("{namespace}", "climate")
        .replace("{name}", "co2");
    match endpoint {
        Endpoint::Logs | Endpoint::LogText => format!("{path}?step=fit"),
        Endpoint::Runs => format!("{path}?namespace=climate"),
        Endpoint::Usage => format!("{path}?namespace=climate&from=1970-01-01T00:00:00Z&to=1970-01-02T00:00:00Z"),
        Endpoint::DocsFile => path.replace("{file}", "index.html"),
        Endpoint::Run
        | Endpoint::DeleteRun
        | Endpoint::Audit
        | Endpoint::AuditChain
        | Endpoint::AuditAnchors
        | Endpoint::Cancel
        | Endpoint::Approve
        | Endpoint::Trigger
        | Endpoint::Rerun
        | Endpoint::Suspend
        | Endpoint::Resume
        | Endpoint::Steps
        | Endpoint::Events
        | Endpoint::Stream
        | Endpoint::Artifact
        | Endpoint::WorkflowRuns
        | Endpoint::WorkflowTrend
        | Endpoint::Lineage
        | Endpoint::Notify
        | Endpoint::WorkflowRunsShort
        | Endpoint::NotifyShort
        | Endpoint::Health
        | Endpoint::HealthReady
        | Endpoint::Status
        | Endpoint::Document
        | Endpoint::Docs => path,
    }
}

/// The status for whoever may see it.
fn fine(endpoint: Endpoint) -> StatusCode {
    match endpoint {
        Endpoint::Docs => StatusCode::PERMANENT_REDIRECT,
        Endpoint::DeleteRun => StatusCode::NO_CONTENT,
        Endpoint::Trigger => StatusCode::CREATED,
        Endpoint::Notify | Endpoint::NotifyShort => StatusCode::CREATED,
        // Nothing has said yet that it serves.
        Endpoint::HealthReady => StatusCode::SERVICE_UNAVAILABLE,
        Endpoint::Cancel | Endpoint::Approve | Endpoint::Rerun | Endpoint::Suspend | Endpoint::Resume => {
            StatusCode::ACCEPTED
        }
        _ => StatusCode::OK,
    }
}

/// Resources that read the store.
fn stored() -> impl Iterator<Item = Endpoint> {
    Endpoint::ALL.into_iter().filter(|e| !e.is_for_everybody_known())
}

async fn send(app: &Router, path: &str, token: Option<&str>) -> Response {
    ask(app, Method::GET, path, token).await
}

/// What the endpoint is for.
async fn call(app: &Router, endpoint: Endpoint, token: Option<&str>) -> Response {
    let body = match endpoint {
        Endpoint::Approve => r#"{"step": "gate"}"#,
        Endpoint::Notify | Endpoint::NotifyShort => r#"{"runId": "r-1", "status": "completed", "durationMs": 5}"#,
        _ => "",
    };
    ask_with(app, endpoint.method(), &filled(endpoint), token, &[], body).await
}

async fn ask(app: &Router, method: Method, path: &str, token: Option<&str>) -> Response {
    ask_with(app, method, path, token, &[], "").await
}

async fn ask_with(
    app: &Router,
    method: Method,
    path: &str,
    token: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap()
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn problem(response: Response) -> Problem {
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    let status = response.status().as_u16();
    let problem: Problem = serde_json::from_value(json(response).await).unwrap();
    assert_eq!(problem.status, status);
    problem
}

#[tokio::test]
async fn every_path_asks_who_asks_and_what_they_may() {
    for endpoint in Endpoint::ALL {
        let path = filled(endpoint);
        let store = store();
        let app = app(&FakeCluster::with(ADA), &store, true);
        for stranger in [None, Some("forged"), Some("")] {
            let response = call(&app, endpoint, stranger).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path} {stranger:?}");
            assert!(response.headers().contains_key(header::WWW_AUTHENTICATE));
            assert_eq!(problem(response).await.kind(), Some(ProblemKind::Unauthenticated));
        }
        assert!(store.reads.lock().unwrap().is_empty(), "{path}: nothing is read for a stranger");
        let response = call(&app, endpoint, Some("token-bob")).await;
        if endpoint.is_for_everybody_known() {
            assert_eq!(response.status(), fine(endpoint), "{path}");
            assert!(store.reads.lock().unwrap().is_empty(), "{path}: it reads nothing");
            continue;
        }
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(problem(response).await.kind(), Some(ProblemKind::Forbidden));
        assert_eq!(call(&app, endpoint, Some("token-ada")).await.status(), fine(endpoint), "{path}");
    }
}

#[tokio::test]
async fn open_paths_are_open_and_nothing_else_is() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    assert_eq!(send(&app, Open::Healthz.path(), None).await.status(), StatusCode::OK);
    assert_eq!(send(&app, Open::Readyz.path(), None).await.status(), StatusCode::SERVICE_UNAVAILABLE, "not ready yet");
    for path in ["/", "/api", "/api/v1/", "/api/v1/secrets", "/metrics", "/healthz/x", "/api/v1/runs/", "//api/v1/runs"]
    {
        assert_eq!(send(&app, path, None).await.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            problem(send(&app, path, Some("token-ada")).await).await.kind(),
            Some(ProblemKind::NotFound),
            "{path}"
        );
    }
}

#[tokio::test]
async fn other_methods_are_refused_behind_authentication() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    for endpoint in Endpoint::ALL {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            if Endpoint::ALL.iter().any(|e| e.path() == endpoint.path() && e.method() == method) {
                continue;
            }
            let request = |token: &str| {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(filled(endpoint))
                    .header(header::AUTHORIZATION, token);
                request.body(Body::empty()).unwrap()
            };
            assert_eq!(
                app.clone().oneshot(request("Bearer forged")).await.unwrap().status(),
                StatusCode::UNAUTHORIZED,
                "{method}"
            );
            assert_eq!(
                app.clone().oneshot(request("Bearer token-ada")).await.unwrap().status(),
                StatusCode::METHOD_NOT_ALLOWED,
                "{method}"
            );
        }
    }
}

#[tokio::test]
async fn logs_need_their_own_right() {
    let rules = &ADA[..2];
    let app = app(&FakeCluster::with(rules), &store(), true);
    assert_eq!(send(&app, &filled(Endpoint::Steps), Some("token-ada")).await.status(), StatusCode::OK);
    let refused = problem(send(&app, &filled(Endpoint::Logs), Some("token-ada")).await).await;
    assert_eq!(refused.detail, "you may not get pods/log in namespace climate; ask for a Role with that right");
}

/// The answer to a request for a log as text: its status, some headers, and its bytes.
async fn log_text(step: &str, range: Option<&str>) -> (StatusCode, Option<String>, bool, Vec<u8>) {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let path = filled(Endpoint::LogText).replace("fit", step);
    let headers: Vec<(&str, &str)> = range.map(|r| ("range", r)).into_iter().collect();
    let answer = ask_with(&app, Method::GET, &path, Some("token-ada"), &headers, "").await;
    let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
    if answer.status().is_success() {
        assert_eq!(header("content-type").unwrap(), "text/plain; charset=utf-8");
        assert_eq!(header("x-content-type-options").unwrap(), "nosniff");
    }
    let (status, part, whole) = (answer.status(), header("content-range"), header("repr-digest").is_some());
    (status, part, whole, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

#[tokio::test]
async fn a_whole_log_comes_as_its_bytes_and_in_parts() {
    let whole = crate::testing::WHOLE;
    assert_eq!(log_text("whole", None).await, (StatusCode::OK, None, true, whole.to_vec()));
    for (range, part, from, to) in [
        ("bytes=-7", "bytes 5-11/12", 5, 12),
        ("bytes=0-4", "bytes 0-4/12", 0, 5),
        ("bytes=6-99", "bytes 6-11/12", 6, 12),
    ] {
        let want = (StatusCode::PARTIAL_CONTENT, Some(part.to_owned()), true, whole[from..to].to_vec());
        assert_eq!(log_text("whole", Some(range)).await, want, "{range}");
    }
    assert_eq!(log_text("whole", Some("lines=1-2")).await.0, StatusCode::OK, "not a range of bytes");
    assert_eq!(log_text("whole", Some("bytes=12-")).await.0, StatusCode::RANGE_NOT_SATISFIABLE);
    // Without a whole one there is its end.
    assert_eq!(log_text("fit", None).await, (StatusCode::OK, None, false, b"boom\n".to_vec()));
    let end = (StatusCode::PARTIAL_CONTENT, Some("bytes 3-4/5".to_owned()), false, b"m\n".to_vec());
    assert_eq!(log_text("fit", Some("bytes=-2")).await, end);

    let app = app(&FakeCluster::with(ADA), &store(), true);
    let document = json(send(&app, &filled(Endpoint::Logs).replace("fit", "whole"), Some("token-ada")).await).await;
    assert_eq!((&document["whole"]["bytes"], &document["log"]), (&12.into(), &"boom\n".into()));
    for (step, says) in [("lost", "has lost it"), ("none", "the pod was gone"), ("other", "with a log")] {
        let path = filled(Endpoint::LogText).replace("fit", step);
        let refused = problem(send(&app, &path, Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::NotFound));
        assert!(refused.detail.contains(says), "{step}: {}", refused.detail);
    }
    let blind = crate::testing::app(&FakeCluster::with(&ADA[..2]), &store(), true);
    assert_eq!(send(&blind, &filled(Endpoint::LogText), Some("token-ada")).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_artifact_is_its_bytes_and_needs_the_right_to_logs() {
    let path = filled(Endpoint::Artifact);
    let blind = app(&FakeCluster::with(&ADA[..2]), &store(), true);
    assert_eq!(send(&blind, &path, Some("token-ada")).await.status(), StatusCode::FORBIDDEN);
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let answer = send(&app, &path, Some("token-ada")).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("repr-digest"), "sha-256=:LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE=:");
    assert_eq!(header("content-disposition"), "attachment; filename=\"model\"");
    assert_eq!(header("content-length"), "1");
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "x");
    for (name, says) in [("other", "has no artifact"), ("lost", "the store has lost it"), ("a%22b", "has no artifact")]
    {
        let refused = problem(send(&app, &path.replace("model", name), Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::NotFound));
        assert!(refused.detail.contains(says), "{name}: {}", refused.detail);
    }
}

#[tokio::test]
async fn a_list_of_all_namespaces_names_the_way_out() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let refused = problem(send(&app, "/api/v1/runs", Some("token-ada")).await).await;
    assert_eq!(refused.kind(), Some(ProblemKind::Forbidden));
    assert!(refused.detail.contains("?namespace="), "{}", refused.detail);
}

#[tokio::test]
async fn rows_of_an_earlier_namespace_need_the_right_everywhere() {
    let store = store();
    store.runs.lock().unwrap().extend([
        run(2, "climate", "uid-before"),
        run(3, "climate", ""),
        run(4, "gone", "uid-gone"),
    ]);
    let mut rules = ADA.to_vec();
    rules.extend([
        ("root", "list", "workflows", "*"),
        ("root", "get", "workflows", "*"),
        ("ada", "get", "workflows", "gone"),
        ("ada", "list", "workflows", "gone"),
    ]);
    let app = app(&FakeCluster::with(&rules), &store, true);
    let numbers = async |path: &str, token| {
        let page: Page<RunSummary> = serde_json::from_value(json(send(&app, path, Some(token)).await).await).unwrap();
        page.items.into_iter().map(|r| r.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers("/api/v1/runs?namespace=climate", "token-ada").await, [1]);
    assert_eq!(numbers("/api/v1/workflows/climate/co2/runs", "token-ada").await, [1]);
    assert_eq!(numbers("/api/v1/runs?namespace=gone", "token-ada").await, [0; 0]);
    assert_eq!(numbers("/api/v1/runs?namespace=climate", "token-root").await, [3, 2, 1]);
    assert_eq!(numbers("/api/v1/runs", "token-root").await, [4, 3, 2, 1]);
    for id in 2..=4 {
        let path = format!("/api/v1/runs/00000000-0000-0000-0000-00000000000{id}");
        assert_eq!(send(&app, &path, Some("token-ada")).await.status(), StatusCode::FORBIDDEN, "{id}");
        assert_eq!(send(&app, &path, Some("token-root")).await.status(), StatusCode::OK, "{id}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_and_cursors_are_bound() {
    let store = store();
    store.runs.lock().unwrap().extend((2..=7).map(|n| run(n, "climate", UID)));
    let app = app(&FakeCluster::with(ADA), &store, true);
    let (mut seen, mut path) = (Vec::new(), "/api/v1/runs?namespace=climate&limit=3".to_owned());
    for _ in 0..4 {
        let page: Page<RunSummary> =
            serde_json::from_value(json(send(&app, &path, Some("token-ada")).await).await).unwrap();
        seen.extend(page.items.into_iter().map(|r| r.number));
        let Some(next) = page.next else { break };
        let stolen = format!("/api/v1/runs?namespace=climate&phase=Failed&cursor={next}");
        assert_eq!(send(&app, &stolen, Some("token-ada")).await.status(), StatusCode::BAD_REQUEST);
        path = format!("/api/v1/runs?namespace=climate&limit=3&cursor={next}");
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn unknown_ids_are_404_for_the_known_only() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    for id in ["00000000-0000-0000-0000-00000000ffff", "co2", "%00", "%F0%9F%92%A5"] {
        let path = format!("/api/v1/runs/{id}");
        assert_eq!(send(&app, &path, None).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            problem(send(&app, &path, Some("token-ada")).await).await.kind(),
            Some(ProblemKind::NotFound),
            "{id}"
        );
    }
    let log = filled(Endpoint::Logs).replace("fit", "other");
    assert_eq!(send(&app, &log, Some("token-ada")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_400() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    for query in
        ["nmae=co2", "limit=0", "limit=x", "phase=Done", "cursor=made-up", "from=now", "kind=Secret", "label=x"]
    {
        let path = format!("/api/v1/runs?namespace=climate&{query}");
        assert_eq!(
            problem(send(&app, &path, Some("token-ada")).await).await.kind(),
            Some(ProblemKind::BadRequest),
            "{query}"
        );
    }
    for query in ["last=0", "last=1001", "last=x", "from=now", "limit=5"] {
        let path = format!("{}?{query}", filled(Endpoint::WorkflowTrend));
        let refused = problem(send(&app, &path, Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{query}");
    }
    let bare = filled(Endpoint::Logs).replace("?step=fit", "");
    assert_eq!(problem(send(&app, &bare, Some("token-ada")).await).await.detail, "name the step: ?step=NAME");
}

#[tokio::test]
async fn a_single_resource_has_an_etag() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let path = filled(Endpoint::Run);
    let first = send(&app, &path, Some("token-ada")).await;
    let tag = first.headers()[header::ETAG].clone();
    let request = |tag: &str| {
        Request::get(&path)
            .header(header::AUTHORIZATION, "Bearer token-ada")
            .header(header::IF_NONE_MATCH, tag)
            .body(Body::empty())
            .unwrap()
    };
    let again = app.clone().oneshot(request(tag.to_str().unwrap())).await.unwrap();
    assert_eq!((again.status(), again.headers().get(header::ETAG)), (StatusCode::NOT_MODIFIED, Some(&tag)));
    assert_eq!(app.clone().oneshot(request("\"other\"")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_store_that_is_away_is_named_and_runs_go_on() {
    let store = store();
    *store.away.lock().unwrap() = true;
    let app = app(&FakeCluster::with(ADA), &store, true);
    for endpoint in stored() {
        let response = call(&app, endpoint, Some("token-ada")).await;
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        let problem = problem(response).await;
        assert_eq!(problem.kind(), Some(ProblemKind::StoreAway));
        assert!(
            problem.detail.contains("rows in memory") && problem.detail.contains("runs go on"),
            "{}",
            problem.detail
        );
    }
}

#[tokio::test]
async fn without_the_api_server_nobody_sees_anything() {
    let cluster = FakeCluster::with(ADA);
    *cluster.down.lock().unwrap() = true;
    let store = store();
    let app = app(&cluster, &store, true);
    for endpoint in Endpoint::ALL {
        let problem = problem(call(&app, endpoint, Some("token-ada")).await).await;
        assert_eq!(problem.kind(), Some(ProblemKind::ClusterAway));
        assert!(!problem.detail.contains("etcd"), "the reason is for the log");
    }
    assert!(store.reads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn cluster_tokens_can_be_refused() {
    let cluster = FakeCluster::with(ADA);
    let app = app(&cluster, &store(), false);
    let refused = problem(send(&app, &filled(Endpoint::Run), Some("token-ada")).await).await;
    assert_eq!(refused.kind(), Some(ProblemKind::Unauthenticated));
    assert!(refused.detail.contains("--audience api.hearth.dev"), "{}", refused.detail);
    assert!(cluster.asked.lock().unwrap().is_empty(), "the token is not even shown to the API server");
}

#[tokio::test]
async fn a_certificate_is_an_identity_too() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "ada");
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    let request = |peer: Peer| {
        let mut request = Request::get(filled(Endpoint::Run)).body(Body::empty()).unwrap();
        request.extensions_mut().insert(peer);
        request
    };
    assert_eq!(app.clone().oneshot(request(Peer(holder(certificate.der())))).await.unwrap().status(), StatusCode::OK);
    assert_eq!(app.clone().oneshot(request(Peer(None))).await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn answers_of_the_cluster_are_used_again_but_not_for_another() {
    let cluster = FakeCluster::with(ADA);
    let app = app(&cluster, &store(), true);
    for _ in 0..5 {
        send(&app, &filled(Endpoint::Run), Some("token-ada")).await;
    }
    assert_eq!(cluster.asked.lock().unwrap().len(), 3, "a token review, an access review and a namespace");
    assert_eq!(send(&app, &filled(Endpoint::Run), Some("token-bob")).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn one_identity_can_ask_too_often() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let mut last = StatusCode::OK;
    for _ in 0..2000 {
        last = send(&app, &filled(Endpoint::Run), Some("token-ada")).await.status();
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        send(&app, &filled(Endpoint::Run), Some("token-bob")).await.status(),
        StatusCode::FORBIDDEN,
        "others are not held up"
    );
}

#[tokio::test]
async fn long_bodies_are_refused_unread() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let request =
        Request::get(filled(Endpoint::Run)).header(header::CONTENT_LENGTH, "1000000").body(Body::empty()).unwrap();
    assert_eq!(problem(app.oneshot(request).await.unwrap()).await.kind(), Some(ProblemKind::TooLarge));
}

#[tokio::test]
async fn the_page_speaks_to_this_api_only() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let page = send(&app, "/docs/index.html", Some("token-bob")).await;
    let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; ") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let initializer = send(&app, "/docs/swagger-initializer.js", Some("token-bob")).await;
    let text = String::from_utf8(initializer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.contains("\"/openapi.json\"") && !text.contains("petstore"), "{text}");
    for missing in ["none.js", "..%2Fsrc%2Flib.rs", "%2Fetc%2Fpasswd", ""] {
        let status = send(&app, &format!("/docs/{missing}"), Some("token-bob")).await.status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{missing}");
    }
    let document = json(send(&app, "/openapi.json", Some("token-bob")).await).await;
    assert!(document["paths"]["/api/v1/runs"]["get"].is_object());
}
