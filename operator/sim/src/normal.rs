//! What is left of a world when ids, times, seq and void attempts are taken away: two runs of the same story must leave the same.

use crate::{lens::by_name, world::World};
use hearth_crds::workflow::{FailureClass, MAX_LISTED_STEPS, RunPhase, StepStatus, Workflow, WorkflowStatus};
use hearth_plan::{
    Kind,
    record::{LineageRow, Relation, StepRow},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts that ran, by step, in order: void ones have no place here.
type Ordinals = BTreeMap<(String, i32, i32), usize>;

/// The normal form of a world.
#[must_use]
pub fn normal<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(world: &World<K>) -> Value {
    let names = names(world);
    let named = |name: &str| names.get(name).cloned().unwrap_or_else(|| name.to_owned());
    let objects: BTreeMap<String, Value> = world
        .server
        .crs()
        .iter()
        .map(|(key, raw)| (named(&key.1), Workflow::deserialize(&**raw).map_or(Value::Null, |cr| status(&cr))))
        .collect();
    let mut runs: Vec<_> = world.store.runs.values().collect();
    runs.sort_by_key(|r| (named(&r.object.name), r.number));
    let rows: Vec<Value> = runs
        .iter()
        .map(|run| {
            let steps: Vec<&StepRow> = world.store.steps.values().filter(|s| s.run_id == run.id).collect();
            let ordinals = ordinals(&steps);
            json!({
                "object": named(&run.object.name), "number": run.number, "phase": run.phase, "terminal": run.terminal, "reason": run.reason,
                "trigger": run.trigger, "params": run.params, "results": run.results, "spec": run.spec,
                "ended": run.finished_at.is_some(),
                "steps": step_rows(&steps, &ordinals),
                "whole logs": whole_logs(world, &run.id, &ordinals),
                "events": events(world, &run.id, &ordinals),
                "lineage": lineage(world, &run.id),
            })
        })
        .collect();
    json!({"objects": objects, "runs": rows, "pods left": live_pods(world)})
}

/// Run objects by what they run and the order of their runs: their names follow from ids.
fn names<K: Kind>(world: &World<K>) -> BTreeMap<String, String> {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for run in world.store.runs.values() {
        let is_hash = |text: &str| text.len() == 10 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let Some((target, _)) = run.object.name.rsplit_once('-').filter(|(_, hash)| is_hash(hash)) else { continue };
        let next = names.values().filter(|n| n.rsplit_once(' ').is_some_and(|(t, _)| t == target)).count() + 1;
        names.entry(run.object.name.clone()).or_insert_with(|| format!("{target} {next}"));
    }
    names
}

fn status(cr: &Workflow) -> Value {
    let Some(status) = &cr.status else { return Value::Null };
    let conditions: BTreeMap<String, Value> = status
        .conditions
        .iter()
        .map(|c| (format!("{:?}", c.type_), json!([format!("{:?}", c.status), c.reason])))
        .collect();
    let run = status.run.as_ref().map(|run| {
        let mut run = by_name(cr, run);
        // Which steps are told by place, and so without their attempts, depends on how soon their rows were stored.
        let long = cr.spec.steps.len() > MAX_LISTED_STEPS;
        run.steps.iter_mut().filter(|_| long).for_each(|step| step.ended.clear());
        run.steps.sort_by_key(|step| cr.spec.steps.iter().position(|s| s.name == step.name));
        json!({
            "number": run.number, "trigger": run.trigger.as_str(), "params": run.params, "results": run.results,
            "failure": run.failure.as_ref().map(|f| json!([f.step, f.reason.as_str(), f.exit_code])),
            "steps": run.steps.iter().map(step).collect::<Vec<_>>(),
        })
    });
    json!({"phase": status.phase.map(RunPhase::as_str), "reason": status.reason.map(hearth_crds::condition::Reason::as_str), "progress": status.progress, "conditions": conditions, "run": run})
}

fn step(step: &StepStatus) -> Value {
    let ended: Vec<Value> = step
        .ended
        .iter()
        .filter(|e| e.class != FailureClass::Void)
        .map(|e| json!([e.class.as_str(), e.reason.as_str(), e.exit_code]))
        .collect();
    json!([
        step.name,
        step.phase.as_str(),
        step.reason.map(hearth_crds::condition::Reason::as_str),
        ended,
        step.outputs,
        step.artifacts,
        step.cache.as_ref().map(|c| c.found)
    ])
}

fn is_void(row: &StepRow) -> bool {
    row.phase == "Void" || row.class.as_deref() == Some(FailureClass::Void.as_str())
}

fn ordinals(rows: &[&StepRow]) -> Ordinals {
    let mut counts: BTreeMap<(&str, i32), usize> = BTreeMap::new();
    let mut ordinals = Ordinals::new();
    for row in rows.iter().filter(|r| !is_void(r) && r.attempt > 0) {
        let count = counts.entry((row.step.as_str(), row.item)).or_default();
        *count += 1;
        ordinals.insert((row.step.clone(), row.item, row.attempt), *count);
    }
    ordinals
}

fn step_rows(rows: &[&StepRow], ordinals: &Ordinals) -> Vec<Value> {
    rows.iter()
        .filter(|r| !is_void(r))
        .map(|r| {
            let ordinal = ordinals.get(&(r.step.clone(), r.item, r.attempt)).copied().unwrap_or(0);
            json!([
                r.step,
                r.item,
                ordinal,
                r.phase,
                r.terminal,
                r.class,
                r.reason,
                // Nobody waits for the last word of a program that is stopped.
                r.exit_code.filter(|_| r.class.as_deref() != Some(FailureClass::Stopped.as_str())),
                r.outputs,
                r.artifacts,
                r.image,
                r.finished_at.is_some(),
                r.work_key,
                r.cached_from.is_some()
            ])
        })
        .collect()
}

/// Which attempts have their whole log stored.
fn whole_logs<K: Kind>(world: &World<K>, run_id: &str, ordinals: &Ordinals) -> Vec<Value> {
    let of_run = world.whole_logs.kept.iter().filter(|(of, _)| of.run_id == run_id);
    of_run
        .filter_map(|(of, log)| {
            let key = (of.step.clone(), i32::try_from(of.item).ok()?, i32::try_from(of.attempt).ok()?);
            Some(json!([of.step, of.item, ordinals.get(&key)?, log.is_ok()]))
        })
        .collect()
}

/// Transitions; those of void attempts are left out, the others are named by their ordinal.
fn events<K: Kind>(world: &World<K>, run_id: &str, ordinals: &Ordinals) -> Vec<Value> {
    let mut list: Vec<(String, String, Option<String>)> = Vec::new();
    for row in world.store.events.values().filter(|e| e.run_id == run_id) {
        let mut parts = row.subject.split('/');
        let subject = match (parts.next(), parts.next(), parts.next().and_then(|n| n.parse::<i32>().ok())) {
            (Some("step"), Some(step), Some(attempt)) if attempt > 0 => {
                let (name, item) = step.strip_suffix(']').and_then(|s| s.split_once('[')).unwrap_or((step, "0"));
                match ordinals.get(&(name.to_owned(), item.parse().unwrap_or(0), attempt)) {
                    Some(n) => format!("step/{step}/{n}"),
                    None => continue,
                }
            }
            (Some(_) | None, _, _) => row.subject.clone(),
        };
        list.push((subject, row.transition.clone(), row.reason.clone()));
    }
    list.sort();
    list.into_iter().map(|(subject, transition, reason)| json!([subject, transition, reason])).collect()
}

/// What came of what, whichever attempt saw it.
fn lineage<K: Kind>(world: &World<K>, run_id: &str) -> BTreeSet<String> {
    // Whether the image of a program that is stopped was seen is chance, like its last word.
    let stopped = |l: &&LineageRow| {
        let of = |s: &&StepRow| s.run_id == l.run_id && s.step == l.step && s.attempt == l.attempt;
        let row = world.store.steps.values().find(of);
        row.is_some_and(|s| s.class.as_deref() == Some(FailureClass::Stopped.as_str()))
    };
    let rows = world.store.lineage.iter().filter(|l| l.run_id == run_id);
    let rows = rows.filter(|l| l.relation != Relation::RanImage || !stopped(l));
    let end = |id: &str| if world.store.runs.contains_key(id) { "run".to_owned() } else { id.to_owned() };
    rows.map(|l| format!("{} {} {} {} {}", l.relation.as_str(), end(&l.from), end(&l.to), l.step, l.name)).collect()
}

fn live_pods<K: Kind>(world: &World<K>) -> Vec<String> {
    let mut steps: Vec<String> = world
        .server
        .pods()
        .values()
        .filter(|p| !crate::server::is_fence(p))
        .filter_map(|p| world.server.intent_of(p.metadata.uid.as_deref()?).map(|i| i.step.clone()))
        .collect();
    steps.sort();
    steps
}

/// The first place where two normal forms differ, for a message.
#[must_use]
pub fn difference(want: &Value, have: &Value) -> Option<String> {
    differ("", want, have)
}

fn differ(path: &str, want: &Value, have: &Value) -> Option<String> {
    match (want, have) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|k| {
                differ(&format!("{path}/{k}"), a.get(k).unwrap_or(&Value::Null), b.get(k).unwrap_or(&Value::Null))
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (x, y))| differ(&format!("{path}/{i}"), x, y))
        }
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: {a} undisturbed, {b} here")),
    }
}
