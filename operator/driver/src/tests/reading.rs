use super::*;
use crate::{pods::PodView, reconcile::reconcile, world::World};
use hearth_plan::facts::{ContainerFact, PodPhase};
use std::collections::BTreeSet;

fn view(v: &Value) -> PodView {
    serde_json::from_value(v.clone()).unwrap()
}

fn facts(world: &World) -> hearth_plan::Facts {
    world.facts("uid-a", "ns", &hearth_plan::kind::RunMark::default(), true)
}

#[test]
fn nothing_in_a_pod_stops_the_watch() {
    for odd in [
        json!({}),
        json!({"metadata": null, "spec": null, "status": null}),
        json!({"metadata": {"labels": "x", "ownerReferences": {"a": 1}, "name": 7, "creationTimestamp": "noon", "resourceVersion": []}}),
        json!({"spec": {"schedulingGates": {"name": 1}, "nodeName": []}, "status": {"phase": [], "containerStatuses": "none", "conditions": {"a": "b"}}}),
        json!({"status": {"containerStatuses": [{"state": {"terminated": {"exitCode": "nine", "finishedAt": 3}}}]}}),
    ] {
        let _decoded = view(&odd);
    }
}

#[test]
fn a_pod_becomes_a_fact() {
    let v = view(&json!({
        "metadata": {"name": "p", "uid": "u", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app.kubernetes.io/managed-by": "hearth", "hearth.dev/step": "fit", "team": "x", "hearth.dev/bad": 5},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "X", "name": "x", "uid": "no", "controller": false}, {"apiVersion": "hearth.dev/v1alpha1", "kind": "Fake", "name": "a", "uid": "uid-a", "controller": true}]},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Failed", "reason": "Evicted", "message": "low on memory", "startTime": "2026-01-01T00:00:01Z",
            "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "m"}, {"type": "Ready", "status": "False", "reason": "PodFailed"}],
            "containerStatuses": [{"imageID": "img@sha256:1", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "message": "boom", "finishedAt": "2026-01-01T00:00:05Z"}}}]},
    }));
    assert_eq!(v.owner.as_deref(), Some("uid-a"));
    let f = &v.fact;
    assert!(f.owned && !f.gone && !f.placeholder && !f.node_unreachable);
    assert_eq!((f.phase, f.node.as_deref(), f.reason.as_deref()), (PodPhase::Failed, Some("n1"), Some("Evicted")));
    assert_eq!(f.disruption.as_ref().map(|d| d.0.as_str()), Some("TerminationByKubelet"));
    assert_eq!(f.labels.keys().collect::<Vec<_>>(), ["hearth.dev/step"]);
    let ContainerFact::Ended { exit_code, reason, .. } = &f.container else { panic!("{:?}", f.container) };
    assert_eq!((*exit_code, reason.as_str()), (137, "OOMKilled"));
}

#[test]
fn a_pod_that_fetches_is_told_from_one_that_works() {
    let fetching = |state: Value| {
        let status = json!({"phase": "Pending", "initContainerStatuses": [{"state": state}],
            "containerStatuses": [{"state": {"waiting": {"reason": "PodInitializing"}}}]});
        view(&json!({"status": status})).fact
    };
    let failed = fetching(json!({"terminated": {"exitCode": 75, "reason": "Error", "message": "the store is away"}}));
    assert!(failed.fetching && matches!(failed.container, ContainerFact::Ended { exit_code: 75, .. }));
    let done = fetching(json!({"terminated": {"exitCode": 0, "reason": "Completed"}}));
    assert!(!done.fetching && matches!(done.container, ContainerFact::Waiting { .. }));
}

#[test]
fn a_pod_without_its_owner_reference_is_found_by_its_label() {
    let v = view(&json!({"metadata": {"name": "p", "uid": "u", "labels": {"hearth.dev/owner-uid": "uid-a"}}}));
    assert_eq!((v.owner.as_deref(), v.fact.owned), (Some("uid-a"), false));
}

#[test]
fn a_silent_node_is_told_from_a_container_that_is_not_ready() {
    let unready =
        |ready: Value| view(&json!({"status": {"phase": "Running", "conditions": [ready]}})).fact.node_unreachable;
    assert!(unready(json!({"type": "Ready", "status": "False"})), "the node controller gives no reason");
    assert!(unready(json!({"type": "Ready", "status": "False", "reason": "NodeNotReady"})));
    assert!(unready(json!({"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"})));
    assert!(!unready(json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady"})));
    assert!(!unready(json!({"type": "Ready", "status": "True"})));
}

#[test]
fn a_lost_pod_is_kept_as_gone_until_its_run_is_stored() {
    let world = World::new(env());
    world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 5, false)));
    world.object_seen("uid-a", wake());
    world.pods_listed(&BTreeSet::new());
    assert!(!facts(&world).pods["pod-1"].gone, "missing after a list, for a reason that was not seen");
    assert_eq!(world.with("uid-a", |o| o.unclear()), ["pod-1"]);
    world.with("uid-a", |o| o.cleared("pod-1", None));
    assert!(facts(&world).pods["pod-1"].gone);
    world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 5, false)));
    assert!(!facts(&world).pods["pod-1"].gone, "the list was older than the pod");
    let mut last = pod("pod-1", Some("uid-a"), 6, false);
    last["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    world.pod_deleted(&view(&last));
    world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 4, false)));
    assert!(facts(&world).pods["pod-1"].gone, "an older event changes nothing");
    let stored = hearth_plan::kind::RunMark { run_id: Some("run-1".into()), seq: 1, stored: true };
    assert!(world.facts("uid-a", "ns", &stored, true).pods.is_empty());
}

#[test]
fn a_deleted_pod_that_ended_was_seen_to_end() {
    let world = World::new(env());
    world.object_seen("uid-a", wake());
    world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 5, false)));
    let mut last = pod("pod-1", Some("uid-a"), 6, false);
    last["status"]["phase"] = json!("Succeeded");
    world.pod_deleted(&view(&last));
    let facts = facts(&world);
    assert!(facts.pods["pod-1"].gone && facts.pods["pod-1"].seen_to_end());
}

#[test]
fn an_event_that_changes_nothing_wakes_nobody() {
    let world = World::new(env());
    let (queue, mut woken) = mpsc::unbounded_channel();
    world.object_seen("uid-a", crate::owner::Wake { queue, ..wake() });
    let see = |pod: &Value| world.pod_seen(&view(pod));
    see(&pod("pod-1", Some("uid-a"), 5, false));
    assert!(woken.try_recv().is_ok(), "a pod that was not known");
    see(&pod("pod-1", Some("uid-a"), 5, false));
    let mut touched = pod("pod-1", Some("uid-a"), 6, false);
    touched["metadata"]["annotations"] = json!({"team": "x"});
    see(&touched);
    assert!(woken.try_recv().is_err(), "the same again, and a change that no decision reads");
    let mut ended = pod("pod-1", Some("uid-a"), 7, false);
    ended["status"]["phase"] = json!("Succeeded");
    see(&ended);
    assert!(woken.try_recv().is_ok(), "its end");
    see(&pod("pod-1", Some("uid-a"), 6, false));
    assert!(woken.try_recv().is_err(), "an older event");
}

#[test]
fn nothing_is_remembered_of_an_object_that_is_gone() {
    let world = World::new(env());
    world.object_seen("uid-a", wake());
    world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 5, false)));
    world.object_gone("uid-a");
    assert!(facts(&world).pods.is_empty());
}

pub(super) fn wake() -> crate::owner::Wake {
    let key = crate::owner::Key { namespace: "ns".into(), name: "a".into() };
    crate::owner::Wake { key, queue: mpsc::unbounded_channel().0 }
}

#[tokio::test]
async fn a_log_is_read_beside_the_pass_and_its_absence_is_a_fact() {
    let mut b = bench();
    b.shared.world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 7, false)));
    let same = cr(&object(6, &["hearth.dev/record"], &json!({"actions": ["read-log"]}), Some(running(1, 1))));
    // The pass ends although the log is not answered, and a second one does not ask again.
    reconcile(&b.controller, Arc::clone(&same)).await.unwrap();
    reconcile(&b.controller, same).await.unwrap();
    let asked = b.server.next().await;
    assert!(asked.path.starts_with("/api/v1/namespaces/ns/pods/pod-1/log?"), "{}", asked.path);
    asked.refuse(400, "BadRequest", "container is waiting to start");
    let log = loop {
        if let Some(log) = facts(&b.shared.world).logs.remove("pod-1") {
            break log;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(log, Err("400 container is waiting to start".to_owned()));
    b.server.is_quiet();
}

#[tokio::test]
async fn the_end_of_a_long_log_is_kept() {
    let mut b = bench();
    b.shared.world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 7, false)));
    crate::logs::read(&b.shared, "uid-a", "ns", "pod-1");
    let asked = b.server.next().await;
    let text = "x".repeat(300_000) + "the end";
    asked.answer.send_response(Response::new(Body::from(text.into_bytes())));
    let log = loop {
        if let Some(log) = facts(&b.shared.world).logs.remove("pod-1") {
            break log.unwrap();
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(log.len(), 64 * 1024);
    assert!(log.ends_with("the end"));
}

#[tokio::test]
async fn a_pod_that_may_not_be_asked_for_any_more_went_with_its_namespace() {
    let mut b = bench();
    b.shared.world.object_seen("uid-a", wake());
    b.shared.world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 7, false)));
    b.shared.world.pod_deleted(&view(&pod("pod-1", Some("uid-a"), 8, false)));
    b.shared.world.namespace_seen("ns", "uid-ns", true);
    let same = cr(&object(6, &["hearth.dev/record"], &json!({}), Some(running(1, 1))));
    let pass = reconcile(&b.controller, same);
    let serve = async {
        b.server.expect(Method::GET, "/api/v1/namespaces/ns/pods/pod-1").await.refuse(403, "Forbidden", "no right");
    };
    tokio::join!(pass, serve).0.unwrap();
    assert!(facts(&b.shared.world).pods["pod-1"].gone);
}

#[tokio::test]
async fn a_pod_that_lost_its_labels_is_not_lost() {
    let mut b = bench();
    b.shared.world.object_seen("uid-a", wake());
    b.shared.world.pod_seen(&view(&pod("pod-1", Some("uid-a"), 7, false)));
    // Somebody takes the label away that the watch selects by: the watch calls that DELETED.
    b.shared.world.pod_deleted(&view(&pod("pod-1", Some("uid-a"), 8, false)));
    let mut bare = pod("pod-1", Some("uid-a"), 8, false);
    bare["metadata"]["labels"] = json!({"hearth.dev/run-id": "run-1"});
    let same = cr(&object(6, &["hearth.dev/record"], &json!({}), Some(running(1, 1))));
    let pass = reconcile(&b.controller, Arc::clone(&same));
    let serve = async { b.server.expect(Method::GET, "/api/v1/namespaces/ns/pods/pod-1").await.answer(200, &bare) };
    let next = tokio::join!(pass, serve).0.unwrap();
    assert_eq!(next, crate::reconcile::Next::After(Duration::from_secs(5)), "asked again until the watch shows it");
    let fact = facts(&b.shared.world).pods.remove("pod-1").unwrap();
    assert!(!fact.gone && fact.labels.is_empty(), "it gets all its labels back");
    // It ends unseen: the next pass notices, and fences.
    let pass = reconcile(&b.controller, same);
    let serve = async {
        b.server.expect(Method::GET, "/api/v1/namespaces/ns/pods/pod-1").await.refuse(404, "NotFound", "gone");
        b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 9, true));
    };
    tokio::join!(pass, serve).0.unwrap();
}
