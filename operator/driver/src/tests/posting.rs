use super::*;
use crate::{
    Class, Error,
    reconcile::{Next, reconcile},
};
use hearth_plan::{Child, Post};

const POD: &str = "/api/v1/namespaces/ns/pods/pod-1";

impl Bench {
    fn child(&self) -> Option<Post> {
        let facts = self.shared.world.facts("uid-a", "ns", &hearth_plan::kind::RunMark::default(), true);
        match facts.child("pod-1") {
            Child::Unseen(post) => Some(post.clone()),
            Child::Seen(_) | Child::Unknown => None,
        }
    }

    fn sees(&self, gone: bool, placeholder: bool) -> bool {
        let facts = self.shared.world.facts("uid-a", "ns", &hearth_plan::kind::RunMark::default(), true);
        facts.pods.get("pod-1").is_some_and(|p| p.gone == gone && p.placeholder == placeholder)
    }

    /// A run whose first attempt is intended and was refused before, so that the next pass posts it.
    fn intended(&self) -> Arc<FakeCr> {
        cr(&object(6, &["hearth.dev/record"], &json!({}), Some(running(1, 1))))
    }

    /// The first pass of a new object, up to the POST.
    async fn start(&mut self, answer: impl FnOnce(Asked)) -> Result<Next, Error> {
        let new = cr(&object(5, &["hearth.dev/record"], &json!({}), None));
        let pass = reconcile(&self.controller, new);
        let serve = async {
            self.server
                .expect(Method::PUT, STATUS)
                .await
                .answer(200, &object(6, &["hearth.dev/record"], &json!({}), Some(running(1, 1))));
            answer(self.server.expect(Method::POST, PODS).await);
        };
        tokio::join!(pass, serve).0
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_a_fact_and_is_tried_again_after_a_pause() {
    for (code, reason) in
        [(400, "BadRequest"), (403, "Forbidden"), (409, "Conflict"), (422, "Invalid"), (429, "TooManyRequests")]
    {
        let mut b = bench();
        let next = b.start(|post| drop(post.refuse(code, reason, "no room"))).await;
        assert_eq!(next.unwrap(), Next::Now, "{code}: the decision says so in a condition");
        let Some(Post::Refused(refusal)) = b.child() else { panic!("{code} is a refusal") };
        assert_eq!((refusal.code, refusal.reason.as_str()), (code, reason));
        let Next::After(pause) = reconcile(&b.controller, b.intended()).await.unwrap() else {
            panic!("{code}: a pause")
        };
        b.server.is_quiet();
        tokio::time::advance(pause).await;
        let pass = reconcile(&b.controller, b.intended());
        let serve = async { drop(b.server.expect(Method::POST, PODS).await.refuse(code, reason, "still no room")) };
        assert_eq!(tokio::join!(pass, serve).0.unwrap(), Next::Now, "{code}: the decision says when to try again");
        tokio::time::advance(pause).await;
        let pass = reconcile(&b.controller, b.intended());
        let serve =
            async { b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 9, false)) };
        tokio::join!(pass, serve).0.unwrap();
        assert!(b.sees(false, false), "{code}");
    }
}

#[tokio::test]
async fn an_unclear_answer_is_fenced_by_a_placeholder() {
    for code in [500, 502, 503, 504, 408] {
        let mut b = bench();
        let next = b.start(|post| drop(post.refuse(code, "InternalError", "who knows"))).await;
        assert_eq!(next.unwrap(), Next::Now);
        assert_eq!(b.child(), Some(Post::Uncertain), "{code}");
        let pass = reconcile(&b.controller, b.intended());
        let serve = async {
            let sent = b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 9, true));
            assert_eq!(sent["spec"]["schedulingGates"][0]["name"], "hearth.dev/fenced");
            b.server.is_quiet();
        };
        assert_eq!(tokio::join!(pass, serve).0.unwrap(), Next::Now);
        assert!(b.sees(false, true), "{code}: the attempt is void");
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_unclear() {
    let mut b = bench();
    let mut held = None;
    let next = b.start(|post| held = Some(post)).await;
    assert_eq!(next.unwrap(), Next::Now);
    assert_eq!(b.child(), Some(Post::Uncertain));
    drop(held);
}

#[tokio::test]
async fn a_taken_name_is_looked_up_once() {
    for (owner, gated, ours) in
        [(Some("uid-a"), false, true), (Some("uid-a"), true, true), (Some("uid-b"), false, false), (None, false, false)]
    {
        let mut b = bench();
        let new = cr(&object(5, &["hearth.dev/record"], &json!({}), None));
        let pass = reconcile(&b.controller, new);
        let serve = async {
            b.server
                .expect(Method::PUT, STATUS)
                .await
                .answer(200, &object(6, &["hearth.dev/record"], &json!({}), Some(running(1, 1))));
            b.server.expect(Method::POST, PODS).await.refuse(409, "AlreadyExists", "pods \"pod-1\" already exists");
            b.server.expect(Method::GET, POD).await.answer(200, &pod("pod-1", owner, 9, gated));
            b.server.is_quiet();
        };
        assert_eq!(tokio::join!(pass, serve).0.unwrap(), Next::Now);
        assert_eq!(b.sees(false, gated), ours);
        assert_eq!(matches!(b.child(), Some(Post::Stranger { .. })), !ours);
    }
}

#[tokio::test]
async fn a_fence_that_finds_our_pod_adopts_it() {
    let mut b = bench();
    let pass = reconcile(&b.controller, b.intended());
    let serve = async {
        b.server.expect(Method::POST, PODS).await.refuse(409, "AlreadyExists", "there");
        b.server.expect(Method::GET, POD).await.answer(200, &pod("pod-1", Some("uid-a"), 9, false));
        b.server.is_quiet();
    };
    assert_eq!(tokio::join!(pass, serve).0.unwrap(), Next::Now);
    assert!(b.sees(false, false));
    // Nothing is posted any more.
    assert_eq!(reconcile(&b.controller, b.intended()).await.unwrap(), Next::After(Duration::from_secs(60)));
    b.server.is_quiet();
}

#[tokio::test]
async fn a_refused_fence_decides_nothing() {
    let mut b = bench();
    let pass = reconcile(&b.controller, b.intended());
    let serve = async {
        b.server.expect(Method::POST, PODS).await.refuse(403, "Forbidden", "exceeded quota");
        b.server.expect(Method::GET, POD).await.refuse(404, "NotFound", "not there yet");
        b.server.is_quiet();
    };
    assert_eq!(tokio::join!(pass, serve).0.unwrap_err().class(), Class::Blocked);
    assert!(matches!(b.child(), Some(Post::Unfenced(refusal)) if refusal.message == "exceeded quota"));
}

#[tokio::test(start_paused = true)]
async fn a_stale_lease_creates_nothing() {
    let mut b = bench_with(8, false);
    let pass = reconcile(&b.controller, b.intended());
    assert!(matches!(pass.await.unwrap_err(), Error::LeaseStale));
    b.server.is_quiet();
    b.shared.leadership.renewed(crate::clock::since_boot());
    let pass = reconcile(&b.controller, b.intended());
    let serve = async { b.server.expect(Method::POST, PODS).await.answer(201, &pod("pod-1", Some("uid-a"), 9, true)) };
    tokio::join!(pass, serve).0.unwrap();
}

#[tokio::test]
async fn a_terminating_namespace_is_its_own_class() {
    let mut b = bench();
    let next = b.start(|post| {
        post.answer(403, &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "unable to create new content",
            "details": {"causes": [{"reason": "NamespaceTerminating", "message": "namespace ns is being terminated", "field": "metadata.namespace"}]}}));
    });
    assert_eq!(next.await.unwrap(), Next::Now);
    assert!(b.shared.world.facts("uid-a", "ns", &hearth_plan::kind::RunMark::default(), true).namespace_terminating);
    assert_eq!(reconcile(&b.controller, b.intended()).await.unwrap(), Next::Event, "no retry");
    b.server.is_quiet();
}
