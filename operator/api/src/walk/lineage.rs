//! Lineage, by the router.

use super::*;
use hearth_contract::digest::Digest;
use hearth_wire::Lineage;

fn of_data(query: &str) -> String {
    format!("/api/v1/lineage/{}{query}", Digest::of(b"x"))
}

async fn seen(app: &Router, path: &str, token: &str) -> Lineage {
    serde_json::from_value(json(send(app, path, Some(token)).await).await).unwrap()
}

#[tokio::test]
async fn lineage_begins_at_a_run_or_at_a_digest() {
    let app = app(&FakeCluster::with(ADA), &store(), true);
    let run = seen(&app, &filled(Endpoint::Lineage), "token-ada").await;
    assert_eq!((run.id.as_str(), run.upstream.len(), run.runs.len()), (crate::testing::RUN, 1, 1));
    assert_eq!((run.upstream[0].relation.as_str(), &run.upstream[0].to), ("Read", &run.id));
    let data = seen(&app, &of_data("?namespace=climate&depth=20&limit=1000"), "token-ada").await;
    assert_eq!((data.downstream.len(), data.truncated), (1, false));
    for (path, kind) in [
        (of_data("?namespace=climate&depth=0"), ProblemKind::BadRequest),
        (of_data("?namespace=climate&depth=21"), ProblemKind::BadRequest),
        (of_data("?namespace=climate&limit=1001"), ProblemKind::BadRequest),
        (of_data("?namespace=climate&deep=1"), ProblemKind::BadRequest),
        (format!("{}?namespace=climate", filled(Endpoint::Lineage)), ProblemKind::BadRequest),
        ("/api/v1/lineage/sha256:0a?namespace=climate".to_owned(), ProblemKind::BadRequest),
        ("/api/v1/lineage/co2".to_owned(), ProblemKind::NotFound),
        ("/api/v1/lineage/00000000-0000-0000-0000-00000000ffff".to_owned(), ProblemKind::NotFound),
    ] {
        assert_eq!(problem(send(&app, &path, Some("token-ada")).await).await.kind(), Some(kind), "{path}");
    }
}

#[tokio::test]
async fn lineage_shows_no_run_of_a_namespace_that_one_may_not_read() {
    let store = store();
    store.runs.lock().unwrap().extend([run(2, "climate", "uid-before"), run(3, "lab", "uid-lab")]);
    let mut rules = ADA.to_vec();
    rules.extend([
        ("root", "list", "workflows", "*"),
        ("root", "get", "workflows", "*"),
        ("gil", "get", "workflows", "climate"),
        ("ada", "list", "workflows", "gone"),
    ]);
    let app = app(&FakeCluster::with(&rules), &store, true);
    let numbers =
        async |path: &str, token| seen(&app, path, token).await.runs.into_iter().map(|r| r.number).collect::<Vec<_>>();
    let run = |n: u32| format!("/api/v1/lineage/00000000-0000-0000-0000-00000000000{n}");
    assert_eq!(numbers(&run(1), "token-ada").await, [1]);
    assert_eq!(numbers(&of_data("?namespace=climate"), "token-ada").await, [1]);
    assert_eq!(numbers(&of_data("?namespace=gone"), "token-ada").await, [0; 0]);
    assert_eq!(numbers(&of_data("?namespace=climate"), "token-root").await, [1, 2]);
    assert_eq!(numbers(&of_data(""), "token-root").await, [1, 2, 3]);
    assert_eq!(numbers(&run(2), "token-root").await, [2], "within the namespace that the run was made in");
    for path in [run(2), run(3), of_data(""), of_data("?namespace=lab")] {
        assert_eq!(send(&app, &path, Some("token-ada")).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    // To get a run is not to list those of others.
    assert_eq!(send(&app, &filled(Endpoint::Run), Some("token-gil")).await.status(), StatusCode::OK);
    let refused = problem(send(&app, &run(1), Some("token-gil")).await).await;
    assert!(refused.detail.contains("list workflows.hearth.dev in namespace climate"), "{}", refused.detail);
}
