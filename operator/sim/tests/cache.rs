//! Work that was done before is not done again, whatever happens meanwhile.

use crate::common::{Workflows, check, create, factor, phase, tale};
use hearth_plan::record::Relation;
use hearth_sim::{
    act::Act,
    clock::secs,
    outcome::Outcome,
    properties::{depose_everywhere, kill_everywhere, kill_often, stale_everywhere},
    samples::{PINNED, key, step},
    store::StepKey,
};
use serde_json::json;
use std::collections::BTreeSet;

const HOUR: std::time::Duration = secs(3600);
const STATUS_LIMIT: usize = 64 * 1024;

/// Two steps and three items, once done and once taken over; a step after them is not cached and runs in each run.
fn twice(world: &mut Workflows) {
    world.kubelet.outcomes.set("a", 1, Outcome::outputs(r#"{"n": 7, "unread": "u"}"#));
    let cache = json!({"maxAge": "30m"});
    let a = json!({"name": "a", "image": PINNED, "command": ["/a"], "cache": cache, "artifacts": {"out": [{"name": "t"}]},
        "outputs": [{"name": "n", "type": "integer"}, {"name": "unread"}]});
    let b = json!({"name": "b", "needs": ["a"], "image": PINNED, "args": ["${string(steps.a.outputs.n)}"], "cache": cache,
        "artifacts": {"in": [{"from": "a.t"}]}});
    let each = json!({"name": "each", "needs": ["a"], "image": PINNED, "forEach": {"items": [1, 2, 3]},
        "args": ["${string(item)}"], "cache": cache});
    let last = json!({"name": "last", "needs": ["b", "each"], "image": "example.org/last:1"});
    create(world, "demo", &json!({"steps": [a, b, each, last], "results": {"n": "${steps.a.outputs.n}"}}));
    world.run_for(secs(120));
    world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
}

/// Rows of steps and items whose work was taken over.
fn hits(world: &Workflows) -> BTreeSet<StepKey> {
    let rows = world.store.steps.iter().filter(|(_, row)| row.cached_from.is_some());
    rows.map(|(key, _)| key.clone()).collect()
}

/// A hit has no attempt, and no pod was made for it in that run.
fn hits_have_no_pods(world: &Workflows) {
    for (run, step, item, attempt) in hits(world) {
        assert_eq!(attempt, 0);
        let worked = |k: &&StepKey| (&k.0, &k.1, k.2) == (&run, &step, item) && k.3 > 0;
        assert_eq!(world.store.steps.keys().find(worked), None, "an attempt beside a hit");
        let intended =
            |i: &hearth_plan::Intent| (&i.run_id, &i.step) == (&run, &step) && i32::try_from(i.item) == Ok(item);
        assert!(
            !world.server.log().iter().any(|r| r.intent.as_ref().is_some_and(intended)),
            "a pod was asked for although {step}[{item}] was taken over"
        );
    }
}

#[test]
fn work_is_done_once_whatever_write_the_process_dies_at() {
    let tale = tale("twice", &twice, HOUR);
    let quiet = check(tale.undisturbed());
    assert_eq!((quiet.store.runs.len(), phase(&quiet, "demo").as_deref()), (2, Some("Succeeded")));
    assert_eq!(hits(&quiet).len(), 5, "two steps and three items");
    assert_eq!(quiet.kubelet.ledger().len(), 7, "the second run ran its last step alone");
    hits_have_no_pods(&quiet);
    assert!(quiet.store.steps.values().all(|row| row.terminal), "a row has no end");
    let cached: Vec<_> = quiet.store.lineage.iter().filter(|l| l.relation == Relation::Cached).collect();
    assert_eq!(cached.len(), 3, "one row for each step");
    let rows = quiet.store.steps.values().filter(|s| s.step == "a").map(|s| (&s.outputs, &s.artifacts));
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0], rows[1], "all that was written and left is taken over, also what nobody reads");
    let wrote = quiet.store.lineage.iter().filter(|l| l.relation == Relation::Wrote && l.step == "a").count();
    let read = quiet.store.lineage.iter().filter(|l| l.relation == Relation::Read && l.step == "b").count();
    assert_eq!((wrote, read), (2, 2), "in both runs");

    let points = check(kill_everywhere(&tale, 1));
    println!("{} kill points", points.len());
    check(kill_often(&tale, 15 * factor(), 20_261_122));
    check(depose_everywhere(&tale, 3));
    check(stale_everywhere(&tale, 7));
}

/// The hits of every disturbed telling have no pods either.
#[test]
fn a_hit_never_starts_a_pod() {
    let tale = tale("twice", &twice, HOUR);
    let writes = check(tale.undisturbed()).faults.writes;
    for write in 1..=writes {
        for mode in hearth_sim::fault::Mode::ALL {
            let mut world = tale.world(1);
            world.faults = hearth_sim::fault::Faults::at(&[(write, mode)]);
            check(tale.finish(&mut world));
            hits_have_no_pods(&world);
        }
    }
}

/// Nobody waits for a store that is away, and the record says why the work was done.
#[test]
fn without_the_store_the_work_is_done() {
    let begin = |world: &mut Workflows| {
        twice(world);
        world.act(Act::StoreDown);
        world.at(world.now.after(secs(600)), Act::StoreUp);
    };
    let tale = tale("store away", &begin, HOUR);
    let quiet = check(tale.undisturbed());
    assert_eq!(phase(&quiet, "demo").as_deref(), Some("Succeeded"));
    assert_eq!((hits(&quiet).len(), quiet.kubelet.ledger().len()), (0, 12));
    let doubts = quiet.store.events.values().filter(|e| e.transition == "CacheUnknown").count();
    assert_eq!(doubts, 3, "each step says so once");
    check(kill_everywhere(&tale, 2));
}

/// What many items take over goes through the status bit by bit, and is on record whole.
#[test]
fn many_hits_keep_the_status_small() {
    const ITEMS: u32 = 300;
    let begin = |world: &mut Workflows| {
        for index in 0..ITEMS {
            let unread = "x".repeat(500);
            let written = format!(r#"{{"n": {index}, "unread": "{unread}"}}"#);
            world.kubelet.outcomes.set(&format!("each[{index}]"), 1, Outcome::outputs(&written));
        }
        let items: Vec<_> = (0..ITEMS).collect();
        let each = json!({"name": "each", "image": PINNED, "forEach": {"items": items}, "args": ["${string(item)}"],
            "outputs": [{"name": "n", "type": "integer"}, {"name": "unread"}], "cache": {"maxAge": "1h"}});
        create(world, "demo", &json!({"parallelism": 100, "steps": [each]}));
        world.run_for(secs(600));
        world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
    };
    let tale = tale("many", &begin, HOUR);
    let mut world = tale.world(1);
    let mut longest = 0;
    let end = world.now.after(tale.length);
    world.run_until(end, |world| {
        let status = world.status(&key("demo"));
        longest = longest.max(status.map_or(0, |s| serde_json::to_vec(&s).unwrap().len()));
        false
    });
    check(hearth_sim::properties::verdict(&world));
    println!("status {longest} bytes at most, {} questions", world.reads.lookups);
    assert!(longest < STATUS_LIMIT, "the status was {longest} bytes long");
    assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"));
    assert_eq!(hits(&world).len(), ITEMS as usize);
    hits_have_no_pods(&world);
    let whole =
        hits(&world).iter().filter(|k| world.store.steps[*k].outputs["unread"].as_str().unwrap().len() == 500).count();
    assert_eq!(whole, ITEMS as usize, "the record has what the status let go of");
}

/// The process dies with hits in the status that nothing else tells of, and the next one has something to write at once.
#[test]
fn what_was_taken_over_stays_until_it_is_on_record() {
    let begin = |world: &mut Workflows| {
        for index in 0..3 {
            world.kubelet.outcomes.set(&format!("each[{index}]"), 1, Outcome::outputs(r#"{"unread": "u"}"#));
        }
        world.kubelet.outcomes.set("short", 1, Outcome::default().after(secs(1)));
        let each = json!({"name": "each", "image": PINNED, "forEach": {"items": [1, 2, 3]}, "args": ["${string(item)}"],
            "outputs": [{"name": "unread"}], "cache": {"maxAge": "30m"}});
        let after_each = step("after-each", &["each"]);
        create(
            world,
            "demo",
            &json!({"steps": [each, after_each, step("short", &[]), step("after-short", &["short"])]}),
        );
        world.run_for(secs(120));
        world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
    };
    let tale = tale("on record", &begin, HOUR);
    assert_eq!(hits(&check(tale.undisturbed())).len(), 3);
    check(kill_everywhere(&tale, 1));
}

/// A condition is asked when the step before it is over, also when that took no time at all.
#[test]
fn a_condition_after_a_hit_is_asked() {
    let begin = |world: &mut Workflows| {
        world.kubelet.outcomes.set("a", 1, Outcome::outputs(r#"{"n": 7}"#));
        let a = json!({"name": "a", "image": PINNED, "outputs": [{"name": "n", "type": "integer"}], "cache": {"maxAge": "1h"}});
        let none = json!({"name": "none", "image": PINNED, "forEach": {"items": []}});
        let when = |name: &str, need: &str, text: &str| json!({"name": name, "needs": [need], "when": text, "image": "example.org/b"});
        let steps = json!([
            a,
            none,
            when("b", "a", "${steps.a.outputs.n > 9}"),
            when("c", "none", "${steps.none.outputs.size() > 0}")
        ]);
        create(world, "demo", &json!({"steps": steps}));
        world.run_for(secs(120));
        world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
    };
    let world = check(tale("conditions", &begin, HOUR).undisturbed());
    assert_eq!(hits(&world).len(), 1);
    let skipped = world.store.steps.values().filter(|s| s.reason.as_deref() == Some("WhenFalse")).count();
    assert_eq!(skipped, 4, "both, in both runs");
    assert_eq!(world.kubelet.ledger().len(), 1);
}

/// A long run lists what was taken over until that is on record: only the status tells whose work it was.
#[test]
fn hits_of_a_long_run_keep_their_origin() {
    const STEPS: usize = 300;
    let begin = |world: &mut Workflows| {
        let name = |n: usize| format!("step-{n:03}");
        let step = |n: usize| {
            world.kubelet.outcomes.set(&name(n), 1, Outcome::outputs(&format!(r#"{{"n": {n}}}"#)));
            json!({"name": name(n), "image": PINNED, "args": [name(n)], "outputs": [{"name": "n", "type": "integer"}], "cache": {"maxAge": "1h"}})
        };
        let steps: Vec<_> = (0..STEPS).map(step).collect();
        create(world, "demo", &json!({"parallelism": 100, "steps": steps}));
        world.run_for(secs(600));
        world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
    };
    let tale = tale("long", &begin, HOUR);
    let quiet = check(tale.undisturbed());
    assert_eq!((quiet.store.runs.len(), phase(&quiet, "demo").as_deref()), (2, Some("Succeeded")));
    assert_eq!(hits(&quiet).len(), STEPS);
    hits_have_no_pods(&quiet);
    for at in &hits(&quiet) {
        let row = &quiet.store.steps[at];
        assert_eq!(format!("step-{:03}", row.outputs["n"].as_u64().unwrap()), row.step, "what it wrote is taken over");
    }
    check(kill_often(&tale, 3 * factor(), 20_261_122));
}
