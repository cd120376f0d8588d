//! Crash prefix, stale reads, changes of leader: the guarantees of protocol.md under every disturbance.

use crate::common::{Workflows, check, create, factor, failing, happy_diamond, phase, rough_diamond, tale};
use hearth_plan::record::Relation;
use hearth_sim::{
    act::Act,
    clock::secs,
    lens,
    normal::normal,
    outcome::{End, Outcome},
    properties::{at_rest, depose_everywhere, kill_everywhere, kill_often, stale_everywhere, verdict},
    samples::{DIAMOND_OUTPUT, diamond, key, step, workflow},
    world::{Disorder, Halt},
};
use serde_json::json;

const HOUR: std::time::Duration = secs(3600);

/// The quick suite takes every so many-th point; with HEARTH_SIM_CASES all of them.
fn stride(quick: usize) -> usize {
    if factor() > 1 { 1 } else { quick }
}

/// One step runs a template that fails, twice, and one a template that does not; in the other tale their caller is stopped.
#[test]
fn what_a_step_calls_runs_once_per_attempt() {
    let template = |world: &mut Workflows, name: &str| {
        let inner = json!({"name": name, "image": "example.org/a"});
        create(world, &format!("run-{name}"), &json!({"runPolicy": "Manual", "steps": [inner]}));
    };
    let call = |name: &str, retry: u32| {
        json!({"name": format!("call-{name}"), "needs": ["a"], "workflow": {"ref": format!("run-{name}")},
            "retry": {"limit": retry, "backoff": {"base": "5s"}}})
    };
    let again = |world: &mut Workflows| {
        template(world, "bad");
        template(world, "good");
        world.kubelet.outcomes.set("bad", 1, Outcome { end: End::Exit(1, String::new()), ..Outcome::default() });
        create(
            world,
            "demo",
            &json!({"steps": [step("a", &[]), call("bad", 1), call("good", 1), step("b", &["call-good"])]}),
        );
    };
    let stopped = |world: &mut Workflows| {
        template(world, "bad");
        world.kubelet.outcomes.set("bad", 1, Outcome { end: End::Never, ..Outcome::default() });
        create(world, "demo", &json!({"steps": [step("a", &[]), call("bad", 0)]}));
        world.run_for(secs(60));
        world.act(Act::Cancel(key("demo")));
    };
    for (name, begin, runs, end) in [
        ("tried again", &again as &dyn Fn(&mut Workflows), 4, "Failed"),
        ("stopped", &stopped as &dyn Fn(&mut Workflows), 2, "Cancelled"),
    ] {
        let tale = tale(name, begin, 4 * HOUR);
        let quiet = check(tale.undisturbed());
        assert_eq!((quiet.store.runs.len(), phase(&quiet, "demo").as_deref()), (runs, Some(end)));
        let called =
            quiet.store.lineage.iter().filter(|l| l.relation == Relation::Called && l.step.starts_with("call-"));
        assert_eq!(called.count(), runs - 1, "each knows who asked for it");
        let left: Vec<_> =
            quiet.server.crs().keys().filter(|k| k.1 != "demo" && k.1.len() > "run-good".len()).collect();
        assert!(left.is_empty(), "run objects go when their time is over: {left:?}");
        let points = check(kill_everywhere(&tale, stride(2)));
        assert!(runs == 2 || points.iter().any(|p| p.contains("create object")), "{points:?}");
        check(kill_often(&tale, 15 * factor(), 20_261_122));
        check(depose_everywhere(&tale, stride(3)));
    }
}

/// The log of every attempt is stored whole before its pod goes, whatever write the process dies at, and also when the place
/// for logs is away until long after the run.
#[test]
fn whole_logs_are_stored_before_their_pods_go() {
    let begin = |world: &mut Workflows| {
        world.kubelet.outcomes.set("a", 1, Outcome { end: End::Exit(1, String::new()), ..Outcome::default() });
        world.kubelet.outcomes.set("a", 2, Outcome::default());
        let full = |name: &str, needs: &[&str]| {
            let mut step = step(name, needs);
            step["logs"] = json!("Full");
            step["retry"] = json!({"limit": 1});
            step
        };
        create(world, "demo", &json!({"steps": [full("a", &[]), step("b", &["a"]), full("c", &["a"])]}));
        world.at(world.now.after(secs(5)), Act::ArtifactsDown);
        world.at(world.now.after(secs(600)), Act::ArtifactsUp);
    };
    let tale = tale("whole logs", &begin, HOUR);
    let quiet = check(tale.undisturbed());
    let kept: Vec<_> =
        quiet.whole_logs.kept.iter().map(|(of, log)| (of.step.as_str(), of.attempt, log.is_ok())).collect();
    assert_eq!(kept, [("a", 1, true), ("a", 2, true), ("c", 1, true)]);
    assert!(quiet.server.pods().is_empty(), "pods go in the end");
    check(kill_everywhere(&tale, 1));
    check(kill_often(&tale, 15 * factor(), 20_261_122));
    check(depose_everywhere(&tale, stride(3)));
}

/// One row per run, with the end of the undisturbed run, whatever write the process dies at.
#[test]
fn guarantee_1_each_run_has_exactly_one_row_with_its_true_end() {
    for (name, begin) in [("diamond", &happy_diamond as &dyn Fn(&mut Workflows)), ("failing", &failing)] {
        let tale = tale(name, begin, HOUR);
        let quiet = check(tale.undisturbed());
        assert_eq!(quiet.store.runs.len(), 1);
        assert_eq!(phase(&quiet, "demo").as_deref(), Some(if name == "failing" { "Failed" } else { "Succeeded" }));
        let points = check(kill_everywhere(&tale, 1));
        for point in &points {
            println!("{point}");
        }
        assert!(
            points.iter().any(|p| p.contains("create pod"))
                && points.iter().any(|p| p.contains("Succeeded") || p.contains("Failed"))
        );
    }
}

/// The same for a run with retries and a free infrastructure failure: the ledger shows one pod per attempt.
#[test]
fn guarantee_2_at_most_one_pod_runs_per_attempt() {
    let tale = tale("rough diamond", &rough_diamond, HOUR);
    assert_eq!(phase(&check(tale.undisturbed()), "demo").as_deref(), Some("Succeeded"));
    let points = check(kill_everywhere(&tale, stride(2)));
    println!("{} kill points", points.len());
}

#[test]
fn guarantee_2_holds_with_many_faults_in_a_disorderly_world() {
    let seed = 20_260_105;
    println!("seed {seed}");
    for (name, begin) in [("diamond", &happy_diamond as &dyn Fn(&mut Workflows)), ("rough diamond", &rough_diamond)] {
        check(kill_often(&tale(name, begin, secs(7200)), 25 * factor(), seed));
    }
}

/// Late and repeated batches, repeated watch events, late passes: an end stays as it is.
#[test]
fn guarantee_3_terminal_is_terminal() {
    let tale = tale("diamond", &failing, HOUR);
    let mut world = tale.world(3);
    world.disorder = Disorder { shuffled: true, repeats: 2, relists: 5, stale_start: 0 };
    check(tale.finish(&mut world));
    let (runs, steps, events) = (world.store.runs.clone(), world.store.steps.clone(), world.store.events.clone());
    let status = world.status(&key("demo"));
    for position in 0..world.server.journal().len() {
        world.stale_pass(position);
    }
    check(tale.finish(&mut world));
    assert_eq!(world.store.steps, steps, "rows of steps changed after the end");
    assert_eq!(world.store.runs, runs, "the run's row changed after the end");
    assert_eq!(world.store.events, events, "events were added after the end");
    assert_eq!(world.status(&key("demo")).and_then(|s| s.phase), status.and_then(|s| s.phase));
}

/// Deletion after every change of the world, with the store up and down.
#[test]
fn guarantee_4_a_deleted_objects_run_is_recorded() {
    let quiet = check(tale("rough diamond", &rough_diamond, HOUR).undisturbed());
    let (mut bad, mut held) = (Vec::new(), 0);
    for at in (0..quiet.server.journal().len()).step_by(stride(3)) {
        for down in [false, true] {
            let mut world = Workflows::new(lens::workflow(), 1);
            rough_diamond(&mut world);
            world.run_until(world.now.after(HOUR), |w| w.server.journal().len() > at);
            let begun = world.status(&key("demo")).is_some_and(|s| s.run.is_some());
            if down {
                world.act(Act::StoreDown);
            }
            let stored = world.store.runs.values().any(|r| r.terminal);
            world.act(Act::Delete(key("demo")));
            world.run_for(secs(1200));
            let there = world.server.cr(&key("demo")).is_some();
            if down && begun && !stored {
                held += usize::from(there);
                if !there {
                    bad.push(format!("change {at}: gone while the store was away"));
                }
                world.act(Act::StoreUp);
                world.run_for(secs(1200));
            }
            if world.server.cr(&key("demo")).is_some() {
                bad.push(format!("change {at}, store down {down}: it never goes"));
            }
            if begun && !world.store.runs.values().all(|r| r.terminal && r.finished_at.is_some()) {
                bad.push(format!("change {at}, store down {down}: the end is not recorded"));
            }
            if let Err(found) = verdict(&world) {
                bad.push(format!("change {at}, store down {down}: {found}"));
            }
            if !world.server.pods().is_empty() {
                bad.push(format!("change {at}, store down {down}: pods are left"));
            }
        }
    }
    println!("held {held} times");
    assert!(held > 2);
    assert!(bad.is_empty(), "{} failed:\n{}", bad.len(), bad.iter().take(8).cloned().collect::<Vec<_>>().join("\n"));
}

/// What is asked by status is done once, whatever write the process dies at: an approval, two more runs and an end.
#[test]
fn guarantee_5_a_request_is_done_once() {
    let ask = |world: &mut Workflows, id: &str, kind: &str, more: serde_json::Value| {
        let mut entry = json!({"id": id, "kind": kind});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.act(Act::Request(key("demo"), entry));
    };
    let begin = |world: &mut Workflows| {
        let gate = json!({"name": "gate", "needs": ["a"], "approval": {"message": "go on?"}, "timeout": "1m"});
        create(world, "demo", &json!({"steps": [step("a", &[]), gate, step("b", &["gate"])]}));
        world.run_for(secs(20));
        ask(world, "gate", "Approve", json!({"step": "gate"}));
        ask(world, "again", "Rerun", json!({}));
        ask(world, "more", "Rerun", json!({"from": "Failed"}));
    };
    let tale = tale("requests", &begin, HOUR);
    let quiet = check(tale.undisturbed());
    let triggers: Vec<&str> = quiet.store.runs.values().map(|r| r.trigger.as_str()).collect();
    assert_eq!(triggers.iter().filter(|t| **t == "Requested").count(), 2, "{triggers:?}");
    assert_eq!(triggers.len(), 3, "each request is one run");
    let status = quiet.status(&key("demo")).unwrap();
    assert!(status.requests.is_empty(), "answered requests go: {:?}", status.requests);
    let by = quiet.store.events.values().filter(|e| e.message.as_deref() == Some("requested by ada")).count();
    assert_eq!(by, 2, "rows keep who asked");
    let points = check(kill_everywhere(&tale, 1));
    println!("{} kill points", points.len());
    check(kill_often(&tale, 15 * factor(), 20_261_121));

    let stopped = |world: &mut Workflows| {
        world.kubelet.outcomes.set("a", 1, Outcome { end: End::Never, ..Outcome::default() });
        create(world, "demo", &json!({"steps": [step("a", &[])]}));
        world.run_for(secs(20));
        ask(world, "hold", "Suspend", json!({}));
        ask(world, "end", "Cancel", json!({}));
        ask(world, "again", "Rerun", json!({}));
        world.run_for(secs(60));
        world.kubelet.outcomes.set("a", 1, Outcome::default());
        ask(world, "go", "Resume", json!({}));
    };
    let tale = crate::common::tale("suspended, stopped and run again", &stopped, HOUR);
    let quiet = check(tale.undisturbed());
    assert_eq!(phase(&quiet, "demo").as_deref(), Some("Succeeded"));
    assert_eq!(quiet.store.runs.len(), 2);
    check(kill_everywhere(&tale, 1));
}

/// A panic, an object that does not decode, a refused row and a full namespace stop nobody else.
#[test]
fn guarantee_6_one_bad_object_stops_nobody_else() {
    type Poison<'a> = (&'a str, &'a dyn Fn(&mut Workflows));
    let poisons: [Poison<'_>; 4] = [
        ("panic", &|w| w.act(Act::Panic(key("bad")))),
        ("corrupt", &|w| w.act(Act::Corrupt(key("bad")))),
        ("row", &|w| w.store.refuses.push("bad".to_owned())),
        ("refused pods", &|w| {
            w.act(Act::Refuse(
                Some("bad-step".to_owned()),
                hearth_sim::server::ApiError::new(403, "Forbidden", "violates PodSecurity"),
                None,
            ))
        }),
    ];
    for (name, poison) in poisons {
        for first in [true, false] {
            let mut world = Workflows::new(lens::workflow(), 1);
            let bad = workflow(&json!({"steps": [step("bad-step", &[])], "pendingTimeout": "2m"}));
            if first && name == "corrupt" {
                continue;
            }
            if first {
                poison(&mut world);
            }
            world.act(Act::Create(key("bad"), bad));
            world.run_for(secs(1));
            if !first {
                poison(&mut world);
            }
            happy_diamond(&mut world);
            world.run_for(HOUR);
            assert_eq!(verdict(&world), Ok(()), "{name}");
            assert_eq!(phase(&world, "demo").as_deref(), Some("Succeeded"), "{name}: the neighbour did not complete");
            let raw = world.raw(&key("bad")).map(|r| r.to_string()).unwrap_or_default();
            if matches!(name, "panic" | "corrupt") {
                assert!(raw.contains("Stalled") && raw.contains("Poisoned"), "{name}: {raw}");
            }
            world.act(Act::Delete(key("bad")));
            world.run_for(HOUR);
            if name != "panic" {
                assert!(world.server.cr(&key("bad")).is_none(), "{name}: the bad object is not let go");
            }
            assert_eq!(verdict(&world), Ok(()), "{name}");
        }
    }
}

/// The old leader has a pass under way when another takes over; nobody has to do anything.
#[test]
fn guarantee_7_a_change_of_leader_needs_nobody() {
    for (name, begin) in [("diamond", &happy_diamond as &dyn Fn(&mut Workflows)), ("failing", &failing)] {
        let points = check(depose_everywhere(&tale(name, begin, HOUR), stride(3)));
        println!("{name}: {points} points");
        assert!(points > 10);
    }
}

#[test]
fn a_stale_read_deletes_and_repeats_nothing() {
    let tried = check(stale_everywhere(&tale("rough diamond", &rough_diamond, HOUR), stride(7)));
    println!("{tried} stale passes");
}

/// The store is away at every change of the world, for a while or over a crash.
#[test]
fn the_store_may_go_at_any_time() {
    let tale = tale("rough diamond", &rough_diamond, HOUR);
    let quiet = check(tale.undisturbed());
    let want = normal(&quiet);
    let mut bad = Vec::new();
    for at in (0..quiet.server.journal().len()).step_by(stride(3)) {
        for crash in [false, true] {
            let mut world = tale.world(1);
            world.run_until(world.now.after(HOUR), |w| w.server.journal().len() > at);
            world.act(Act::StoreDown);
            world.run_for(secs(120));
            if crash {
                world.act(Act::Restart);
                world.run_for(secs(30));
            }
            world.act(Act::StoreUp);
            if let Err(found) = tale.compare(&mut world, &want) {
                bad.push(format!("store away after change {at}, crash {crash}: {found}"));
            }
        }
    }
    assert!(bad.is_empty(), "{} failed:\n{}", bad.len(), bad.iter().take(8).cloned().collect::<Vec<_>>().join("\n"));
}

/// Runs end while the store is away and new ones are wanted: the object is the spool, and all rows come in the end.
#[test]
fn the_object_is_the_spool() {
    let begin = |world: &mut Workflows| {
        world.kubelet.outcomes.set("a", 1, Outcome::outputs(DIAMOND_OUTPUT));
        world.act(Act::StoreDown);
        create(world, "demo", &diamond());
        for n in 1..=3u64 {
            world.at(
                world.now.after(secs(60 * n)),
                Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": n.to_string()}}})),
            );
        }
        world.at(world.now.after(secs(600)), Act::StoreUp);
    };
    let tale = tale("spool", &begin, HOUR);
    let quiet = check(tale.undisturbed());
    assert_eq!(quiet.store.runs.len(), 4);
    assert!(quiet.store.runs.values().all(|r| r.phase == "Succeeded"));
    check(at_rest(&quiet, &key("demo")));
    let points = check(kill_everywhere(&tale, stride(9)));
    println!("{} kill points", points.len());
}

/// Nothing is planned any more for a run that is over and stored.
#[test]
fn what_is_over_stays_over() {
    for begin in [&happy_diamond as &dyn Fn(&mut Workflows), &rough_diamond, &failing] {
        let world = check(tale("rest", begin, HOUR).undisturbed());
        check(at_rest(&world, &key("demo")));
        assert!(world.server.pods().is_empty(), "pods are left");
    }
}

/// Budget of protocol.md: 20 writes for an object's first run, 18 for every later one, and no read per pod.
#[test]
fn budget_of_api_writes_for_a_ten_step_diamond() {
    let mut world = Workflows::new(lens::workflow(), 1);
    create(&mut world, "demo", &hearth_sim::samples::ten_steps());
    assert_eq!(world.run_for(HOUR), Halt::Rest);
    let first = world.server.tally(0);
    let mark = world.server.log().len();
    world.act(Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": "again"}}})));
    assert_eq!(world.run_for(HOUR), Halt::Rest);
    let later = world.server.tally(mark);
    println!("first: {first:?}\nlater: {later:?}\nreads: {:?}", world.reads);
    assert_eq!(verdict(&world), Ok(()));
    assert_eq!(world.store.runs.values().filter(|r| r.phase == "Succeeded").count(), 2);
    assert!(first.total() <= 20, "{first:?}");
    assert!(later.total() <= 18, "{later:?}");
    assert_eq!(world.reads.gets + world.reads.logs, 0);
}

/// The budget holds too when the pods of a level end one after another within the pause between progress patches.
#[test]
fn budget_of_api_writes_when_pods_end_one_by_one() {
    let mut world = Workflows::new(lens::workflow(), 1);
    for (i, name) in (0u64..).zip(["b1", "b2", "b3", "b4", "c1", "c2", "c3", "c4"]) {
        world.kubelet.outcomes.set(
            name,
            1,
            Outcome::default().after(std::time::Duration::from_millis(500 + 300 * (i % 4))),
        );
    }
    create(&mut world, "demo", &hearth_sim::samples::ten_steps());
    assert_eq!(world.run_for(HOUR), Halt::Rest);
    let first = world.server.tally(0);
    println!("first: {first:?}");
    assert!(first.total() <= 20, "{first:?}");
}

/// The widest Workflow, every step failing as often as it may with long words: the status stays below 64 KiB (the judge
/// weighs each one), and the run ends.
#[test]
fn the_widest_status_stays_small() {
    let mut world = Workflows::new(lens::workflow(), 1);
    let steps: Vec<_> = (0..128)
        .map(|i| {
            let name = format!("{i:03}-{}", "x".repeat(48));
            let words = hearth_sim::outcome::End::Exit(1, "a long complaint ".repeat(200));
            world.kubelet.outcomes.set(&name, 1, Outcome { end: words, ..Outcome::default() });
            let mut step = step(&name, &[]);
            step["retry"] = json!({"limit": 2, "backoff": {"base": "1s"}});
            step
        })
        .collect();
    create(&mut world, "demo", &json!({ "steps": steps, "parallelism": 128 }));
    world.run_for(HOUR);
    check(verdict(&world));
    assert_eq!(phase(&world, "demo").as_deref(), Some("Failed"));
    assert_eq!(world.kubelet.ledger().len(), 384);
    let size = world.raw(&key("demo")).map(|r| r["status"].to_string().len());
    println!("{size:?} bytes at the end");
}
