//! Arbitrary Workflows, fates and deeds, all from a seed.

use crate::{
    act::Act,
    clock::{begin, secs},
    outcome::{End, Outcome, Outcomes, Pending},
    samples::key,
    server::ApiError,
};
use hearth_crds::time::Time;
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};
use std::time::Duration;

/// A story: a Workflow, the fates of its pods, and what happens meanwhile.
#[derive(Clone, Debug)]
pub struct Story {
    /// The spec.
    pub spec: Value,
    /// What becomes of pods.
    pub outcomes: Outcomes,
    /// What happens, and when.
    pub acts: Vec<(Time, Act)>,
}

#[derive(Clone, Debug)]
struct StepPlan {
    needs: u8,
    after: Option<u8>,
    approval: bool,
    items: Option<usize>,
    when: Option<bool>,
    retry: Option<u32>,
    timeout: bool,
    output: bool,
    reads: bool,
    leaves: bool,
    cache: bool,
}

fn step_plan() -> impl Strategy<Value = StepPlan> {
    (
        any::<u8>(),
        any::<u8>(),
        prop::option::weighted(0.2, 1u8..16),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.2, 0usize..5),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.5, 0u32..3),
        prop::bool::weighted(0.2),
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(a, b, after, approval, items, when, retry, timeout, output, reads, leaves, cache)| StepPlan {
            needs: a & b,
            after,
            approval,
            items,
            when,
            retry,
            timeout,
            output,
            reads,
            leaves: leaves && items.is_none() && !approval,
            cache,
        })
}

fn name(i: usize) -> String {
    format!("s{i}")
}

/// Some of the four ends of a step; a failure alone never comes to its turn with `failFast`.
fn step_ends(bits: u8, fail_fast: bool) -> Vec<&'static str> {
    let bits = if fail_fast { bits | 4 } else { bits };
    let all = ["Succeeded", "Failed", "Skipped", "Cancelled"];
    all.into_iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1).map(|(_, end)| end).collect()
}

fn build(plans: &[StepPlan], parallelism: u32, fail_fast: bool) -> Value {
    let mut steps = Vec::new();
    let mut sure: Vec<bool> = Vec::new();
    for (i, plan) in plans.iter().enumerate() {
        let needs: Vec<usize> = (0..i).filter(|j| plan.needs >> (j % 8) & 1 == 1).collect();
        let after = plan.after.zip(needs.first()).map(|(ends, j)| (*j, step_ends(ends, fail_fast)));
        let always =
            plan.when.is_none() && after.is_none() && needs.iter().all(|j| sure.get(*j).copied().unwrap_or(false));
        sure.push(always);
        let reads = needs.iter().filter(|j| after.as_ref().is_none_or(|(k, _)| k != *j)).find(|j| {
            plan.reads && sure.get(**j) == Some(&true) && plans.get(**j).is_some_and(|p| p.output && !p.approval)
        });
        if plan.approval {
            let needs: Vec<_> = needs.iter().map(|j| name(*j)).collect();
            steps.push(json!({"name": name(i), "needs": needs, "approval": {"message": "on?"}, "timeout": "30s"}));
            continue;
        }
        let mut step = json!({"name": name(i), "needs": needs.iter().map(|j| name(*j)).collect::<Vec<_>>(), "image": "example.org/step:1", "command": ["/step"]});
        let mut set = |field: &str, value: Value| drop(step.as_object_mut().map(|s| s.insert(field.to_owned(), value)));
        if let Some(items) = plan.items {
            set("forEach", json!({"items": (0..items).collect::<Vec<_>>(), "maxParallel": 3}));
        }
        if let Some(when) = plan.when {
            set("when", json!(if when { "${params.window > 6}" } else { "${params.window < 6}" }));
        }
        if let Some((j, ends)) = after {
            set("after", json!({name(j): ends}));
        }
        if let Some(limit) = plan.retry {
            set("retry", json!({"limit": limit, "backoff": {"base": "3s", "factor": 2, "max": "10s"}}));
        }
        if plan.cache {
            set("image", json!(crate::samples::PINNED));
            set("cache", json!({"maxAge": "1h"}));
        }
        if plan.timeout {
            set("timeout", json!("30s"));
        }
        if i % 2 == 0 {
            set("logs", json!("Full"));
        }
        if plan.output {
            set("outputs", json!([{"name": "n", "type": "integer"}]));
        }
        if let Some(j) = reads {
            let outputs = format!("steps.{}.outputs", name(*j));
            let many = plans.get(*j).is_some_and(|p| p.items.is_some());
            let text =
                if many { format!("${{string({outputs}.size())}}") } else { format!("${{string({outputs}.n)}}") };
            set("args", json!([text]));
        }
        let from = |j: &&usize| sure.get(**j) == Some(&true) && plans.get(**j).is_some_and(|p| p.leaves);
        let inputs: Vec<_> = needs
            .iter()
            .filter(from)
            .map(|j| json!({"from": format!("{}.a", name(*j)), "name": format!("from{j}")}))
            .collect();
        let left = if plan.leaves { json!([{"name": "a"}]) } else { json!([]) };
        if plan.leaves || !inputs.is_empty() {
            set("artifacts", json!({"in": inputs, "out": left}));
        }
        steps.push(step);
    }
    let mut spec = json!({
        "params": [{"name": "window", "type": "integer", "default": 12}],
        "steps": steps, "parallelism": parallelism, "failFast": fail_fast, "timeout": "20m", "pendingTimeout": "2m",
    });
    // Every third Workflow has a step on exit.
    if plans.iter().map(|p| usize::from(p.needs)).sum::<usize>() % 3 == 0
        && let Some(fields) = spec.as_object_mut()
    {
        fields
            .insert("onExit".into(), json!({"name": "exit", "image": "example.org/step:1", "args": ["${run.phase}"]}));
    }
    spec
}

fn wait(max: u64) -> impl Strategy<Value = Duration> {
    (0..max * 10).prop_map(|n| Duration::from_millis(n * 100))
}

fn fate(output: bool) -> impl Strategy<Value = Outcome> {
    let good = if output { r#"{"n": 3}"# } else { "" };
    let end = prop_oneof![
        12 => Just(End::Exit(0, good.to_owned())),
        3 => select(vec![1, 2, 64, 75, 137, 255]).prop_map(|code| End::Exit(code, "bad luck\n".to_owned())),
        1 => select(vec!["not json", "[1]", "{\"m\": 1}", "{\"n\": \"text\"}", "{}"]).prop_map(|text| End::Exit(0, text.to_owned())),
        1 => Just(End::Exit(0, "x".repeat(5000))),
        1 => Just(End::Oom),
        1 => any::<bool>().prop_map(|own_limits| End::Evicted { own_limits }),
        1 => Just(End::Preempted),
        1 => prop::option::of(wait(900)).prop_map(End::NodeLost),
        1 => Just(End::Never),
    ];
    let pending = prop_oneof![
        16 => Just(Pending::Nothing),
        1 => prop::option::of(wait(200)).prop_map(Pending::Node),
        1 => prop::option::of(wait(200)).prop_map(Pending::Image),
        1 => Just(Pending::Config),
    ];
    (pending, wait(40), end).prop_map(|(pending, run_for, end)| Outcome { pending, run_for, end })
}

fn good_fate(output: bool) -> impl Strategy<Value = Outcome> {
    wait(10).prop_map(move |run_for| Outcome {
        pending: Pending::Nothing,
        run_for,
        end: End::Exit(0, if output { r#"{"n": 3}"# } else { "" }.to_owned()),
    })
}

/// A request without a suspension, which would have no end: nobody resumes at the end of a story.
fn request(kind: usize, id: u32, step: usize) -> Act {
    let kind = ["Cancel", "Approve", "Rerun", "Resume"].get(kind).copied().unwrap_or("Rerun");
    let from = if id.is_multiple_of(2) { "Start" } else { "Failed" };
    Act::Request(key("demo"), json!({"id": id.to_string(), "kind": kind, "step": name(step), "from": from}))
}

fn deed(steps: usize) -> impl Strategy<Value = Act> {
    let demo = || key("demo");
    let some_step = || (0..steps.max(1)).prop_map(name);
    let refused = select(vec![
        ApiError::new(403, "Forbidden", "violates PodSecurity \"restricted:latest\""),
        ApiError::new(409, "Conflict", "Operation cannot be fulfilled on resourcequotas \"q\""),
        ApiError::new(429, "TooManyRequests", "too many requests"),
        ApiError::new(422, "Invalid", "Pod is invalid"),
    ]);
    prop_oneof![
        2 => any::<bool>().prop_map(move |on| Act::Edit(key("demo"), json!({"spec": {"suspend": on}}))),
        2 => Just(Act::Cancel(demo())),
        2 => (0..6usize).prop_map(move |i| Act::Approve(demo(), name(i))),
        2 => (0..4u32).prop_map(move |n| Act::Edit(key("demo"), json!({"spec": {"rerun": {"token": n.to_string()}}}))),
        2 => (0..4usize, 0..8u32, 0..6usize).prop_map(move |(kind, id, step)| request(kind, id, step)),
        2 => (7..12u32).prop_map(move |n| Act::Edit(key("demo"), json!({"spec": {"params": [{"name": "window", "type": "integer", "default": n}]}}))),
        2 => Just(Act::Delete(demo())),
        1 => Just(Act::DeleteNamespace(crate::world::NAMESPACE.to_owned())),
        2 => some_step().prop_map(Act::DeletePod),
        2 => some_step().prop_map(Act::Mangle),
        1 => some_step().prop_map(Act::Unmanage),
        3 => Just(Act::Restart),
        3 => Just(Act::Depose),
        1 => Just(Act::Relist),
        2 => Just(Act::StoreDown),
        2 => Just(Act::StoreUp),
        1 => Just(Act::ArtifactsDown),
        1 => Just(Act::ArtifactsUp),
        1 => (1usize..4).prop_map(|n| Act::Quota(Some(n))),
        1 => (prop::option::of(some_step()), refused, wait(60)).prop_map(|(step, error, d)| Act::Refuse(step, error, Some(d))),
        1 => some_step().prop_map(Act::Squat),
    ]
}

/// Valid Workflows with any fates and deeds.
pub fn story() -> impl Strategy<Value = Story> {
    (prop::collection::vec(step_plan(), 1..7), 1u32..5, any::<bool>()).prop_flat_map(
        |(plans, parallelism, fail_fast)| {
            let spec = build(&plans, parallelism, fail_fast);
            let fates: Vec<_> = plans.iter().map(|p| prop::collection::vec(fate(p.output), 1..4)).collect();
            let deeds = prop::collection::vec((wait(120), deed(plans.len())), 0..6);
            (Just(spec), fates, deeds).prop_map(|(spec, fates, deeds)| Story {
                spec,
                outcomes: outcomes(&fates),
                acts: deeds.into_iter().map(|(after, act)| (begin().after(after), act)).collect(),
            })
        },
    )
}

/// Valid Workflows whose pods all succeed, with circumstances but no deeds of people: they must succeed whatever happens.
pub fn fair_story() -> impl Strategy<Value = Story> {
    (prop::collection::vec(step_plan(), 1..7), 1u32..5).prop_flat_map(|(mut plans, parallelism)| {
        for plan in &mut plans {
            plan.timeout = false;
            plan.approval = false;
        }
        let spec = build(&plans, parallelism, false);
        let fates: Vec<_> = plans.iter().map(|p| prop::collection::vec(good_fate(p.output), 1)).collect();
        let circumstances = prop::collection::vec(
            (wait(60), select(vec![Act::Restart, Act::Depose, Act::Relist, Act::StoreDown, Act::StoreUp])),
            0..6,
        );
        (Just(spec), fates, circumstances).prop_map(|(spec, fates, acts)| Story {
            spec,
            outcomes: outcomes(&fates),
            acts: acts.into_iter().map(|(after, act)| (begin().after(after), act)).collect(),
        })
    })
}

fn outcomes(fates: &[Vec<Outcome>]) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for (i, list) in fates.iter().enumerate() {
        for (fate, nth) in list.iter().zip(1..) {
            outcomes.set(&name(i), nth, fate.clone());
        }
    }
    outcomes
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "",
            "a",
            "a-b",
            "A",
            "-",
            "s0",
            "s1",
            "${",
            "${}",
            "${params.x}",
            "${steps.s0.outputs.n}",
            "${steps.s0.phase}",
            "$${x}",
            "$(HOME)",
            "${1 +}",
            "${[1,2].map(x, x)}",
            "${params.window > 6}",
            "${'a' + 1}",
            "${now}",
            "${run.id}",
            "\u{0}",
            "ü",
            "💥",
            "${params.window / 0}",
            "${9223372036854775807 + 1}",
            "5x",
            "1h",
            "0s",
            "99999999999d",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        (0usize..2000).prop_map(|n| "x".repeat(n)),
    ]
}

fn odd_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Value::Number)),
        odd_text().prop_map(Value::from),
        Just(json!([1, "a", null])),
        Just(json!({"a": {"b": []}})),
    ]
}

fn odd_step() -> impl Strategy<Value = Value> {
    (
        odd_text(),
        prop::collection::vec(odd_text(), 0..3),
        prop::option::of(odd_text()),
        prop::option::of(odd_text()),
        prop::collection::vec(odd_text(), 0..3),
        prop::option::of((any::<u32>(), odd_text(), any::<u32>(), any::<i32>())),
        prop::option::of(odd_text()),
        prop::collection::vec((odd_text(), select(vec!["string", "integer", "number", "boolean", "array", "object"])), 0..3),
    )
        .prop_map(|(name, needs, when, image, args, retry, timeout, outputs)| {
            let mut step = json!({"name": name, "needs": needs, "args": args});
            let mut set = |field: &str, value: Option<Value>| drop(value.and_then(|v| step.as_object_mut().map(|s| s.insert(field.to_owned(), v))));
            set("when", when.map(Value::from));
            set("image", image.map(Value::from));
            set("timeout", timeout.map(Value::from));
            set("retry", retry.map(|(limit, base, factor, code)| json!({"limit": limit, "backoff": {"base": base, "factor": factor}, "exitCodes": [code]})));
            set("outputs", Some(outputs.into_iter().map(|(n, t)| json!({"name": n, "type": t})).collect()));
            step
        })
}

/// Specs that decode but mostly say nothing that can run.
pub fn odd_spec() -> impl Strategy<Value = Value> {
    (
        prop::collection::vec(odd_step(), 0..5),
        prop::collection::vec(
            (
                odd_text(),
                select(vec!["string", "integer", "number", "boolean"]),
                prop::option::of(odd_json()),
                prop::option::of(any::<f64>()),
            ),
            0..3,
        ),
        prop::option::of(any::<u32>()),
        prop::option::of(odd_text()),
        prop::collection::btree_map(odd_text(), odd_text(), 0..3),
        prop::option::of(odd_text()),
    )
        .prop_map(|(steps, params, parallelism, timeout, results, rerun)| {
            let params: Vec<Value> = params
                .into_iter()
                .map(|(name, type_, default, minimum)| {
                    let mut param = json!({"name": name, "type": type_});
                    if let Some(p) = param.as_object_mut() {
                        drop(default.map(|d| p.insert("default".to_owned(), d)));
                        drop(
                            minimum
                                .and_then(serde_json::Number::from_f64)
                                .map(|m| p.insert("minimum".to_owned(), Value::Number(m))),
                        );
                    }
                    param
                })
                .collect();
            let mut spec = json!({"steps": steps, "params": params, "results": results});
            if let Some(s) = spec.as_object_mut() {
                drop(parallelism.map(|p| s.insert("parallelism".to_owned(), p.into())));
                drop(timeout.map(|t| s.insert("timeout".to_owned(), t.into())));
                drop(rerun.map(|t| s.insert("rerun".to_owned(), json!({"token": t}))));
            }
            spec
        })
}

/// The circumstances that must not last: what a story ends with, so that it can come to its end.
#[must_use]
pub fn calm() -> Vec<Act> {
    let on = Act::Edit(key("demo"), json!({"spec": {"suspend": false}}));
    vec![Act::StoreUp, Act::ArtifactsUp, Act::Allow, Act::Quota(None), on]
}

/// How long after its begin a story is calmed.
pub const CALM_AFTER: Duration = secs(180);
