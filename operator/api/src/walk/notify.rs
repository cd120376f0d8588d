//! Runs that outside systems report, and the short paths.

use super::*;
use hearth_wire::{Notified, Run};

async fn post(app: &Router, token: &str, body: &str) -> Response {
    ask_with(app, Method::POST, &filled(Endpoint::Notify), Some(token), &[], body).await
}

async fn told(app: &Router, body: &str) -> (StatusCode, Notified) {
    let response = post(app, "token-ada", body).await;
    (response.status(), serde_json::from_value(json(response).await).unwrap())
}

#[tokio::test]
async fn a_reported_run_is_on_record_once_and_audited() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    let running =
        r#"{"runId": "ci/77", "status": "running", "inputs": {"window": 12}, "startedAt": "2026-01-01T00:00:00Z"}"#;
    let response = post(&app, "token-ada", running).await;
    let place = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
    assert_eq!(response.status(), StatusCode::CREATED);
    let new: Notified = serde_json::from_value(json(response).await).unwrap();
    assert_eq!((place, new.run_id.as_str(), new.result.as_str()), (format!("/api/v1/runs/{}", new.id), "ci/77", "New"));
    let (status, same) = told(&app, running).await;
    assert_eq!((status, same.result.as_str(), &same.id), (StatusCode::OK, "Same", &new.id));
    let ended = r#"{"runId": "ci/77", "status": "completed", "durationMs": 90000, "outputs": {"best": 3}}"#;
    let (_, changed) = told(&app, ended).await;
    assert_eq!((changed.result.as_str(), &changed.id), ("Changed", &new.id));
    assert_eq!(told(&app, ended).await.1.result, "Same");
    for (body, says) in [
        (r#"{"runId": "ci/77", "status": "failed", "durationMs": 1}"#, "has ended as Succeeded"),
        (running, "has ended as Succeeded"),
    ] {
        let refused = problem(post(&app, "token-ada", body).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::Conflict));
        assert!(refused.detail.contains(says), "{}", refused.detail);
    }
    let run = json(send(&app, &format!("/api/v1/runs/{}", new.id), Some("token-ada")).await).await;
    let run: Run = serde_json::from_value(run).unwrap();
    assert_eq!((run.summary.reported_id.as_deref(), run.summary.trigger.as_str()), (Some("ci/77"), "Reported"));
    let page = json(send(&app, "/api/v1/runs?namespace=climate", Some("token-ada")).await).await;
    let listed: Page<RunSummary> = serde_json::from_value(page).unwrap();
    assert_eq!(listed.items.iter().filter(|r| r.reported_id.is_some()).count(), 1);
    let trail = store.trail.lock().unwrap();
    let first = &trail[0];
    assert_eq!((first.verb.as_str(), first.name.as_str(), first.allowed), ("update", "co2", true));
    assert_eq!(first.reason, "reports run \"ci/77\" as Running");
    let deeds = store.deeds.lock().unwrap();
    assert!(deeds.chunks(2).all(|d| d == ["record", "report"]), "each is on record before it is done: {deeds:?}");
}

#[tokio::test]
async fn to_report_is_the_right_to_update() {
    let store = store();
    let app = app(&FakeCluster::with(&ADA[..3]), &store, true);
    let body = r#"{"runId": "r", "status": "pending"}"#;
    let refused = problem(post(&app, "token-ada", body).await).await;
    assert!(refused.detail.contains("update workflows.hearth.dev in namespace climate"), "{}", refused.detail);
    assert!(!store.deeds.lock().unwrap().contains(&"report"));
    let rules = [("ada", "update", "workflows", "*")];
    let app = super::app(&FakeCluster::with(&rules), &store, true);
    let nowhere = filled(Endpoint::Notify).replace("climate", "nowhere");
    let none = ask_with(&app, Method::POST, &nowhere, Some("token-ada"), &[], body).await;
    assert_eq!(problem(none).await.detail, "there is no namespace \"nowhere\"");
}

#[tokio::test]
async fn what_cannot_be_reported_names_the_field() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let long = |n: usize| "x".repeat(n);
    let with = |rest: &str| format!(r#"{{"runId": "r", "status": "completed", {rest}}}"#);
    let node =
        |rest: &str| with(&format!(r#""durationMs": 1, "nodeLogs": [{{"step": "a", "status": "failed"{rest}}}]"#));
    let nodes = [r#"{"step": "a", "status": "failed"}"#; 129].join(",");
    let twice = [r#"{"step": "a", "status": "failed"}"#; 2].join(",");
    for (body, field) in [
        (String::new(), "runId"),
        (r#"{"runId": "", "status": "failed"}"#.to_owned(), "runId"),
        (format!(r#"{{"runId": "{}", "status": "failed"}}"#, long(254)), "runId"),
        (r#"{"runId": "a\u0000b", "status": "failed"}"#.to_owned(), "runId"),
        (r#"{"runId": "r"}"#.to_owned(), "status"),
        (r#"{"runId": "r", "status": "Succeeded"}"#.to_owned(), "status"),
        (r#"{"runId": "r", "status": "running", "durationMs": 1}"#.to_owned(), "status"),
        (with(r#""inputs": {}"#), "finishedAt"),
        (with(r#""durationMs": -1"#), "durationMs"),
        (with(r#""durationMs": 400000000000"#), "durationMs"),
        (with(r#""startedAt": "yesterday", "durationMs": 1"#), "startedAt"),
        (with(r#""startedAt": "1969-12-31T23:59:59Z", "durationMs": 1"#), "startedAt"),
        (with(r#""startedAt": "2999-01-01T00:00:00Z", "durationMs": 1"#), "startedAt"),
        (with(r#""finishedAt": "2999-01-01T00:00:00Z""#), "finishedAt"),
        (with(r#""startedAt": "2026-01-01T00:00:01Z", "finishedAt": "2026-01-01T00:00:00Z""#), "finishedAt"),
        (
            with(r#""startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z", "durationMs": 999"#),
            "durationMs",
        ),
        (with(r#""durationMs": 1, "inputs": [1]"#), "inputs"),
        (with(&format!(r#""durationMs": 1, "outputs": {{"x": "{}"}}"#, long(17_000))), "outputs"),
        (with(&format!(r#""durationMs": 1, "message": "{}""#, long(1025))), "message"),
        (with(&format!(r#""durationMs": 1, "nodeLogs": [{nodes}]"#)), "nodeLogs"),
        (with(&format!(r#""durationMs": 1, "nodeLogs": [{twice}]"#)), "nodeLogs[1]"),
        (node(r#", "attempt": 0"#), "nodeLogs[0].attempt"),
        (node(r#", "item": -1"#), "nodeLogs[0].item"),
        (node(r#", "outputs": 7"#), "nodeLogs[0].outputs"),
        (node(r#", "startedAt": "now""#), "nodeLogs[0].startedAt"),
        (with(r#""durationMs": 1, "nodeLogs": [{"step": "a", "status": "Void"}]"#), "nodeLogs[0].status"),
        (with(r#""durationMs": 1, "nodeLogs": [{"status": "failed"}]"#), "nodeLogs[0].step"),
        (with(r#""durationMs": 1, "node_logs": []"#), "the body"),
        ("{".to_owned(), "the body"),
    ] {
        let refused = problem(post(&app, "token-ada", &body).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{body}");
        assert!(refused.detail.starts_with(&format!("{field}:")), "{field}: {}", refused.detail);
    }
    let large = with(&format!(
        r#""durationMs": 1, "nodeLogs": [{{"step": "a", "status": "failed", "log": "{}"}}]"#,
        long(70_000)
    ));
    assert_eq!(problem(post(&app, "token-ada", &large).await).await.kind(), Some(ProblemKind::TooLarge));
}

#[tokio::test]
async fn a_reported_run_can_be_deleted_before_it_says_that_it_ended() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    let (_, new) = told(&app, r#"{"runId": "r", "status": "running"}"#).await;
    let path = format!("/api/v1/runs/{}", new.id);
    assert_eq!(ask(&app, Method::DELETE, &path, Some("token-ada")).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn short_paths_are_other_names() {
    let store = store();
    store.runs.lock().unwrap().extend((2..=7).map(|n| run(n, "climate", UID)));
    let app = app(&FakeCluster::with(ADA), &store, true);
    let list = async |path: &str| {
        let page = json(send(&app, path, Some("token-ada")).await).await;
        let page: Page<RunSummary> = serde_json::from_value(page).unwrap();
        (page.items.into_iter().map(|r| r.number).collect::<Vec<_>>(), page.next)
    };
    let long = list("/api/v1/workflows/climate/co2/runs?limit=3").await;
    for id in ["climate.co2", "climate%2Fco2"] {
        assert_eq!(list(&format!("/workflows/{id}/runs?limit=3")).await, long, "{id}");
    }
    let (second, next) = list("/workflows/climate.co2/runs?limit=3&page=2").await;
    assert_eq!(second, [4, 3, 2]);
    let after = list(&format!("/workflows/climate.co2/runs?limit=3&cursor={}", next.unwrap())).await;
    assert_eq!((after.0, after.1), (vec![1], None), "a page by its number goes on by cursor");
    assert_eq!(list("/workflows/climate.co2/runs?limit=3&page=3").await.0, [1]);
    assert_eq!(list("/workflows/climate.co2/runs?limit=3&page=4").await, (vec![], None));
    assert_eq!(list("/workflows/climate.co2/runs?limit=7&page=2").await, (vec![], None));
    for odd in ["page=0", "page=700&limit=3", "name=co2", "kind=Workflow"] {
        let refused = problem(send(&app, &format!("/workflows/climate.co2/runs?{odd}"), Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{odd}");
    }
    for odd in ["co2", "climate.", ".co2", "climate.a%2Fb", "CLIMATE.co2", "%00.co2"] {
        let path = format!("/workflows/{odd}/runs");
        let refused = problem(send(&app, &path, Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::NotFound), "{odd}");
    }
    let body = r#"{"runId": "r", "status": "pending"}"#;
    let path = filled(Endpoint::NotifyShort);
    let done = ask_with(&app, Method::POST, &path, Some("token-ada"), &[], body).await;
    assert_eq!(done.status(), StatusCode::CREATED);
    let status = json(send(&app, "/status", Some("token-bob")).await).await;
    assert_eq!((&status["state"], &status["store"]), (&"starting".into(), &"memory".into()));
    let health = json(send(&app, "/health", Some("token-bob")).await).await;
    assert!(health["status"] == "ok" && health["uptimeSeconds"].is_u64() && health["version"].is_string(), "{health}");
}
