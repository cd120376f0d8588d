use super::*;
use crate::{
    reconcile::{Next, reconcile},
    trust::needs_it,
};
use hearth_plan::{Child, Post};
use k8s_openapi::api::core::v1::Pod;

const MAPS: &str = "/api/v1/namespaces/ns/configmaps";
const MAP: &str = "/api/v1/namespaces/ns/configmaps/hearth-ca";

#[tokio::test]
async fn a_certificate_that_somebody_changed_is_put_right_and_then_left_alone() {
    let mut b = bench();
    let serve = async {
        let made = b.server.expect(Method::POST, MAPS).await.refuse(409, "AlreadyExists", "it is there");
        let ours = json!({"ca.crt": "a certificate", "store.crt": "the store's"});
        assert_eq!(made["data"], ours);
        b.server
            .expect(Method::GET, MAP)
            .await
            .answer(200, &json!({"data": {"ca.crt": "a certificate", "store.crt": "another"}}));
        let patch = b.server.expect(Method::PATCH, MAP).await.answer(200, &json!({}));
        assert_eq!(patch, json!({"data": ours}), "what else is in it is not ours");
    };
    tokio::join!(b.shared.place_trust("ns"), serve).0.unwrap();
    b.shared.place_trust("ns").await.unwrap();
    b.server.is_quiet();
}

#[tokio::test]
async fn a_refusal_is_no_success_and_is_asked_again() {
    let mut b = bench();
    for _ in 0..2 {
        let serve = async { drop(b.server.expect(Method::POST, MAPS).await.refuse(403, "Forbidden", "no")) };
        tokio::join!(b.shared.place_trust("ns"), serve).0.unwrap_err();
    }
}

/// A pod that would wait for ever is not posted, and its attempt is not used up by a fence.
#[tokio::test]
async fn a_pod_without_its_certificate_is_refused_not_uncertain() {
    let mut b = bench();
    let new = cr(&object(5, &["hearth.dev/record"], &json!({"trusts": true}), None));
    let pass = reconcile(&b.controller, new);
    let serve = async {
        let made = object(6, &["hearth.dev/record"], &json!({"trusts": true}), Some(running(1, 1)));
        b.server.expect(Method::PUT, STATUS).await.answer(200, &made);
        b.server.expect(Method::POST, MAPS).await.refuse(403, "Forbidden", "configmaps is forbidden");
        b.server.is_quiet();
    };
    assert_eq!(tokio::join!(pass, serve).0.unwrap(), Next::Now, "the decision says so in a condition");
    let facts = b.shared.world.facts("uid-a", "ns", &hearth_plan::kind::RunMark::default(), true);
    let Child::Unseen(Post::Refused(refusal)) = facts.child("pod-1") else { panic!("it is a refusal") };
    assert!(refusal.message.contains("configmaps is forbidden"), "{}", refusal.message);
}

#[test]
fn only_pods_that_mount_it_need_it() {
    let pod = |name: &str| -> Pod {
        let sources = json!([{"serviceAccountToken": {"path": "token"}}, {"configMap": {"name": name}}]);
        let volumes = json!([{"name": "w", "emptyDir": {}}, {"name": "r", "projected": {"sources": sources}}]);
        serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [], "volumes": volumes}})).unwrap()
    };
    assert!(needs_it(&pod("hearth-ca")) && !needs_it(&pod("other")));
}
