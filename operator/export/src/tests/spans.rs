//! What is told in OpenTelemetry traces.

use crate::{
    Targets,
    testing::{Post, Scene, Server, lineage, run, step},
};
use hearth_plan::record::{Record, Relation, RunRow};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, status::StatusCode},
};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

async fn told(run: RunRow, others: Vec<Record>, posts: usize) -> Vec<Post> {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let telling = scene.export(Targets { openlineage: None, opentelemetry: Some(server.endpoint()) }).await;
    scene.keep(run, others).await;
    let taken = server.taken(posts).await;
    while !scene.store.exports(crate::OPENTELEMETRY, 1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    telling.abort();
    taken
}

fn spans(post: &Post) -> Vec<Span> {
    assert_eq!(post.headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(post.body.as_slice()).unwrap();
    let [resource] = request.resource_spans.as_slice() else { panic!("{request:?}") };
    let about = attributes(&resource.resource.as_ref().unwrap().attributes);
    assert_eq!((about["service.name"].as_str(), about["k8s.cluster.uid"].as_str()), ("hearth", "c-1"));
    resource.scope_spans[0].spans.clone()
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let value = |kv: &KeyValue| match kv.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    all.iter().map(|kv| (kv.key.clone(), value(kv))).collect()
}

#[tokio::test]
async fn a_run_is_a_trace_and_its_attempts_are_spans() {
    let (id, caller) = (Uuid::now_v7(), Uuid::now_v7());
    let others = vec![
        step(id, "fit", 1, "Failed"),
        step(id, "fit", 2, "Succeeded"),
        step(id, "skipped", 0, "Skipped"),
        lineage(id, Relation::Called, &caller.to_string(), "train", ""),
    ];
    let row = RunRow { message: Some("all is lost; last lines: token=s3cret".into()), ..run(id, "co2", 1, "Failed") };
    let posts = told(row.clone(), others.clone(), 1).await;
    let spans = spans(&posts[0]);
    assert_eq!(spans.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["climate/co2", "fit", "fit"]);
    let [root, first, second] = spans.as_slice() else { panic!("{spans:?}") };
    assert!(spans.iter().all(|s| s.trace_id == id.as_bytes() && s.span_id.len() == 8));
    assert_eq!(spans.iter().map(|s| &s.span_id).collect::<BTreeSet<_>>().len(), 3);
    assert!(root.parent_span_id.is_empty() && [first, second].iter().all(|s| s.parent_span_id == root.span_id));
    let start = 1_795_248_000_000_000_000;
    assert_eq!((root.start_time_unix_nano, root.end_time_unix_nano), (start, start + 9_000_000_000));
    assert_eq!((first.start_time_unix_nano, first.end_time_unix_nano), (start + 1_000_000_000, start + 1_500_000_000));
    let status = |s: &Span| s.status.as_ref().map(|s| (s.code, s.message.clone()));
    let error = i32::from(StatusCode::Error);
    assert_eq!(status(root), Some((error, "all is lost".into())));
    assert_eq!((status(first), status(second)), (Some((error, "it broke".into())), None));
    let about = attributes(&root.attributes);
    assert_eq!((about["hearth.run.number"].as_str(), about["hearth.owner"].as_str()), ("7", "ada"));
    let about = attributes(&first.attributes);
    for (key, value) in [("hearth.attempt", "1"), ("k8s.pod.name", "fit-1"), ("process.exit.code", "1")] {
        assert_eq!(about[key], value);
    }
    let [link] = root.links.as_slice() else { panic!("{:?}", root.links) };
    assert_eq!(link.trace_id, caller.as_bytes());
    // Told again, it is the same.
    assert_eq!(told(row, others, 1).await[0].body, posts[0].body);
}

#[tokio::test]
async fn very_many_attempts_come_in_pages() {
    let id = Uuid::now_v7();
    let steps = (0..1100).map(|n| step(id, &format!("s{n}"), 1, "Succeeded")).collect();
    let posts = told(run(id, "co2", 1, "Succeeded"), steps, 3).await;
    let pages: Vec<Vec<Span>> = posts.iter().map(spans).collect();
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [501, 500, 100]);
    let all: BTreeSet<Vec<u8>> = pages.iter().flatten().map(|s| s.span_id.clone()).collect();
    assert_eq!(all.len(), 1101);
}

#[test]
fn what_was_taken_in_part_says_so() {
    use crate::traces::partly_refused;
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
    let answer = |rejected_spans| {
        let part = ExportTracePartialSuccess { rejected_spans, error_message: "too old".into() };
        ExportTraceServiceResponse { partial_success: Some(part) }.encode_to_vec()
    };
    assert_eq!(partly_refused(&answer(2)), Some("2 spans: too old".into()));
    assert_eq!(partly_refused(&answer(0)), None);
    assert_eq!(partly_refused(b""), None);
    assert_eq!(partly_refused(b"ok, whatever"), None);
}
