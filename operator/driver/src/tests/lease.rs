use super::*;
use crate::lease::{Elector, Ended};

const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases/l";

fn elector(duration: Duration) -> (Elector, Api) {
    let (service, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let settings = LeaseSettings {
        namespace: "system".into(),
        name: "l".into(),
        identity: "me".into(),
        duration,
        request_timeout: duration / 3,
    };
    (Elector::new(Client::new(service, "default"), settings), Api(handle))
}

fn lease(version: u32, holder: &str) -> Value {
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l", "namespace": "system", "resourceVersion": version.to_string()},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 1, "leaseTransitions": 4}})
}

#[tokio::test]
async fn a_missing_lease_is_made() {
    let (mut e, mut api) = elector(Duration::from_secs(15));
    assert!(!e.leadership().fresh());
    let serve = async {
        api.expect(Method::GET, LEASE).await.refuse(404, "NotFound", "no");
        let sent = api.expect(Method::POST, LEASES).await.answer(201, &lease(1, "me"));
        assert_eq!(sent["spec"]["holderIdentity"], "me");
    };
    tokio::join!(e.acquire(), serve);
    assert!(e.leadership().fresh());
}

#[tokio::test]
async fn somebody_elses_lease_is_taken_only_when_it_has_stood_still() {
    let (mut e, mut api) = elector(Duration::from_secs(3));
    let serve = async {
        // It changes: it is alive, whatever its times say.
        api.expect(Method::GET, LEASE).await.answer(200, &lease(1, "other"));
        api.expect(Method::GET, LEASE).await.answer(200, &lease(2, "other"));
        loop {
            let asked = api.next().await;
            if asked.method == Method::PUT {
                let sent = asked.answer(200, &lease(3, "me"));
                assert_eq!(sent["metadata"]["resourceVersion"], "2");
                assert_eq!(sent["spec"]["leaseTransitions"], 5);
                break;
            }
            asked.answer(200, &lease(2, "other"));
        }
    };
    let began = std::time::Instant::now();
    tokio::join!(e.acquire(), serve);
    assert!(began.elapsed() >= Duration::from_secs(1), "it stood still for its length");
}

#[tokio::test]
async fn a_lease_that_another_took_is_lost() {
    let (mut e, mut api) = elector(Duration::from_secs(3));
    let take = async {
        api.expect(Method::GET, LEASE).await.answer(200, &lease(1, "me"));
        api.expect(Method::PUT, LEASE).await.answer(200, &lease(2, "me"));
    };
    tokio::join!(e.acquire(), take);
    let serve = async {
        api.expect(Method::PUT, LEASE).await.refuse(409, "Conflict", "modified");
        api.expect(Method::GET, LEASE).await.answer(200, &lease(3, "other"));
    };
    let (ended, ()) = tokio::join!(e.keep(std::future::pending()), serve);
    assert_eq!(ended, Ended::Lost("the lease l belongs to other".into()));
}

#[tokio::test]
async fn a_lease_that_cannot_be_renewed_is_lost_in_time() {
    let (mut e, mut api) = elector(Duration::from_millis(900));
    let take = async {
        api.expect(Method::GET, LEASE).await.refuse(404, "NotFound", "no");
        api.expect(Method::POST, LEASES).await.answer(201, &lease(1, "me"));
    };
    tokio::join!(e.acquire(), take);
    let leadership = e.leadership();
    let serve = async {
        loop {
            let asked = api.next().await;
            asked.refuse(500, "InternalError", "etcd");
        }
    };
    let ended = tokio::select! {
        ended = e.keep(std::future::pending()) => ended,
        () = serve => unreachable!("it serves for ever"),
    };
    assert!(matches!(ended, Ended::Lost(_)));
    assert!(!leadership.fresh());
}

#[tokio::test]
async fn a_lease_is_given_back() {
    let (mut e, mut api) = elector(Duration::from_secs(15));
    let take = async {
        api.expect(Method::GET, LEASE).await.refuse(404, "NotFound", "no");
        api.expect(Method::POST, LEASES).await.answer(201, &lease(1, "me"));
    };
    tokio::join!(e.acquire(), take);
    let serve = async {
        let sent = api.expect(Method::PUT, LEASE).await.answer(200, &lease(2, ""));
        assert_eq!(sent["spec"].get("holderIdentity"), None);
    };
    let (ended, ()) = tokio::join!(e.keep(std::future::ready(())), serve);
    assert_eq!(ended, Ended::Released);
}

/// A lease of 15 seconds that is ours and was renewed this long ago; creates are allowed for ten seconds.
async fn held(ago: Duration) -> (Elector, Api) {
    let (mut e, mut api) = elector(Duration::from_secs(15));
    let take = async {
        api.expect(Method::GET, LEASE).await.refuse(404, "NotFound", "no");
        api.expect(Method::POST, LEASES).await.answer(201, &lease(1, "me"));
    };
    tokio::join!(e.acquire(), take);
    e.leadership().renewed(crate::clock::since_boot().saturating_sub(ago));
    (e, api)
}

#[tokio::test(start_paused = true)]
async fn an_idle_lease_is_renewed_at_half_its_length() {
    let (e, mut api) = held(Duration::ZERO).await;
    let serve = async {
        for version in 2..6 {
            tokio::time::sleep(Duration::from_secs(7)).await;
            api.is_quiet();
            let at = tokio::time::Instant::now();
            api.expect(Method::PUT, LEASE).await.answer(200, &lease(version, "me"));
            assert!(at.elapsed() < Duration::from_secs(1), "{:?}", at.elapsed());
        }
    };
    tokio::select! {
        _ = e.keep(std::future::pending()) => unreachable!("it is ours"),
        () = serve => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_waits_for_a_renewal_when_the_last_is_too_old() {
    let (e, mut api) = held(Duration::from_secs(11)).await;
    let leadership = e.leadership();
    assert!(!leadership.fresh());
    let began = tokio::time::Instant::now();
    let serve = async {
        api.expect(Method::PUT, LEASE).await.answer(200, &lease(2, "me"));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = e.keep(std::future::pending()) => unreachable!("it is ours"),
        () = serve => unreachable!("it serves for ever"),
        fresh = leadership.freshened() => assert!(fresh),
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_busy_lease_is_renewed_before_creates_have_to_wait() {
    let (e, mut api) = held(Duration::from_secs(6)).await;
    let leadership = e.leadership();
    let began = tokio::time::Instant::now();
    assert!(leadership.freshened().await, "it is young enough");
    let serve = async {
        api.expect(Method::PUT, LEASE).await.answer(200, &lease(2, "me"));
    };
    tokio::select! {
        _ = e.keep(std::future::pending()) => unreachable!("it is ours"),
        () = serve => {}
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_while_the_lease_cannot_be_renewed() {
    let (e, mut api) = held(Duration::from_secs(11)).await;
    let leadership = e.leadership();
    let asked = async { (leadership.freshened().await, leadership.freshened().await) };
    let mut tries = 0;
    let serve = async {
        loop {
            api.expect(Method::PUT, LEASE).await.refuse(500, "InternalError", "etcd");
            tries += 1;
        }
    };
    tokio::select! {
        _ = e.keep(std::future::pending()) => unreachable!("its length is not over"),
        () = serve => unreachable!("it serves for ever"),
        fresh = asked => assert_eq!(fresh, (false, false)),
    }
    assert!(tries < 10, "{tries} tries in ten seconds");
}
