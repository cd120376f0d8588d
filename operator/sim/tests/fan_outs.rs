//! Large fan-outs: what is written stays small, and pods that are recorded leave in mid-run.

use crate::common::{Workflows, create, factor, phase, tale};
use hearth_sim::{
    clock::secs,
    outcome::Outcome,
    properties::{kill_everywhere, kill_often},
    samples::key,
};
use serde_json::json;

const ITEMS: u32 = 600;
const STATUS_LIMIT: usize = 64 * 1024;

/// Every third item fails once, every hundredth for good.
fn many(world: &mut Workflows) {
    for index in 0..ITEMS {
        let name = format!("each[{index}]");
        if index % 100 == 50 {
            world.kubelet.outcomes.set(&name, 1, Outcome::exit(65));
        } else if index % 3 == 1 {
            world.kubelet.outcomes.set(&name, 1, Outcome::exit(1));
            world.kubelet.outcomes.set(&name, 2, Outcome::default());
        }
    }
    let items: Vec<_> = (0..ITEMS).collect();
    let spec = json!({
        "image": "example.org/a:1", "parallelism": 100,
        "steps": [{"name": "each", "forEach": {"items": items}, "args": ["${string(item)}"], "retry": {"limit": 2, "backoff": {"base": "1s"}}}],
    });
    create(world, "demo", &spec);
}

#[test]
fn a_fan_out_stays_small() {
    let tale = tale("many", &many, secs(3600));
    let mut world = tale.world(1);
    let (mut longest, mut most_pods) = (0, 0);
    (tale.begin)(&mut world);
    let end = world.now.after(tale.length);
    world.run_until(end, |world| {
        let status = world.status(&key("demo"));
        longest = longest.max(status.map_or(0, |s| serde_json::to_vec(&s).unwrap().len()));
        most_pods = most_pods.max(world.server.pods().len());
        false
    });
    assert_eq!(world.violations(), &[] as &[String]);
    assert_eq!(phase(&world, "demo").as_deref(), Some("Failed"));
    println!("status {longest} bytes at most, {most_pods} pods at one time");
    assert!(longest < STATUS_LIMIT, "the status was {longest} bytes long");
    assert!(most_pods < 500, "{most_pods} pods were there at one time");
    let rows: Vec<_> = world.store.steps.values().collect();
    let over = |phase: &str| rows.iter().filter(|r| r.phase == phase).count();
    let (once, never) = ((0..ITEMS).filter(|i| i % 3 == 1 && i % 100 != 50).count(), (ITEMS / 100) as usize);
    assert_eq!(over("Succeeded"), ITEMS as usize - never);
    assert_eq!(over("Failed"), once + never);
    assert!(rows.iter().all(|r| r.terminal), "a row has no end");
}

/// The same rows, whatever write the process dies at.
#[test]
fn a_fan_out_survives_kills() {
    let begin = |world: &mut Workflows| {
        world.kubelet.outcomes.set("each[2]", 1, Outcome::exit(1));
        world.kubelet.outcomes.set("each[2]", 2, Outcome::default());
        let spec = json!({
            "image": "example.org/a:1", "parallelism": 3,
            "steps": [{"name": "each", "forEach": {"items": [1, 2, 3, 4, 5]}, "retry": {"limit": 1}}],
            "onExit": {"name": "exit", "args": ["${run.phase}"]},
        });
        create(world, "demo", &spec);
    };
    let tale = tale("items", &begin, secs(3600));
    let points = kill_everywhere(&tale, 1).unwrap_or_else(|found| panic!("{found}"));
    println!("{} kill points", points.len());
    kill_often(&tale, 15 * factor(), 7).unwrap_or_else(|found| panic!("{found}"));
}
