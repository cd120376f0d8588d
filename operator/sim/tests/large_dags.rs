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
