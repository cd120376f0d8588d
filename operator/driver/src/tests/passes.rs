use super::*;
use crate::{
    Class,
    reconcile::{Next, reconcile},
};

const FINALIZER: &str = "hearth.dev/record";

#[tokio::test]
async fn a_pass_patches_once_and_creates_only_then() {
    let mut b = bench();
    let new = object(5, &["other/one"], &json!({}), None);
    let held = object(6, &["other/one"], &json!({}), None);
    let pass = reconcile(&b.controller, cr(&new));
    let serve = async {
        let patch = b.server.expect(Method::PUT, STATUS).await;
        b.server.is_quiet();
        let mut accepted = held.clone();
        accepted["status"] = running(1, 1);
        let written = patch.answer(200, &accepted);
        assert_eq!(written["metadata"], new["metadata"], "who applied a label that is left out would lose it");
        assert_eq!(written.get("spec"), None);
        assert_eq!(written["status"]["run"]["attempt"], 1);
        let post = b.server.expect(Method::POST, PODS).await;
        let sent = post.answer(201, &pod("pod-1", Some("uid-a"), 7, false));
        assert_eq!(sent["metadata"]["name"], "pod-1");
        b.server.is_quiet();
    };
    let (next, ()) = tokio::join!(pass, serve);
    assert_eq!(next.unwrap(), Next::Event);
    let batch = b.rows.try_recv().unwrap();
    assert_eq!((batch.run_id.as_str(), batch.seq), ("run-1", 1));
}

#[tokio::test]
async fn the_finalizer_comes_first_and_keeps_the_others() {
    let mut b = bench();
    let pass = reconcile(&b.controller, cr(&object(5, &[], &json!({}), None)));
    let serve = async {
        let finalizer = b.server.expect(Method::PATCH, OBJECT).await;
        let sent = finalizer.answer(200, &object(6, &[FINALIZER], &json!({}), None));
        assert_eq!(sent, json!({"metadata": {"uid": "uid-a", "resourceVersion": "5", "finalizers": [FINALIZER]}}));
        let patch = b.server.expect(Method::PUT, STATUS).await;
        let written = patch.answer(200, &object(7, &[FINALIZER], &json!({}), Some(running(1, 1))));
        assert_eq!(written["metadata"]["resourceVersion"], "6", "the version that the finalizer's patch returned");
        b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 8, false));
        b.server.is_quiet();
    };
    let (next, ()) = tokio::join!(pass, serve);
    next.unwrap();
    let meta = serde_json::from_value(json!({"finalizers": ["x", FINALIZER, "y"], "resourceVersion": "1"})).unwrap();
    assert_eq!(crate::actions::finalizer_patch(&meta, false)["metadata"]["finalizers"], json!(["x", "y"]));
    assert_eq!(crate::actions::finalizer_patch(&meta, true)["metadata"]["finalizers"], json!(["x", "y", FINALIZER]));
}

#[tokio::test]
async fn nothing_is_created_when_the_patch_is_refused() {
    let mut b = bench();
    let pass = reconcile(&b.controller, cr(&object(5, &[FINALIZER], &json!({}), None)));
    let serve = async {
        b.server.expect(Method::PUT, STATUS).await.refuse(409, "Conflict", "the object has been modified");
        b.server.is_quiet();
    };
    let (next, ()) = tokio::join!(pass, serve);
    assert_eq!(next.unwrap_err().class(), Class::Conflict);
    b.server.is_quiet();
    assert!(b.rows.try_recv().is_err(), "no row from a status that was not accepted");
}

#[tokio::test]
async fn creates_follow_what_was_accepted_not_what_was_sent() {
    let mut b = bench();
    let pass = reconcile(&b.controller, cr(&object(5, &[FINALIZER], &json!({}), None)));
    let serve = async {
        // The server returns a status that intends another attempt.
        b.server
            .expect(Method::PUT, STATUS)
            .await
            .answer(200, &object(6, &[FINALIZER], &json!({}), Some(running(9, 1))));
        b.server.is_quiet();
    };
    let (next, ()) = tokio::join!(pass, serve);
    next.unwrap();
    b.server.is_quiet();
}

#[tokio::test]
async fn our_own_write_is_newer_than_the_cache() {
    let mut b = bench();
    let old = object(5, &[FINALIZER], &json!({}), None);
    let pass = reconcile(&b.controller, cr(&old));
    let serve = async {
        b.server
            .expect(Method::PUT, STATUS)
            .await
            .answer(200, &object(6, &[FINALIZER], &json!({}), Some(running(1, 1))));
        b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 7, false));
    };
    tokio::join!(pass, serve).0.unwrap();
    // The cache still shows the object without a status: a pass from it would start the run again.
    let next = reconcile(&b.controller, cr(&old)).await.unwrap();
    assert_eq!(next, Next::After(Duration::from_secs(60)));
    b.server.is_quiet();
}

#[tokio::test]
async fn a_full_channel_makes_the_rows_due_again() {
    let mut b = bench_with(1, true);
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let same = cr(&object(6, &[FINALIZER], &json!({}), Some(running(1, 1))));
    // The first look offers all rows once, for the process before may have died before it did.
    reconcile(&b.controller, Arc::clone(&same)).await.unwrap();
    b.controller.set_due("uid-a");
    let next = reconcile(&b.controller, Arc::clone(&same)).await.unwrap();
    assert_eq!(next, Next::After(crate::records::AGAIN), "the channel was full");
    b.rows.try_recv().unwrap();
    reconcile(&b.controller, Arc::clone(&same)).await.unwrap();
    let Some(hearth_plan::Record::Event(row)) = b.rows.try_recv().unwrap().records.pop() else {
        panic!("an event row")
    };
    assert_eq!(row.transition, "all", "derived without an old status");
    assert_eq!(reconcile(&b.controller, same).await.unwrap(), Next::After(Duration::from_secs(60)));
    assert!(b.rows.try_recv().is_err(), "offered once");
    b.server.is_quiet();
}

#[tokio::test]
async fn a_stored_run_is_not_offered_at_the_start() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let mut status = running(1, 1);
    status["conditions"] = json!([{"type": "HistoryStored", "status": "True"}]);
    reconcile(&b.controller, cr(&object(6, &[FINALIZER], &json!({}), Some(status)))).await.unwrap();
    assert!(b.rows.try_recv().is_err());
}

#[tokio::test]
async fn deletes_carry_the_uid_and_a_lost_race_is_success() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let spec = json!({"actions": ["delete-pod", "release"]});
    let pass = reconcile(&b.controller, cr(&object(6, &[FINALIZER, "x"], &spec, Some(running(1, 1)))));
    let serve = async {
        let delete = b.server.expect(Method::DELETE, "/api/v1/namespaces/ns/pods/old").await;
        let body = delete.refuse(409, "Conflict", "the UID in the precondition does not match");
        assert_eq!(body["preconditions"]["uid"], "old-uid");
        let release = b.server.expect(Method::PATCH, OBJECT).await;
        let body = release.answer(200, &object(7, &["x"], &spec, Some(running(1, 1))));
        assert_eq!(body["metadata"]["finalizers"], json!(["x"]));
        assert_eq!(body["metadata"]["resourceVersion"], "6");
        b.server.is_quiet();
    };
    tokio::join!(pass, serve).0.unwrap();
}

/// With the RoleBinding of a watched namespace that is deleted go our rights in it, perhaps before the objects do.
#[tokio::test]
async fn what_may_not_be_deleted_any_more_goes_with_its_namespace() {
    let mut b = bench();
    b.shared.world.namespace_seen("ns", "uid-ns", true);
    let spec = json!({"actions": ["delete-pod", "release"]});
    let seen = || cr(&object(6, &[FINALIZER], &spec, Some(running(1, 1))));
    let pass = reconcile(&b.controller, seen());
    let serve = async {
        let delete = b.server.expect(Method::DELETE, "/api/v1/namespaces/ns/pods/old").await;
        delete.refuse(403, "Forbidden", "pods \"old\" is forbidden");
        let release = b.server.expect(Method::PATCH, OBJECT).await;
        release.answer(200, &object(7, &[], &spec, Some(running(1, 1))));
    };
    tokio::join!(pass, serve).0.unwrap();
    // Where the namespace stays, a right that is missing is trouble.
    b.shared.world.namespace_seen("ns", "uid-ns", false);
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let pass = reconcile(&b.controller, seen());
    let serve = async {
        let delete = b.server.expect(Method::DELETE, "/api/v1/namespaces/ns/pods/old").await;
        delete.refuse(403, "Forbidden", "pods \"old\" is forbidden");
        b.server.is_quiet();
    };
    assert_eq!(tokio::join!(pass, serve).0.unwrap_err().class(), Class::Blocked);
}

#[tokio::test]
async fn a_run_object_that_is_there_is_as_wanted() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let posts = json!({"actions": ["post-object"]});
    let at = OBJECT.rsplit_once('/').unwrap().0;
    for (code, reason, well) in [(409, "AlreadyExists", true), (403, "Forbidden", false), (500, "InternalError", false)]
    {
        let pass = reconcile(&b.controller, cr(&object(6, &[FINALIZER], &posts, Some(running(1, 1)))));
        let serve = async {
            let body = b.server.expect(Method::POST, at).await.refuse(code, reason, "no");
            assert_eq!(body["metadata"]["name"], "called");
        };
        assert_eq!(tokio::join!(pass, serve).0.is_ok(), well, "{code}");
    }
    b.server.is_quiet();
}

#[tokio::test]
async fn an_object_that_goes_goes_by_its_uid() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let goes = json!({"actions": ["delete-object"]});
    let pass = reconcile(&b.controller, cr(&object(6, &[FINALIZER], &goes, Some(running(1, 1)))));
    let serve = async {
        let body = b.server.expect(Method::DELETE, OBJECT).await.refuse(404, "NotFound", "gone already");
        assert_eq!(body["preconditions"]["uid"], "uid-a");
    };
    tokio::join!(pass, serve).0.unwrap();
    b.server.is_quiet();
}

#[tokio::test]
async fn the_finalizer_stays_when_something_before_it_failed() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let pass = reconcile(
        &b.controller,
        cr(&object(6, &[FINALIZER], &json!({"actions": ["delete-pod", "release"]}), Some(running(1, 1)))),
    );
    let serve = async {
        b.server.expect(Method::DELETE, "/api/v1/namespaces/ns/pods/old").await.refuse(500, "InternalError", "etcd");
    };
    assert_eq!(tokio::join!(pass, serve).0.unwrap_err().class(), Class::Transient);
    b.server.is_quiet();
}

#[tokio::test]
async fn a_run_goes_in_one_request_and_its_placeholders_stay() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let pass = reconcile(
        &b.controller,
        cr(&object(6, &[FINALIZER], &json!({"actions": ["delete-run"]}), Some(running(1, 1)))),
    );
    let serve = async {
        let asked = b.server.next().await;
        assert_eq!(asked.method, Method::DELETE);
        assert_eq!(
            selectors(&asked.path)["labelSelector"],
            "app.kubernetes.io/managed-by=hearth,hearth.dev/run-id=run-1,hearth.dev/role=attempt"
        );
        asked.answer(200, &json!({"kind": "PodList", "items": []}));
    };
    tokio::join!(pass, serve).0.unwrap();
    b.server.is_quiet();
}

/// What the query of an address says.
fn selectors(path: &str) -> BTreeMap<String, String> {
    let url = format!("http://localhost{path}").parse::<http::Uri>().unwrap();
    form_urlencoded::parse(url.query().unwrap().as_bytes()).into_owned().collect()
}

#[tokio::test(start_paused = true)]
async fn pods_that_leave_in_mid_run_hold_no_pass_up() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let sweeping = || cr(&object(6, &[FINALIZER], &json!({"actions": ["sweep"]}), Some(running(1, 1))));
    reconcile(&b.controller, sweeping()).await.unwrap();
    let asked = b.server.next().await;
    let selected = selectors(&asked.path);
    assert_eq!(
        selected["labelSelector"],
        "app.kubernetes.io/managed-by=hearth,hearth.dev/run-id=run-1,hearth.dev/role=attempt,\
         hearth.dev/step in (a,b),hearth.dev/item in (3,4)"
    );
    assert_eq!(selected["fieldSelector"], "status.phase=Succeeded");
    // One at a time, however many passes ask for it; and again when it is answered, whatever it is answered.
    reconcile(&b.controller, sweeping()).await.unwrap();
    b.server.is_quiet();
    asked.answer(500, &json!({"kind": "Status", "status": "Failure", "code": 500, "message": "etcd is away"}));
    reconcile(&b.controller, sweeping()).await.unwrap();
    b.server.is_quiet();
    let later = async {
        for _ in 0..100 {
            tokio::time::advance(Duration::from_millis(100)).await;
            reconcile(&b.controller, sweeping()).await.unwrap();
        }
    };
    tokio::select! {
        biased;
        asked = b.server.next() => asked.answer(200, &json!({"kind": "PodList", "items": []})),
        () = later => panic!("nobody asks again"),
    };
}

#[tokio::test]
async fn an_event_that_cannot_be_written_holds_nothing_up() {
    let mut b = bench();
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    let pass =
        reconcile(&b.controller, cr(&object(6, &[FINALIZER], &json!({"actions": ["event"]}), Some(running(1, 1)))));
    let serve = async {
        let asked = b.server.expect(Method::POST, "/api/v1/namespaces/ns/events").await;
        let event = asked.refuse(403, "Forbidden", "no");
        assert_eq!((event["reason"].as_str(), event["type"].as_str()), (Some("Completed"), Some("Warning")));
        assert_eq!(event["involvedObject"]["uid"], "uid-a");
    };
    tokio::join!(pass, serve).0.unwrap();
}

#[tokio::test]
async fn the_rows_of_a_patch_whose_answer_was_lost_are_offered_when_it_is_seen() {
    let mut b = bench();
    let new = object(5, &[FINALIZER], &json!({}), None);
    let pass = reconcile(&b.controller, cr(&new));
    let serve = async { b.server.expect(Method::PUT, STATUS).await.refuse(504, "Timeout", "but it was written") };
    assert_eq!(tokio::join!(pass, serve).0.unwrap_err().class(), Class::Transient);
    assert!(b.rows.try_recv().is_err(), "nothing is offered of a status that nobody has shown yet");
    // The watch shows what was written; the attempt is of unknown fate, so it is fenced.
    let pass = reconcile(&b.controller, cr(&object(6, &[FINALIZER], &json!({}), Some(running(1, 1)))));
    let serve = async { b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 7, true)) };
    tokio::join!(pass, serve).0.unwrap();
    assert_eq!(b.rows.try_recv().unwrap().seq, 1);
    // The same for a later change, of an object whose rows were offered before.
    let pass = reconcile(&b.controller, cr(&object(6, &[FINALIZER], &json!({}), Some(running(1, 1)))));
    let serve = async { b.server.expect(Method::PUT, STATUS).await.refuse(504, "Timeout", "but it was written") };
    tokio::join!(pass, serve).0.unwrap_err();
    let seen = cr(&object(8, &[FINALIZER], &json!({}), Some(running(2, 2))));
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-2", Some("uid-a"), 9, false)).unwrap());
    reconcile(&b.controller, Arc::clone(&seen)).await.unwrap();
    assert_eq!(b.rows.try_recv().unwrap().seq, 2);
    reconcile(&b.controller, seen).await.unwrap();
    assert!(b.rows.try_recv().is_err(), "offered once");
}
