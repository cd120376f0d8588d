//! Figures over many runs, by the router.

use super::*;

#[tokio::test]
async fn a_trend_looks_at_the_last_runs() {
    let store = store();
    store.runs.lock().unwrap().extend((2..=700).map(|n| run(n, "climate", UID)));
    let app = app(&FakeCluster::with(ADA), &store, true);
    let trend = async |query: &str| {
        json(send(&app, &format!("{}{query}", filled(Endpoint::WorkflowTrend)), Some("token-ada")).await).await
    };
    assert_eq!(trend("").await["runs"], 100);
    let all = trend("?last=1000").await;
    assert_eq!((&all["runs"], &all["failureRate"], &all["phases"]["Failed"]), (&700.into(), &1.0.into(), &700.into()));
    assert_eq!(trend("?last=600").await["runs"], 600, "more than a page");
}

#[tokio::test]
async fn usage_counts_what_may_be_listed() {
    let store = store();
    store.runs.lock().unwrap().extend([run(2, "climate", "uid-before"), run(3, "lab", "uid-lab")]);
    let mut rules = ADA.to_vec();
    rules.extend([("root", "list", "workflows", "*"), ("ada", "list", "workflows", "gone")]);
    let app = app(&FakeCluster::with(&rules), &store, true);
    let path = filled(Endpoint::Usage);
    let items = async |path: &str, token| {
        let usage = json(send(&app, path, Some(token)).await).await;
        usage["items"].as_array().unwrap().len()
    };
    assert_eq!(items(&path, "token-ada").await, 1, "not those of the earlier namespace");
    assert_eq!(items(&path, "token-root").await, 2);
    assert_eq!(items(&path.replace("namespace=climate&", ""), "token-root").await, 3);
    assert_eq!(items(&path.replace("climate", "gone"), "token-ada").await, 0);
    let everywhere = send(&app, &path.replace("namespace=climate&", ""), Some("token-ada")).await;
    assert_eq!(everywhere.status(), StatusCode::FORBIDDEN);
    let one = json(send(&app, &path, Some("token-ada")).await).await;
    assert_eq!((&one["items"][0]["memoryGibSeconds"], &one["more"]), (&3.0.into(), &false.into()));
    for query in
        ["from=now", "to=1970-01-01T00:00:00Z&from=1970-01-01T00:00:00Z", "from=1970-01-01T00:00:00Z", "days=3"]
    {
        let path = format!("/api/v1/usage?namespace=climate&{query}");
        let refused = problem(send(&app, &path, Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{query}");
    }
}
