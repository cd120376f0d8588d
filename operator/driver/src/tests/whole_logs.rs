//! Whole logs: read beside the passes, and handed on until somebody says that they are stored.

use super::{Bench, bench, cr, object, pod, running};
use crate::{pods::PodView, reconcile::reconcile, whole_logs::WholeLog};
use futures::TryStreamExt;
use hearth_plan::kind::RunMark;
use http::Response;
use kube::client::Body;
use serde_json::json;
use std::time::Duration;

const PATH: &str = "/api/v1/namespaces/ns/pods/pod-1/log";

/// A pod whose log a pass asks for.
async fn asked() -> Bench {
    let b = bench();
    b.shared.world.object_seen("uid-a", super::reading::wake());
    let view: PodView = serde_json::from_value(pod("pod-1", Some("uid-a"), 7, false)).unwrap();
    b.shared.world.pod_seen(&view);
    b.shared.world.namespace_seen("ns", "ns-uid", false);
    let same = cr(&object(6, &["hearth.dev/record"], &json!({"actions": ["keep-log"]}), Some(running(1, 1))));
    // The pass ends before the log is there, and a second one does not ask again.
    for _ in 0..2 {
        reconcile(&b.controller, same.clone()).await.unwrap();
    }
    b
}

fn kept(b: &Bench) -> bool {
    b.shared.world.facts("uid-a", "ns", &RunMark::default(), true).kept_logs.contains("pod-1")
}

async fn until_kept(b: &Bench) {
    while !kept(b) {
        tokio::task::yield_now().await;
    }
}

async fn answered(b: &mut Bench, text: &str) -> WholeLog {
    let asked = b.server.next().await;
    assert_eq!(asked.path.trim_end_matches('&'), PATH);
    asked.answer.send_response(Response::new(Body::from(text.as_bytes().to_vec())));
    b.logs.recv().await.unwrap()
}

async fn text(log: &mut WholeLog) -> String {
    let bytes = std::mem::replace(&mut log.bytes, Err(String::new())).unwrap();
    let pieces: Vec<_> = bytes.try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_whole_log_is_handed_on_until_it_is_stored() {
    let mut b = asked().await;
    let long = "line\n".repeat(100_000);
    let mut log = answered(&mut b, &long).await;
    assert_eq!((log.attempt.step.as_str(), log.attempt.attempt, log.namespace_uid.as_str()), ("only", 1, "ns-uid"));
    assert!(text(&mut log).await == long);
    assert!(!kept(&b), "nobody has said that it is stored");
    log.done.send(Err("the bucket is away".into())).unwrap();
    // It is read and handed on again, after a pause.
    let begun = tokio::time::Instant::now();
    let again = answered(&mut b, "short").await;
    assert!(begun.elapsed() >= Duration::from_secs(1));
    drop(again);
    let mut last = answered(&mut b, "short").await;
    assert_eq!(text(&mut last).await, "short");
    last.done.send(Ok(())).unwrap();
    until_kept(&b).await;
    b.server.is_quiet();
}

#[tokio::test(start_paused = true)]
async fn that_there_is_no_log_is_stored_too() {
    let mut b = asked().await;
    b.server.next().await.refuse(500, "InternalError", "the node does not answer");
    b.server.next().await.refuse(404, "NotFound", "pods \"pod-1\" not found");
    let log = b.logs.recv().await.unwrap();
    assert_eq!(log.bytes.err().unwrap(), "404 pods \"pod-1\" not found");
    log.done.send(Ok(())).unwrap();
    until_kept(&b).await;
}

#[tokio::test(start_paused = true)]
async fn of_an_object_that_is_gone_nothing_is_tried_again() {
    let mut b = asked().await;
    let asked = b.server.next().await;
    b.shared.world.object_gone("uid-a");
    asked.refuse(503, "ServiceUnavailable", "later");
    while b.shared.metrics.logs_waiting.get() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    b.server.is_quiet();
    assert!(b.logs.try_recv().is_err());
}
