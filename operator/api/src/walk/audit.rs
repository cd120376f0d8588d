//! What is put on record, by the router, and the deletion of runs.

use super::*;
use crate::identity::Origin;
use hearth_wire::{AuditRecord, Verifier};

const RUN: &str = "00000000-0000-0000-0000-000000000001";

#[tokio::test]
async fn a_refusal_is_on_record_and_a_look_is_not() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    assert_eq!(call(&app, Endpoint::Run, Some("token-ada")).await.status(), StatusCode::OK);
    assert_eq!(call(&app, Endpoint::Run, None).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(store.trail.lock().unwrap().len(), 0);
    let mut request = Request::get(filled(Endpoint::Run)).header(header::AUTHORIZATION, "Bearer token-bob");
    request.extensions_mut().unwrap().insert(Origin("10.1.2.3".parse().unwrap()));
    let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let told = problem(response).await.detail;
    let record = store.trail.lock().unwrap()[0].clone();
    assert_eq!((record.who.as_str(), record.verb.as_str(), record.allowed), ("bob", "get", false));
    assert_eq!((record.resource.as_str(), record.namespace.as_str()), ("workflows.hearth.dev", "climate"));
    assert_eq!((record.name.as_str(), record.run.as_deref(), record.from.as_str()), ("co2", Some(RUN), "10.1.2.3"));
    assert_eq!(record.reason, told);
}

#[tokio::test]
async fn every_refusal_is_on_record() {
    for endpoint in stored() {
        let store = store();
        let app = app(&FakeCluster::with(ADA), &store, true);
        call(&app, endpoint, Some("token-bob")).await;
        let trail = store.trail.lock().unwrap();
        assert!(trail.len() == 1 && !trail[0].allowed && trail[0].who == "bob", "{endpoint:?}: {trail:?}");
    }
}

#[tokio::test]
async fn nothing_is_refused_or_done_without_a_record() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    *store.away.lock().unwrap() = true;
    for endpoint in [Endpoint::Runs, Endpoint::Audit, Endpoint::DeleteRun] {
        let refused = problem(call(&app, endpoint, Some("token-bob")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::StoreAway), "{endpoint:?}");
    }
    assert!(store.deeds.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_run_is_deleted_once_it_is_over_and_that_is_on_record_before() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    store.set_phase("Running");
    let refused = problem(call(&app, Endpoint::DeleteRun, Some("token-ada")).await).await;
    assert_eq!(refused.kind(), Some(ProblemKind::Conflict));
    assert!(refused.detail.contains("kubectl hearth cancel co2 -n climate"), "{}", refused.detail);
    assert!(store.deeds.lock().unwrap().is_empty());
    store.set_phase("Failed");
    let done = call(&app, Endpoint::DeleteRun, Some("token-ada")).await;
    assert_eq!(done.status(), StatusCode::NO_CONTENT);
    assert_eq!(*store.deeds.lock().unwrap(), ["record", "bury"]);
    let record = store.trail.lock().unwrap()[0].clone();
    assert_eq!((record.verb.as_str(), record.run.as_deref(), record.allowed), ("delete", Some(RUN), true));
    assert_eq!(call(&app, Endpoint::DeleteRun, Some("token-ada")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(call(&app, Endpoint::Run, Some("token-ada")).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_look_may_not_delete_by_that() {
    let store = store();
    store.runs.lock().unwrap().push(run(2, "climate", "uid-before"));
    let app = app(&FakeCluster::with(&ADA[..3]), &store, true);
    assert_eq!(call(&app, Endpoint::Run, Some("token-ada")).await.status(), StatusCode::OK);
    let refused = problem(call(&app, Endpoint::DeleteRun, Some("token-ada")).await).await;
    assert!(refused.detail.contains("delete workflows.hearth.dev in namespace climate"), "{}", refused.detail);
    let app = super::app(&FakeCluster::with(ADA), &store, true);
    let earlier = filled(Endpoint::DeleteRun).replace(RUN, "00000000-0000-0000-0000-000000000002");
    assert_eq!(ask(&app, Method::DELETE, &earlier, Some("token-ada")).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(store.runs.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_trail_is_listed_and_verified() {
    let store = store();
    let app = app(&FakeCluster::with(ADA), &store, true);
    for _ in 0..5 {
        call(&app, Endpoint::Run, Some("token-bob")).await;
        call(&app, Endpoint::Runs, Some("token-eve")).await;
    }
    call(&app, Endpoint::DeleteRun, Some("token-ada")).await;
    let page = async |path: &str| -> Page<AuditRecord> {
        serde_json::from_value(json(send(&app, path, Some("token-ada")).await).await).unwrap()
    };
    assert_eq!(page("/api/v1/audit?limit=1").await.items[0].verb, "delete");
    assert_eq!(page("/api/v1/audit?who=eve").await.items.len(), 5);
    assert_eq!(page("/api/v1/audit?allowed=true&namespace=climate").await.items.len(), 1);
    assert_eq!(page("/api/v1/audit?from=2100-01-01T00:00:00Z").await.items.len(), 0);
    for odd in ["who=a&whom=b", "from=then", "allowed=maybe", "limit=0", "cursor=x"] {
        let refused = problem(send(&app, &format!("/api/v1/audit?{odd}"), Some("token-ada")).await).await;
        assert_eq!(refused.kind(), Some(ProblemKind::BadRequest), "{odd}");
    }
    let (mut verifier, mut path) = (Verifier::new(None, &[]), "/api/v1/audit/chain?limit=4".to_owned());
    loop {
        let some = page(&path).await;
        some.items.into_iter().for_each(|r| verifier.take(r));
        let Some(next) = some.next else { break };
        path = format!("/api/v1/audit/chain?limit=4&cursor={next}");
    }
    let verdict = verifier.finish(None);
    assert_eq!((verdict.records, verdict.chains, verdict.faults.len()), (11, 1, 0), "{:?}", verdict.faults);
}
