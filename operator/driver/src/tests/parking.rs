use super::*;
use kube::{core::DeserializeGuard, runtime::controller::Action};

/// Objects that the metrics call parked.
fn parked(b: &Bench) -> i64 {
    b.shared.metrics.parked.get_or_create(&crate::metrics::KindLabels { kind: "Fake" }).get()
}

fn guarded(o: &Value) -> Arc<DeserializeGuard<FakeCr>> {
    Arc::new(serde_json::from_value(o.clone()).unwrap())
}

#[tokio::test]
async fn what_does_not_decode_is_parked_once_and_its_neighbour_goes_on() {
    let mut b = bench();
    let bad = object(5, &[], &json!({"unheard": "of"}), Some(json!({"words": ["kept"]})));
    assert!(guarded(&bad).0.is_err());
    let pass = b.controller.pass(guarded(&bad));
    let serve = async {
        b.server.expect(Method::GET, OBJECT).await.answer(200, &bad);
        let patch = b.server.expect(Method::PUT, STATUS).await;
        let written = patch.answer(200, &bad);
        assert_eq!(written["metadata"]["resourceVersion"], "5");
        let condition = &written["status"]["conditions"][0];
        assert_eq!(condition["reason"], "Poisoned");
        let message = condition["message"].as_str().unwrap();
        assert!(message.contains("does not decode: spec") && message.contains("put this field right"), "{message}");
        b.server.is_quiet();
    };
    tokio::join!(pass, serve).0.unwrap();
    b.controller.pass(guarded(&bad)).await.unwrap();
    b.server.is_quiet();
    assert_eq!(parked(&b), 1);
    let mut neighbour = object(9, &["hearth.dev/record"], &json!({}), Some(running(1, 1)));
    neighbour["metadata"]["uid"] = json!("uid-b");
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-b"), 7, false)).unwrap());
    assert_eq!(b.controller.pass(guarded(&neighbour)).await.unwrap(), Action::requeue(Duration::from_secs(60)));
    assert_eq!(parked(&b), 1);
    b.controller.forget("uid-a");
    assert_eq!(parked(&b), 0);
}

#[tokio::test]
async fn a_panic_is_caught_counted_and_parked_once() {
    let mut b = bench();
    let bad = object(5, &["hearth.dev/record"], &json!({"panic": true}), None);
    let pass = b.controller.pass(guarded(&bad));
    let serve = async {
        b.server.expect(Method::GET, OBJECT).await.answer(200, &bad);
        let written = b.server.expect(Method::PUT, STATUS).await.answer(200, &bad);
        let message = written["status"]["conditions"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("planned to panic"), "{message}");
    };
    tokio::join!(pass, serve).0.unwrap();
    assert_eq!(b.shared.metrics.panics.get(), 1);
    assert_eq!(parked(&b), 1);
    b.controller.pass(guarded(&bad)).await.unwrap();
    b.server.is_quiet();
    // Mended, it is handled again.
    b.shared.world.pod_seen(&serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap());
    b.controller.pass(guarded(&object(8, &["hearth.dev/record"], &json!({}), Some(running(1, 1))))).await.unwrap();
    b.server.is_quiet();
    assert_eq!(parked(&b), 0);
}

#[tokio::test]
async fn what_does_not_decode_and_is_being_deleted_is_let_go() {
    let mut b = bench();
    let mut bad = object(5, &["hearth.dev/record", "x"], &json!({"unheard": "of"}), None);
    bad["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00.000Z");
    let pass = b.controller.pass(guarded(&bad));
    let serve = async {
        b.server.expect(Method::GET, OBJECT).await.answer(200, &bad);
        let sent = b.server.expect(Method::PATCH, OBJECT).await.answer(200, &bad);
        assert_eq!(sent["metadata"]["finalizers"], json!(["x"]));
        b.server.is_quiet();
    };
    tokio::join!(pass, serve).0.unwrap();
}

#[tokio::test]
async fn an_object_that_went_while_it_was_parked_is_left_alone() {
    let mut b = bench();
    let bad = object(5, &[], &json!({"unheard": "of"}), None);
    let mut other = bad.clone();
    other["metadata"]["uid"] = json!("another");
    let pass = b.controller.pass(guarded(&bad));
    let serve = async { b.server.expect(Method::GET, OBJECT).await.answer(200, &other) };
    tokio::join!(pass, serve).0.unwrap();
    b.server.is_quiet();
}

/// What the watch decodes goes through another form than JSON, in which the keys of a map are text and nothing else.
#[test]
fn a_status_with_a_fan_out_decodes() {
    use hearth_crds::workflow::Workflow;
    let object = serde_json::json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "w", "namespace": "lab"},
        "spec": {"image": "a", "steps": [{"name": "each", "forEach": {"items": [1, "b", null, {"c": 2.5}]}}]},
        "status": {"run": {
            "id": "r", "number": 1, "seq": 1, "revision": "v", "digest": "v1:0", "generation": 1, "trigger": "Schedule",
            "startedAt": "2026-01-01T00:00:00.000Z", "scheduledFor": "2026-01-01T00:00:00.000Z",
            "steps": [{"name": "each", "phase": "Running", "attempt": 0, "fanOut": {
                "count": 4, "started": 4, "open": "0,2-3", "failed": "1",
                "marks": [{"below": 4, "at": "2026-01-01T00:00:00.000Z"}],
                "items": [{"index": 1, "phase": "Failed", "attempt": 2}],
                "outputs": {"1": {"n": 3}, "10": {"n": null}}}}]}},
    });
    let decoded: kube::core::DeserializeGuard<Workflow> = serde_json::from_value(object.clone()).unwrap();
    let workflow = decoded.0.unwrap();
    assert_eq!(serde_json::to_value(&workflow).unwrap()["status"], object["status"]);
}
