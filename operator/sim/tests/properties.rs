//! Properties over arbitrary Workflows, fates and deeds.

use crate::common::{Workflows, runner};
use hearth_crds::workflow::Workflow;
use hearth_plan::{
    Accepted, Facts, Kind,
    facts::{ContainerFact, PodFact, PodPhase, Post, Refusal},
    workflow::WorkflowKind,
};
use hearth_sim::{
    act::Act,
    arbitrary::{CALM_AFTER, Story, calm, fair_story, odd_spec, story},
    clock::{Dice, begin, secs},
    fault::{Faults, Mode},
    lens,
    properties::{at_rest, deterministic, fixpoint, verdict},
    samples::{key, workflow},
    world::{Disorder, Halt},
};
use proptest::{prelude::*, test_runner::TestCaseError};
use std::sync::Arc;

fn fail(text: impl Into<String>) -> TestCaseError {
    TestCaseError::fail(text.into())
}

fn told(story: &Story, seed: u64, disorder: Disorder, faults: &[(usize, Mode)]) -> Workflows {
    let mut world = Workflows::new(lens::workflow(), seed);
    world.disorder = disorder;
    world.faults = Faults::at(faults);
    world.kubelet.outcomes = story.outcomes.clone();
    for (at, act) in &story.acts {
        world.at(*at, act.clone());
    }
    for act in calm() {
        world.at(begin().after(CALM_AFTER), act);
    }
    world.act(Act::Create(key("demo"), workflow(&story.spec)));
    world
}

/// Every story ends: the run is over and stored, or the object is gone, and no pod is left.
fn ended(world: &Workflows, strict: bool) -> Result<(), TestCaseError> {
    verdict(world).map_err(fail)?;
    if let Some(status) = world.status(&key("demo")) {
        let over = status.phase.is_some_and(|p| p.is_terminal());
        if !over {
            return Err(fail(format!("the run does not end: {status:#?}")));
        }
        if !world.store.has_end(&status.run.as_ref().map(|r| r.id.clone()).unwrap_or_default()) {
            return Err(fail("the end is not stored"));
        }
    } else if world.server.cr(&key("demo")).is_some() {
        return Err(fail("the object has no status"));
    }
    // An ended pod whose labels somebody took away is as good as gone for every watch: it goes with its object.
    let seen = |p: &k8s_openapi::api::core::v1::Pod| {
        hearth_sim::trim::is_watched(p) || (strict && !hearth_sim::server::is_over(p))
    };
    let ours = world.server.pods().values().filter(|p| p.metadata.owner_references.is_some() && seen(p)).count();
    if ours > 0 {
        return Err(fail(format!("{ours} pods are left")));
    }
    at_rest(world, &key("demo")).map_err(fail)
}

fn fault() -> impl Strategy<Value = (usize, Mode)> {
    (1usize..60, proptest::sample::select(Mode::ALL.to_vec()))
}

fn any_disorder() -> impl Strategy<Value = Disorder> {
    (any::<bool>(), 0usize..8, 0usize..12, 0usize..8).prop_map(|(shuffled, repeats, relists, stale_start)| Disorder {
        shuffled,
        repeats: if repeats == 1 { 0 } else { repeats },
        relists: if relists == 1 { 0 } else { relists },
        stale_start,
    })
}

const LONG: u64 = 4 * 3600;

#[test]
fn any_story_ends_well_in_order() {
    runner("stories in order", 1, 40)
        .run(&(story(), any::<u64>()), |(story, seed)| {
            let mut world = told(&story, seed, Disorder::default(), &[]);
            let halt = world.run_for(secs(LONG));
            ended(&world, !story.acts.iter().any(|(_, a)| matches!(a, Act::Restart | Act::Depose)))?;
            prop_assert_eq!(halt, Halt::Rest);
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_story_ends_well_in_disorder_and_with_faults() {
    runner("stories in disorder", 2, 60)
        .run(
            &(story(), any::<u64>(), any_disorder(), prop::collection::vec(fault(), 0..4)),
            |(story, seed, disorder, faults)| {
                let mut world = told(&story, seed, disorder, &faults);
                world.run_for(secs(LONG));
                ended(&world, false)
            },
        )
        .unwrap();
}

/// Pods that succeed and circumstances that are not anybody's wish: the run succeeds, always.
#[test]
fn a_fair_story_succeeds_whatever_happens() {
    runner("fair stories", 3, 40)
        .run(
            &(fair_story(), any::<u64>(), any_disorder(), prop::collection::vec(fault(), 0..4)),
            |(story, seed, disorder, faults)| {
                let mut world = told(&story, seed, disorder, &faults);
                world.run_for(secs(LONG));
                ended(&world, true)?;
                let phase = world.status(&key("demo")).and_then(|s| s.phase).map(|p| p.as_str());
                prop_assert_eq!(phase, Some("Succeeded"));
                Ok(())
            },
        )
        .unwrap();
}

fn cr_of(spec: &serde_json::Value) -> Option<Workflow> {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "spec": spec,
        "metadata": {"name": "demo", "namespace": "lab", "uid": "00000000-0000-4000-8000-00000000aaaa", "generation": 1, "resourceVersion": "1", "finalizers": ["hearth.dev/record"]},
    }))
    .ok()
}

/// Specs that say nothing sensible: no panic, one verdict, and no pods unless it is a valid one after all.
#[test]
fn odd_specs_are_answered() {
    runner("odd specs", 4, 100)
        .run(&odd_spec(), |spec| {
            let Some(cr) = cr_of(&spec) else { return Ok(()) };
            let world = Workflows::new(lens::workflow(), 1);
            let mut dice = Dice::new(4);
            deterministic::<WorkflowKind>(&cr, &Facts::default(), world.env(), world.now, &mut dice).map_err(fail)?;
            fixpoint::<WorkflowKind>(&cr, &Facts::default(), world.env(), world.now).map_err(fail)?;
            let mut world = Workflows::new(lens::workflow(), 1);
            world.act(Act::Create(key("demo"), workflow(&spec)));
            let halt = world.run_for(secs(LONG));
            verdict(&world).map_err(fail)?;
            prop_assert_ne!(halt, Halt::Circles);
            let raw = world.raw(&key("demo")).map(|r| r.to_string()).unwrap_or_default();
            prop_assert!(raw.contains("conditions"), "nothing is said of it: {}", raw);
            Ok(())
        })
        .unwrap();
}

/// What may be changed in a fact so that it is one that nobody expects.
fn twist(pod: &mut PodFact, dice: &mut Dice, now: hearth_crds::time::Time) {
    match dice.below(16) {
        0 => pod.phase = PodPhase::Succeeded,
        1 => pod.phase = PodPhase::Failed,
        2 => pod.phase = PodPhase::Unknown,
        3 => pod.gone = !pod.gone,
        4 => pod.placeholder = !pod.placeholder,
        5 => pod.owned = !pod.owned,
        6 => pod.labels.clear(),
        7 => pod.labels.values_mut().for_each(|v| *v = "\u{fffd}".repeat(dice.below(80))),
        8 => pod.deleting_at = Some(now),
        9 => pod.container = ContainerFact::None,
        10 => {
            pod.container = ContainerFact::Ended {
                exit_code: i32::try_from(dice.below(300)).unwrap_or(0) - 20,
                reason: ["Completed", "Error", "OOMKilled", "ContainerStatusUnknown", ""][dice.below(5)].to_owned(),
                message: ["", "{", "{\"n\": 3}", "[1]", "\u{0}"][dice.below(5)].to_owned(),
                started_at: None,
                finished_at: Some(now),
            };
        }
        11 => pod.container = ContainerFact::Waiting { reason: "ImagePullBackOff".to_owned(), message: String::new() },
        12 => pod.unscheduled = Some((String::new(), "no".to_owned())),
        13 => pod.disruption = Some(("DeletionByTaintManager".to_owned(), String::new())),
        14 => pod.uid.clear(),
        _ => pod.created_at = None,
    }
}

fn twisted(facts: &Facts, dice: &mut Dice, now: hearth_crds::time::Time) -> Facts {
    let mut facts = facts.clone();
    let names: Vec<String> = facts.pods.keys().cloned().collect();
    for name in names {
        match dice.below(4) {
            0 => {
                if let Some(pod) = facts.pods.get_mut(&name).map(Arc::make_mut) {
                    twist(pod, dice, now);
                    twist(pod, dice, now);
                }
            }
            1 => {
                facts.pods.remove(&name);
                let refusal = Refusal {
                    code: 403,
                    reason: "Forbidden".to_owned(),
                    message: "exceeded quota".to_owned(),
                    at: now,
                };
                let post = match dice.below(5) {
                    0 => Post::Created,
                    1 => Post::Uncertain,
                    2 => Post::Refused(refusal),
                    3 => Post::Unfenced(refusal),
                    _ => Post::Stranger { what: "Pod/x".to_owned() },
                };
                facts.posts.insert(name, post);
            }
            _ => {}
        }
    }
    if dice.one_in(4) {
        facts.revisions.clear();
    }
    facts.store_up ^= dice.one_in(3);
    facts.namespace_terminating = dice.one_in(6);
    facts
}

/// Facts that nobody expects, at any moment of any story: no panic, one plan, and a status that settles.
#[test]
fn odd_facts_are_answered() {
    runner("odd facts", 5, 15)
        .run(&(story(), any::<u64>()), |(story, seed)| {
            let mut world = told(&story, seed, Disorder::default(), &[]);
            let mut dice = Dice::new(seed);
            for _ in 0..12 {
                world.run_for(std::time::Duration::from_millis(700));
                let Some((cr, facts)) = world.leader().and_then(|d| d.look(&key("demo"), world.env())) else {
                    continue;
                };
                deterministic::<WorkflowKind>(&cr, &facts, world.env(), world.now, &mut dice).map_err(fail)?;
                fixpoint::<WorkflowKind>(&cr, &facts, world.env(), world.now).map_err(fail)?;
                for _ in 0..4 {
                    let odd = twisted(&facts, &mut dice, world.now);
                    let plan =
                        deterministic::<WorkflowKind>(&cr, &odd, world.env(), world.now, &mut dice).map_err(fail)?;
                    fixpoint::<WorkflowKind>(&cr, &odd, world.env(), world.now).map_err(fail)?;
                    starts_are_intended(&cr, &plan, &odd, &world)?;
                }
            }
            Ok(())
        })
        .unwrap();
}

/// Each intent of a plan gives one pod, by a name of its own, with our ownerReference; each fence a gated one of the same name.
fn starts_are_intended(
    cr: &Workflow,
    plan: &hearth_plan::Plan<hearth_crds::workflow::WorkflowStatus>,
    facts: &Facts,
    world: &Workflows,
) -> Result<(), TestCaseError> {
    let Some(status) = plan.status.clone().or_else(|| cr.status.clone()) else { return Ok(()) };
    let accepted = Accepted::by_server(status);
    let both: Vec<_> = plan.intents.iter().chain(&plan.fences).cloned().collect();
    let starts =
        WorkflowKind::starts(cr, &WorkflowKind::specs(cr, facts, world.env(), None), &accepted, &both, world.env());
    for start in &starts {
        prop_assert_eq!(&start.pod().metadata.name, &start.placeholder().metadata.name);
        prop_assert!(hearth_sim::server::is_fence(start.placeholder()));
        prop_assert!(!hearth_sim::server::is_gated(start.pod()));
        let owner = hearth_sim::trim::controller_of(start.pod());
        prop_assert_eq!(owner.as_deref(), cr.metadata.uid.as_deref());
    }
    let names: std::collections::BTreeSet<_> = starts.iter().map(|s| s.pod().metadata.name.clone()).collect();
    prop_assert_eq!(names.len(), starts.len());
    Ok(())
}
