//! DAGs of many steps: what is written stays small, pods that are recorded leave in mid-run, and nothing is lost by that.

use crate::common::{Workflows, create, factor, phase, tale};
use hearth_sim::{
    act::Act,
    clock::secs,
    outcome::Outcome,
    properties::{kill_everywhere, kill_often},
    samples::key,
};
use serde_json::{Value, json};

/// Layers of `width` steps, each of which needs two of the layer above; every step writes an output that one below reads.
fn layers(steps: usize, width: usize) -> Value {
    let name = |at: usize| format!("layer-{:03}-step-{:03}", at / width, at % width);
    let step = |at: usize| {
        let mut step = json!({"name": name(at), "outputs": [{"name": "n", "type": "integer"}]});
        if at >= width {
            let above = [at - width, (at / width - 1) * width + (at % width + 1) % width];
            step["needs"] = above.iter().map(|a| name(*a)).collect();
            step["args"] = json!([format!("${{string(steps[\"{}\"].outputs.n)}}", name(at - width))]);
        }
        step
    };
    json!({"image": "example.org/a:1", "parallelism": 100, "steps": (0..steps).map(step).collect::<Vec<_>>()})
}

fn all_write(world: &mut Workflows, spec: &Value) {
    for step in spec["steps"].as_array().unwrap() {
        world.kubelet.outcomes.set(step["name"].as_str().unwrap(), 1, Outcome::outputs(r#"{"n": 1}"#));
    }
}

#[test]
fn two_thousand_steps_stay_small() {
    let spec = layers(2000, 100);
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        create(world, "demo", &spec);
    };
    let tale = tale("many", &begin, secs(3600));
    let mut world = tale.world(1);
    let (mut longest, mut most_pods) = (0, 0);
    (tale.begin)(&mut world);
    let end = world.now.after(tale.length);
    world.run_until(end, |world| {
        longest = longest.max(world.raw(&key("demo")).map_or(0, |raw| raw["status"].to_string().len()));
        most_pods = most_pods.max(world.server.pods().len());
        false
    });
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"));
    println!("status {longest} bytes at most, {most_pods} pods at one time");
    assert!(most_pods < 600, "{most_pods} pods were there at one time");
    assert_eq!(world.store.steps.len(), 2000);
    assert!(world.store.steps.values().all(|r| r.phase == "Succeeded" && r.finished_at.is_some()));
}

/// The store is away all the time: what is told by place has no row yet, and all rows are there when it is back.
#[test]
fn two_hundred_steps_lose_no_row_while_the_store_is_away() {
    let spec = layers(200, 50);
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        world.kubelet.outcomes.set("layer-001-step-007", 1, Outcome::exit(65));
        create(world, "demo", &spec);
    };
    let tale = tale("some", &begin, secs(3600));
    let mut world = tale.world(1);
    (tale.begin)(&mut world);
    world.act(Act::StoreDown);
    world.run_for(secs(1200));
    assert_eq!((phase(&world, "demo").as_deref(), world.store.steps.len()), (Some("Failed"), 0));
    world.act(Act::StoreUp);
    world.run_for(secs(3600));
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(phase(&world, "demo").as_deref(), Some("Failed"));
    assert_eq!(world.store.steps.len(), 200);
    let skipped = world.store.steps.values().filter(|r| r.phase == "Skipped").count();
    assert!(skipped > 3, "{skipped} steps were skipped");
}

/// How many of the operator's requests deleted many pods.
fn sweeps(world: &Workflows) -> usize {
    world.server.tally(0).0.get("deletecollection pods").copied().unwrap_or_default()
}

fn succeeded(world: &Workflows) -> usize {
    world.server.pods().values().filter(|p| p.status.as_ref().unwrap().phase.as_deref() == Some("Succeeded")).count()
}

/// The store goes away in mid-run: from then on pods hold what it has not.
#[test]
fn pods_stay_while_the_store_is_away() {
    let spec = layers(900, 100);
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        create(world, "demo", &spec);
    };
    let tale = tale("away", &begin, secs(3600));
    let mut world = tale.world(1);
    (tale.begin)(&mut world);
    let soon = world.now.after(secs(3600));
    world.run_until(soon, |world| sweeps(world) > 0);
    let before = sweeps(&world);
    assert!(before > 0, "no pods left in mid-run");
    world.act(Act::StoreDown);
    let later = world.now.after(secs(3600));
    world.run_until(later, |world| phase(world, "demo").as_deref() == Some("Succeeded"));
    assert_eq!((sweeps(&world), phase(&world, "demo").as_deref()), (before, Some("Succeeded")));
    world.act(Act::StoreUp);
    world.run_for(secs(3600));
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!((world.store.steps.len(), world.server.pods().len()), (900, 0));
}

/// Whole logs cannot be stored for a while: the pods whose logs are wanted stay, all others go.
#[test]
fn pods_stay_for_their_whole_logs() {
    let mut spec = layers(900, 100);
    for step in spec["steps"].as_array_mut().unwrap().iter_mut().step_by(9) {
        step["logs"] = json!("Full");
    }
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        world.act(Act::ArtifactsDown);
        create(world, "demo", &spec);
    };
    let tale = tale("logs", &begin, secs(3600));
    let mut world = tale.world(1);
    (tale.begin)(&mut world);
    world.run_for(secs(3000));
    assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"));
    let left = succeeded(&world);
    assert!((100..400).contains(&left), "{left} pods are there, 100 of them for their logs");
    world.act(Act::ArtifactsUp);
    world.run_for(secs(3600));
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(world.server.pods().len(), 0);
}

/// Failed pods stay where the object says so, while the others of the same steps go.
#[test]
fn failed_pods_stay_in_mid_run() {
    let mut spec = layers(900, 100);
    spec["keepPods"] = json!({"failed": "2h"});
    for step in spec["steps"].as_array_mut().unwrap() {
        step["retry"] = json!({"limit": 1, "backoff": {"base": "1s"}});
    }
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        for at in (0..900).step_by(30) {
            let name = spec["steps"][at]["name"].as_str().unwrap();
            world.kubelet.outcomes.set(name, 1, Outcome::exit(1));
            world.kubelet.outcomes.set(name, 2, Outcome::outputs(r#"{"n": 1}"#));
        }
        create(world, "demo", &spec);
    };
    let tale = tale("kept", &begin, secs(3600));
    let mut world = tale.world(1);
    (tale.begin)(&mut world);
    world.run_for(secs(3600));
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"));
    let failed = world.server.pods().len() - succeeded(&world);
    assert!(sweeps(&world) > 1, "no pods left in mid-run");
    assert_eq!((failed, succeeded(&world)), (30, 0));
}

/// An edit that makes the spec invalid lets no pod go.
#[test]
fn failed_pods_stay_while_the_spec_is_invalid() {
    let mut world = tale("typo", &|_| {}, secs(3600)).world(1);
    world.kubelet.outcomes.set("bad", 1, Outcome::exit(65));
    let keep = json!({"failed": "2h"});
    create(&mut world, "demo", &json!({"image": "example.org/a:1", "keepPods": keep, "steps": [{"name": "bad"}]}));
    let soon = world.now.after(secs(60));
    world.run_until(soon, |world| !world.server.pods().is_empty());
    world.act(Act::Edit(key("demo"), json!({"spec": {"steps": [{"name": "bad", "needs": ["nobody"]}]}})));
    world.run_for(secs(3600));
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(world.store.runs.len(), 1);
    assert_eq!(world.server.pods().len(), 1, "the failed pod stays");
}

/// The same rows, whatever write the process dies at.
#[test]
fn a_long_run_survives_kills() {
    let spec = layers(132, 44);
    let begin = |world: &mut Workflows| {
        all_write(world, &spec);
        world.kubelet.outcomes.set("layer-001-step-003", 1, Outcome::exit(65));
        create(world, "demo", &spec);
    };
    let tale = tale("long", &begin, secs(3600));
    if factor() > 1 {
        let points = kill_everywhere(&tale, 1).unwrap_or_else(|found| panic!("{found}"));
        println!("{} kill points", points.len());
    }
    kill_often(&tale, 5 * factor(), 7).unwrap_or_else(|found| panic!("{found}"));
}
