//! Runs with params of one's own, by the router.

use super::*;

async fn post(app: &Router, key: &str, body: &str) -> Response {
    let headers = [("idempotency-key", key)];
    ask_with(app, Method::POST, &filled(Endpoint::Trigger), Some("token-ada"), &headers, body).await
}

#[tokio::test]
async fn a_trigger_makes_an_object_of_its_own_once() {
    let (cluster, store) = (FakeCluster::with(ADA), store());
    cluster.workflow.lock().unwrap().as_mut().unwrap()["metadata"]["labels"] = serde_json::json!({
        "team": "climate", "example.org/cost": "7", "app.kubernetes.io/instance": "lab", "argocd.argoproj.io/instance": "lab",
        "kustomize.toolkit.fluxcd.io/name": "lab", "helm.sh/chart": "lab"});
    let app = app(&cluster, &store, true);
    let first = post(&app, "monday", r#"{"params": {"window": 24}, "ttl": "2h"}"#).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let first = json(first).await;
    let made = cluster.made.lock().unwrap().clone();
    let name = hearth_crds::trigger::name("co2", "uid-co2", "monday");
    assert_eq!((made.len(), first["name"].as_str(), first["uid"].as_str()), (1, Some(name.as_str()), Some("uid-0")));
    let object = &made[&name];
    assert_eq!(object["spec"], serde_json::json!({"from": {"workflow": "co2", "params": {"window": 24}}, "ttl": "2h"}));
    assert_eq!(object["metadata"]["annotations"]["hearth.dev/requested-by"], "ada");
    let labels = &object["metadata"]["labels"];
    assert_eq!(
        *labels,
        serde_json::json!({"team": "climate", "example.org/cost": "7"}),
        "no tool takes it for its own"
    );
    let again = post(&app, "monday", r#"{"params": {"window": 24}}"#).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(json(again).await["uid"], "uid-0");
    let other = problem(post(&app, "monday", r#"{"params": {"window": 12}}"#).await).await;
    assert_eq!(other.kind(), Some(ProblemKind::Conflict));
    assert_eq!(post(&app, "tuesday", "").await.status(), StatusCode::CREATED);
    assert_eq!(cluster.made.lock().unwrap().len(), 2);
    let trail = store.trail.lock().unwrap();
    assert!(trail.len() == 2 && trail.iter().all(|r| r.allowed && r.verb == "create"), "{trail:?}");
}

#[tokio::test]
async fn an_object_that_holds_the_name_by_chance_is_no_answer() {
    let cluster = FakeCluster::with(ADA);
    let name = hearth_crds::trigger::name("co2", "uid-co2", "monday");
    let other = serde_json::json!({"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": name, "namespace": "climate"}, "spec": {"from": {"workflow": "co2"}}});
    cluster.made.lock().unwrap().insert(name, other);
    let app = app(&cluster, &store(), true);
    let refused = problem(post(&app, "monday", "").await).await;
    assert_eq!(refused.kind(), Some(ProblemKind::Conflict));
    assert!(refused.detail.contains("that no trigger made"), "{}", refused.detail);
}

#[tokio::test]
async fn a_repeat_after_the_object_is_gone_is_answered_from_the_record() {
    let (cluster, store) = (FakeCluster::with(ADA), store());
    let mut old = run(7, "climate", UID);
    old.summary.name = hearth_crds::trigger::name("co2", "uid-co2", "monday");
    store.runs.lock().unwrap().push(old);
    let app = app(&cluster, &store, true);
    let answer = post(&app, "monday", "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(json(answer).await["run"], "00000000-0000-0000-0000-000000000007");
    assert!(cluster.made.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_run_is_said_before_anything_is_made() {
    let cluster = FakeCluster::with(ADA);
    let app = app(&cluster, &store(), true);
    for (body, says) in [
        (r#"{"params": {"widow": 1}}"#, "params.widow: there is no such param, there are: window"),
        (r#"{"params": {"window": "x"}}"#, "params.window: is string, but the declared type is integer"),
        (r#"{"params": {"window": 121}}"#, "params.window: is 121, above the maximum 120"),
        (r#"{"ttl": "1m"}"#, "ttl: must be 10m or longer"),
        (r#"{"ttl": "soon"}"#, "ttl: "),
        (r#"{"param": {}}"#, "param"),
    ] {
        let refused = problem(post(&app, "k", body).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{body}");
        assert!(refused.detail.contains(says), "{body}: {}", refused.detail);
    }
    {
        let mut workflow = cluster.workflow.lock().unwrap();
        let spec = &mut workflow.as_mut().unwrap()["spec"];
        spec["runPolicy"] = "Manual".into();
        spec["params"][0].as_object_mut().unwrap().remove("default");
    }
    let open = problem(post(&app, "k", "").await).await;
    assert!(open.detail.contains("params.window: the template has no default for it"), "{}", open.detail);
    cluster.workflow.lock().unwrap().as_mut().unwrap()["spec"] = serde_json::json!({"from": {"workflow": "base"}});
    let run = problem(post(&app, "k", "").await).await;
    assert!(run.detail.contains("is itself a run of base"), "{}", run.detail);
    *cluster.workflow.lock().unwrap() = None;
    assert_eq!(post(&app, "k", "").await.status(), StatusCode::NOT_FOUND);
    assert!(cluster.made.lock().unwrap().is_empty());
}

#[tokio::test]
async fn it_needs_the_rights_to_read_the_one_and_make_the_other() {
    for verb in ["get", "create"] {
        let mut rules = ADA.to_vec();
        rules.retain(|r| (r.1, r.2) != (verb, "workflows"));
        let app = app(&FakeCluster::with(&rules), &store(), true);
        let refused = problem(post(&app, "k", "").await).await;
        assert!(refused.detail.contains(&format!("you may not {verb} workflows")), "{}", refused.detail);
    }
}
