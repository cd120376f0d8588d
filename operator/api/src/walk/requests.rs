//! What is asked of a Workflow, by the router.

use super::*;
use crate::testing::RUN;

const ASKS: [Endpoint; 5] = [Endpoint::Cancel, Endpoint::Approve, Endpoint::Rerun, Endpoint::Suspend, Endpoint::Resume];

fn requests(cluster: &FakeCluster) -> Vec<Value> {
    cluster.workflow.lock().unwrap().as_ref().unwrap()["status"]["requests"].as_array().unwrap().clone()
}

async fn post(app: &Router, endpoint: Endpoint, key: &str, body: &str) -> Response {
    ask_with(app, Method::POST, &filled(endpoint), Some("token-ada"), &[("idempotency-key", key)], body).await
}

#[tokio::test]
async fn a_request_is_an_entry_in_the_status_and_on_record() {
    for endpoint in ASKS {
        let (cluster, store) = (FakeCluster::with(ADA), store());
        let app = app(&cluster, &store, true);
        let answer = json(call(&app, endpoint, Some("token-ada")).await).await;
        let entries = requests(&cluster);
        assert_eq!(entries.len(), 1, "{endpoint:?}");
        assert_eq!((&entries[0]["kind"], &entries[0]["id"]), (&answer["kind"], &answer["id"]));
        assert_eq!(entries[0]["by"], "ada");
        let about_run = matches!(endpoint, Endpoint::Cancel | Endpoint::Approve);
        assert_eq!(entries[0]["run"] == RUN, about_run, "{endpoint:?}");
        let trail = store.trail.lock().unwrap();
        let verb = if endpoint == Endpoint::Approve { "approve" } else { "update" };
        assert!(trail.len() == 1 && trail[0].allowed && trail[0].verb == verb, "{trail:?}");
        let asked = cluster.asked.lock().unwrap();
        assert!(asked.last().unwrap().0.ends_with("/workflows/co2/status"));
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_request() {
    let cluster = FakeCluster::with(ADA);
    let app = app(&cluster, &store(), true);
    assert_eq!(post(&app, Endpoint::Rerun, "once", "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(post(&app, Endpoint::Rerun, "once", "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(requests(&cluster).len(), 1);
    let other = problem(post(&app, Endpoint::Suspend, "once", "").await).await;
    assert_eq!(other.kind(), Some(ProblemKind::Conflict));
    let answer = serde_json::json!({"result": "Done", "message": "run 2 (x) started", "at": "2026-01-01T00:00:00Z"});
    cluster.workflow.lock().unwrap().as_mut().unwrap()["status"]["requests"][0]["answer"] = answer;
    let again = post(&app, Endpoint::Rerun, "once", "").await;
    assert_eq!(again.status(), StatusCode::OK);
    let again = json(again).await;
    assert_eq!((&again["result"], &again["message"]), (&"Done".into(), &"run 2 (x) started".into()));
}

#[tokio::test]
async fn to_approve_is_a_right_of_its_own() {
    let mut rules = ADA.to_vec();
    rules.retain(|r| r.1 != "approve");
    let (cluster, store) = (FakeCluster::with(&rules), store());
    let app = app(&cluster, &store, true);
    assert_eq!(call(&app, Endpoint::Cancel, Some("token-ada")).await.status(), StatusCode::ACCEPTED);
    let refused = problem(call(&app, Endpoint::Approve, Some("token-ada")).await).await;
    assert!(refused.detail.contains("approve workflows.hearth.dev in namespace climate"), "{}", refused.detail);
    assert_eq!(requests(&cluster).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let cluster = FakeCluster::with(ADA);
    let app = app(&cluster, &store(), true);
    let kind = async |endpoint, key: &str, body: &str| problem(post(&app, endpoint, key, body).await).await.kind();
    for (endpoint, body) in [
        (Endpoint::Rerun, "{"),
        (Endpoint::Rerun, r#"{"form": "Start"}"#),
        (Endpoint::Rerun, r#"{"from": "Middle"}"#),
        (Endpoint::Approve, ""),
        (Endpoint::Approve, r#"{"step": "No Step"}"#),
        (Endpoint::Cancel, r#"{"run": "1"}"#),
    ] {
        assert_eq!(kind(endpoint, "k", body).await, Some(ProblemKind::BadRequest), "{body}");
    }
    assert_eq!(kind(Endpoint::Rerun, "no spaces", "").await, Some(ProblemKind::BadRequest));
    assert_eq!(kind(Endpoint::Rerun, &"k".repeat(64), "").await, Some(ProblemKind::BadRequest));
    let long = format!("{{\"from\": \"{}\"}}", "x".repeat(70_000));
    assert_eq!(kind(Endpoint::Rerun, "k", &long).await, Some(ProblemKind::TooLarge));
    let other = r#"{"run": "00000000-0000-0000-0000-000000000002"}"#;
    assert_eq!(kind(Endpoint::Cancel, "k", other).await, Some(ProblemKind::Conflict));
    for odd in ["a%2Fb", "A", "%00"] {
        let path = format!("/api/v1/workflows/climate/{odd}/suspend");
        let refused = problem(ask(&app, Method::POST, &path, Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{odd}");
    }
    let none = ask(&app, Method::POST, "/api/v1/workflows/climate/none/suspend", Some("token-ada")).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    cluster.workflow.lock().unwrap().as_mut().unwrap()["status"]["run"]["finishedAt"] = "2026-01-01T00:01:00Z".into();
    assert_eq!(kind(Endpoint::Cancel, "k", "").await, Some(ProblemKind::Conflict));
    assert_eq!(requests(&cluster).len(), 0);
    for n in 0..32 {
        assert_eq!(post(&app, Endpoint::Rerun, &n.to_string(), "").await.status(), StatusCode::ACCEPTED);
    }
    assert_eq!(kind(Endpoint::Rerun, "one-more", "").await, Some(ProblemKind::Conflict));
}
