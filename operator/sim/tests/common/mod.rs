//! What the suites share.

use hearth_plan::workflow::WorkflowKind;
use hearth_sim::{
    act::Act,
    clock::secs,
    lens,
    normal::{difference, normal},
    outcome::{End, Outcome, Pending},
    properties::Tale,
    samples::{self, key},
    world::World,
};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use std::time::Duration;

pub type Workflows = World<WorkflowKind>;

/// How many times as many cases as in the quick suite: HEARTH_SIM_CASES.
pub fn factor() -> usize {
    std::env::var("HEARTH_SIM_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1)
}

/// A runner with a fixed, printed seed.
pub fn runner(name: &str, seed: u8, cases: u32) -> TestRunner {
    let cases = cases * u32::try_from(factor()).unwrap();
    println!("{name}: seed {seed}, {cases} cases");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

pub fn tale<'a>(name: &'a str, begin: &'a dyn Fn(&mut Workflows), length: Duration) -> Tale<'a, WorkflowKind> {
    Tale { name, lens: lens::workflow(), begin, length, normal, difference }
}

pub fn create(world: &mut Workflows, name: &str, spec: &Value) {
    world.act(Act::Create(key(name), samples::workflow(spec)));
}

pub fn happy_diamond(world: &mut Workflows) {
    world.kubelet.outcomes.set("a", 1, Outcome::outputs(samples::DIAMOND_OUTPUT));
    create(world, "demo", &samples::diamond());
}

/// The diamond, where b fails twice before it succeeds and c loses its node's favour once.
pub fn rough_diamond(world: &mut Workflows) {
    let mut spec = samples::diamond();
    spec["steps"][1]["retry"] = serde_json::json!({"limit": 3, "backoff": {"base": "3s"}});
    world.kubelet.outcomes.set("a", 1, Outcome::outputs(samples::DIAMOND_OUTPUT));
    world.kubelet.outcomes.set("b", 1, Outcome::exit(1));
    world.kubelet.outcomes.set("b", 2, Outcome::exit(2));
    world.kubelet.outcomes.set("b", 3, Outcome::default());
    world.kubelet.outcomes.set(
        "c",
        1,
        Outcome { pending: Pending::Nothing, run_for: secs(4), end: End::Evicted { own_limits: false } },
    );
    world.kubelet.outcomes.set("c", 2, Outcome::default());
    create(world, "demo", &spec);
}

/// One step fails for good, so that one is skipped.
pub fn failing(world: &mut Workflows) {
    world.kubelet.outcomes.set("a", 1, Outcome::outputs(samples::DIAMOND_OUTPUT));
    world.kubelet.outcomes.set("b", 1, Outcome::exit(65));
    create(world, "demo", &samples::diamond());
}

pub fn phase(world: &Workflows, name: &str) -> Option<String> {
    world.status(&key(name)).and_then(|s| s.phase).map(|p| p.as_str().to_owned())
}

/// What a property found, as the failure of a test.
pub fn check<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|found| panic!("{found}"))
}
