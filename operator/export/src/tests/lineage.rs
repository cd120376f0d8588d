//! What is told in OpenLineage events.

use crate::{
    Targets,
    testing::{Post, Scene, Server, lineage, run, step},
};
use hearth_plan::record::{Record, Relation, RunRow, StepRow};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

fn targets(server: &Server) -> Targets {
    Targets { openlineage: Some((server.endpoint(), "lab".into())), opentelemetry: None }
}

/// What is told of these runs, once all is.
async fn told(runs: Vec<(RunRow, Vec<Record>)>, posts: usize) -> Vec<Value> {
    let (mut scene, server) = (Scene::new().await, Server::start().await);
    let telling = scene.export(targets(&server)).await;
    for (run, others) in runs {
        scene.keep(run, others).await;
    }
    let events: Vec<Value> = server.taken(posts).await.iter().map(Post::json).collect();
    while !scene.store.exports(crate::OPENLINEAGE, 1).await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    telling.abort();
    assert_eq!(server.posts().len(), posts);
    events.iter().for_each(is_valid);
    events
}

/// What the specification asks of every event: its fields and their types, and who says each facet by which schema.
fn is_valid(event: &Value) {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text: {event}")).to_owned();
    assert!(["START", "COMPLETE", "FAIL", "ABORT"].contains(&text(&event["eventType"]).as_str()), "{event}");
    assert!(text(&event["eventTime"]).ends_with('Z'), "{event}");
    assert!(text(&event["schemaURL"]).ends_with("OpenLineage.json#/$defs/RunEvent"), "{event}");
    Uuid::parse_str(&text(&event["run"]["runId"])).unwrap();
    let uri = |value: &Value| assert!(text(value).starts_with("https://"), "{value}");
    uri(&event["producer"]);
    let sets = event["inputs"].as_array().unwrap().iter().chain(event["outputs"].as_array().unwrap());
    for named in sets.clone().chain([&event["job"]]) {
        assert!(!text(&named["namespace"]).is_empty() && !text(&named["name"]).is_empty(), "{event}");
    }
    for facets in sets.chain([&event["job"], &event["run"]]).map(|o| o["facets"].as_object().unwrap()) {
        for facet in facets.values() {
            uri(&facet["_producer"]);
            uri(&facet["_schemaURL"]);
        }
    }
}

fn brief(event: &Value) -> (&str, &str) {
    (event["eventType"].as_str().unwrap(), event["job"]["name"].as_str().unwrap())
}

#[tokio::test]
async fn a_run_and_its_steps_are_told_with_what_they_read_and_wrote() {
    let (before, id) = (Uuid::now_v7(), Uuid::now_v7());
    let first =
        vec![step(before, "read", 1, "Succeeded"), lineage(before, Relation::Wrote, "sha256:raw", "read", "raw")];
    let second = vec![
        step(id, "clean", 1, "Succeeded"),
        step(id, "fit", 1, "Failed"),
        step(id, "fit", 2, "Succeeded"),
        step(id, "skipped", 0, "Skipped"),
        lineage(id, Relation::Read, "sha256:raw", "clean", "raw"),
        lineage(id, Relation::Wrote, "sha256:table", "clean", "table"),
        lineage(id, Relation::Read, "sha256:table", "fit", "table"),
        lineage(id, Relation::Read, "sha256:lost", "fit", "other"),
        lineage(id, Relation::Wrote, "sha256:m1", "fit", "model"),
        lineage(id, Relation::Wrote, "sha256:m2", "fit", "model"),
    ];
    let runs = vec![(run(before, "feed", 1, "Succeeded"), first), (run(id, "co2", 1, "Succeeded"), second)];
    let events = told(runs, 10).await;
    let of: Vec<&Value> = events[4..].iter().collect();
    let want = [
        ("START", "co2"),
        ("START", "co2.clean"),
        ("COMPLETE", "co2.clean"),
        ("START", "co2.fit"),
        ("COMPLETE", "co2.fit"),
        ("COMPLETE", "co2"),
    ];
    assert_eq!(of.iter().map(|e| brief(e)).collect::<Vec<_>>(), want);
    let [start, _, clean, fit_start, fit, end] = of.as_slice() else { panic!("{of:?}") };
    assert_eq!(start["eventTime"], "2026-11-21T08:00:00.000Z");
    assert_eq!(end["eventTime"], "2026-11-21T08:00:09.000Z");
    assert_eq!(start["run"]["runId"], id.to_string());
    assert_eq!(start["job"]["namespace"], "lab/climate");
    assert_eq!(start["job"]["facets"]["jobType"]["jobType"], "WORKFLOW");
    assert_eq!(start["job"]["facets"]["ownership"]["owners"], json!([{"name": "ada"}]));
    // A step is from the start of its first attempt to the end of its last one, and a child of the run.
    assert_eq!(fit_start["eventTime"], "2026-11-21T08:00:01.000Z");
    assert_eq!(fit["eventTime"], "2026-11-21T08:00:02.500Z");
    assert_eq!(fit["run"]["runId"], fit_start["run"]["runId"]);
    let parent = &fit["run"]["facets"]["parent"];
    assert_eq!(parent["run"]["runId"], id.to_string());
    assert_eq!(parent["job"], json!({"namespace": "lab/climate", "name": "co2"}));
    assert_eq!(fit["run"]["facets"].get("errorMessage"), None, "the last attempt succeeded");
    // A dataset is called after who wrote it; its version is the digest.
    let sets = |event: &Value, way: &str| -> BTreeMap<String, Value> {
        let named = |d: &Value| (d["name"].as_str().unwrap().into(), d["facets"]["version"]["datasetVersion"].clone());
        event[way].as_array().unwrap().iter().map(named).collect()
    };
    assert_eq!(sets(clean, "inputs"), [("feed/read/raw".into(), json!("sha256:raw"))].into());
    assert_eq!(sets(clean, "outputs"), [("co2/clean/table".into(), json!("sha256:table"))].into());
    let read = [("co2/clean/table".into(), json!("sha256:table")), ("sha256:lost".into(), json!("sha256:lost"))];
    assert_eq!(sets(fit, "inputs"), read.into());
    assert_eq!(sets(fit, "outputs"), [("co2/fit/model".into(), Value::Null)].into(), "two versions are none");
}

#[tokio::test]
async fn ends_are_told_as_they_were() {
    let failed = Uuid::now_v7();
    let row = RunRow { message: Some("step fit failed: it broke".into()), ..run(failed, "co2", 1, "Failed") };
    let steps = vec![step(failed, "fit", 1, "Failed"), step(failed, "slow", 1, "Cancelled")];
    let events = told(vec![(row, steps)], 6).await;
    assert_eq!(brief(&events[2]), ("FAIL", "co2.fit"));
    assert_eq!(events[2]["run"]["facets"]["errorMessage"]["message"], "it broke");
    assert_eq!(brief(&events[4]), ("ABORT", "co2.slow"));
    assert_eq!(brief(&events[5]), ("FAIL", "co2"));
    assert_eq!(events[5]["run"]["facets"]["errorMessage"]["message"], "step fit failed: it broke");
    for (phase, kind) in [("Cancelled", "ABORT"), ("Vanished", "ABORT"), ("Succeeded", "COMPLETE")] {
        let events = told(vec![(run(Uuid::now_v7(), "co2", 1, phase), vec![])], 2).await;
        assert_eq!(brief(&events[1]), (kind, "co2"), "{phase}");
    }
}

#[tokio::test]
async fn a_step_says_what_failed_in_the_end_and_keeps_its_log_to_itself() {
    let id = Uuid::now_v7();
    let item = |item: i32, attempt: i32, phase: &str, message: &str| match step(id, "fit", attempt, phase) {
        Record::Step(row) => Record::Step(Box::new(StepRow { item, message: Some(message.into()), ..*row })),
        other => other,
    };
    let steps = vec![
        item(0, 1, "Failed", "exit code 1: see the log of each attempt; last lines: token=s3cret"),
        item(1, 2, "Failed", "evicted"),
        item(1, 3, "Succeeded", ""),
    ];
    let why = "step fit failed: exit code 1; last lines: token=s3cret";
    let row = RunRow { message: Some(why.into()), ..run(id, "co2", 1, "Failed") };
    let events = told(vec![(row, steps)], 4).await;
    let says = |event: &Value| event["run"]["facets"]["errorMessage"]["message"].clone();
    assert_eq!(says(&events[2]), "exit code 1: see the log of each attempt");
    assert_eq!(says(&events[3]), "step fit failed: exit code 1");
    assert!(!json!(events).to_string().contains("s3cret"));
}

#[tokio::test]
async fn a_run_that_a_step_asked_for_is_a_child_of_that_step() {
    let (caller, called) = (Uuid::now_v7(), Uuid::now_v7());
    let call = lineage(called, Relation::Called, &caller.to_string(), "train", "");
    let runs = vec![
        (run(caller, "outer", 1, "Running"), vec![]),
        (run(called, "inner", 1, "Running"), vec![call]),
        (run(caller, "outer", 2, "Succeeded"), vec![step(caller, "train", 1, "Succeeded")]),
    ];
    let events = told(runs, 5).await;
    let parent = &events[1]["run"]["facets"]["parent"];
    assert_eq!(parent["job"]["name"], "outer.train");
    assert_eq!(brief(&events[2]), ("START", "outer.train"));
    assert_eq!(parent["run"]["runId"], events[2]["run"]["runId"]);
}
