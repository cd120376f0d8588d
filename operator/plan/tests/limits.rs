//! Limits that users come to, and what they are told there.

use crate::common::pass::{Scene, exited};
use hearth_crds::workflow::WorkflowSpec;
use hearth_plan::{offer::Offer, workflow::validate::validate};
use rstest::rstest;
use serde_json::{Map, Value, json};

fn refused(spec: Value) -> Option<String> {
    let spec: WorkflowSpec = serde_json::from_value(spec).unwrap();
    validate(&spec, &Offer::assumed(&spec)).err().map(|e| e.to_string())
}

#[test]
fn a_step_leaves_at_most_8_artifacts() {
    let leaving = |count: usize| {
        let out: Vec<Value> = (0..count).map(|i| json!({"name": format!("a{i}")})).collect();
        json!({"steps": [{"name": "fit", "image": "i", "command": ["/fit"], "artifacts": {"out": out}}]})
    };
    assert_eq!(refused(leaving(8)), None);
    let why = refused(leaving(9)).unwrap();
    assert!(why.contains("spec.steps[fit].artifacts.out") && why.contains("has 9 entries, at most 8"), "{why}");
}

/// A step that reads so many artifacts of nine others, at a path below that folder.
fn reading(count: usize, folder: &str) -> Value {
    let names: Vec<String> = (0..9).map(|i| format!("s{i}")).collect();
    let out: Vec<Value> = (0..8).map(|i| json!({"name": format!("a{i}")})).collect();
    let step = |name: &String| json!({"name": name, "image": "i", "command": ["/s"], "artifacts": {"out": out}});
    let input = |i: usize| {
        let from = format!("s{}.a{}", i / 8, i % 8);
        json!({"from": from, "name": format!("in{i}"), "path": format!("{folder}/in{i}")})
    };
    let inputs: Vec<Value> = (0..count).map(input).collect();
    let fit = json!({"name": "fit", "needs": names, "image": "i", "artifacts": {"in": inputs}});
    json!({"steps": names.iter().map(step).chain([fit]).collect::<Vec<_>>()})
}

#[test]
fn a_step_reads_at_most_64_artifacts() {
    assert_eq!(refused(reading(64, "x")), None);
    let why = refused(reading(65, "x")).unwrap();
    assert!(why.contains("spec.steps[fit].artifacts.in") && why.contains("has 65 entries, at most 64"), "{why}");
}

/// Params alone are short enough. With what comes beside them it may be too much, and then no pod is made.
#[rstest]
#[case(json!({"image": "i"}), ("Running", ""))]
#[case(json!({"runtime": "shape", "with": {"text": "${params.text}"}}), ("Failed", "InvalidWith"))]
fn a_step_is_told_at_most_16_kib(#[case] mut fit: Value, #[case] end: (&str, &str)) {
    fit["name"] = json!("fit");
    let text = "x".repeat(8100);
    let mut scene = Scene::new(json!({"params": [{"name": "text", "default": text}], "steps": [fit]}), json!([]));
    scene.run["params"] = json!({"text": text});
    let seen = scene.pass();
    assert_eq!((seen.end("fit"), seen.plan.intents.len()), (end, usize::from(end.0 == "Running")));
}

#[rstest]
#[case("x", ("Running", ""))]
#[case(&"x".repeat(230), ("Failed", "InvalidWith"))]
fn what_a_step_is_told_of_its_artifacts_counts_too(#[case] folder: &str, #[case] end: (&str, &str)) {
    let digest = format!("sha256:{}", "0".repeat(64));
    let artifacts: Map<String, Value> =
        (0..8).map(|i| (format!("a{i}"), json!({"digest": digest, "bytes": 3}))).collect();
    let step = |i: usize| json!({"name": format!("s{i}"), "phase": "Succeeded", "attempt": 1, "artifacts": artifacts});
    let seen = Scene::new(reading(64, folder), (0..9).map(step).collect()).pass();
    assert_eq!((seen.end("fit"), seen.plan.intents.len()), (end, usize::from(end.0 == "Running")));
}

/// A step whose output `text` is read, or by nobody.
fn writer(name: &str) -> Value {
    json!({"name": name, "image": "i", "outputs": [{"name": "text"}]})
}

fn reader(of: &[String]) -> Value {
    let args: Vec<String> = of.iter().map(|name| format!("${{steps.{name}.outputs.text}}")).collect();
    json!({"name": "read", "needs": of, "image": "i", "args": args})
}

/// An output of so many bytes, as JSON.
fn output(bytes: usize) -> Value {
    json!({"text": "x".repeat(bytes - r#"{"text":""}"#.len())})
}

/// What was taken over waits in the status for its record alone, so it takes no room from what is read.
#[rstest]
#[case(0, 0, "Succeeded")]
#[case(1, 0, "Failed")]
#[case(0, 2000, "Succeeded")]
#[case(1, 2000, "Failed")]
fn a_run_keeps_16_kib_of_outputs_that_are_read(#[case] over: usize, #[case] unread: usize, #[case] phase: &str) {
    let names: Vec<String> = ["first", "last"].map(str::to_owned).into();
    let mut hit = writer("hit");
    hit["image"] = json!(format!("i@sha256:{}", "0".repeat(64)));
    hit["cache"] = json!({"maxAge": "1h"});
    let spec = json!({"steps": [writer("first"), writer("last"), hit, reader(&names)]});
    let kept = 1000;
    let mut steps = json!([
        {"name": "first", "phase": "Succeeded", "attempt": 1, "outputs": output(16 * 1024 - kept + over)},
        {"name": "last", "phase": "Running", "attempt": 1, "since": "2026-01-01T00:00:00Z"},
        {"name": "hit", "phase": "Succeeded", "attempt": 0, "reason": "Cached", "cache": {"found": "Hit"}},
    ]);
    if unread > 0 {
        steps[2]["outputs"] = output(unread);
    }
    let pod = exited(0, &output(kept).to_string());
    let seen = Scene::new(spec, steps).pod("last", 1, pod).pass();
    let reason = if phase == "Failed" { "OutputsTooLong" } else { "" };
    assert_eq!(seen.end("last"), (phase, reason));
}

#[test]
fn what_steps_write_at_the_same_time_adds_up() {
    let names: Vec<String> = (0..6).map(|i| format!("s{i}")).collect();
    let mut steps: Vec<Value> = names.iter().map(|name| writer(name)).collect();
    steps.push(reader(&names));
    let running: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "phase": "Running", "attempt": 1})).collect();
    let mut scene = Scene::new(json!({"steps": steps}), json!(running));
    for name in &names {
        scene = scene.pod(name, 1, exited(0, &output(3000).to_string()));
    }
    let seen = scene.pass();
    let phases: Vec<&str> = names.iter().map(|name| seen.end(name).0).collect();
    assert_eq!(phases, ["Succeeded", "Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed"]);
}
