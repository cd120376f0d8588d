//! What a scenario can show, as text.

use crate::{
    clock::since_begin,
    samples::key,
    server::{is_fence, is_over},
    world::World,
};
use hearth_crds::workflow::{FanOut, RunPhase, Workflow, WorkflowStatus};
use hearth_plan::{Intent, Kind, Plan, Subject, facts::PodPhase};
use serde::Serialize;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// The text of one `show`.
///
/// # Errors
/// There is no such thing to show.
pub fn show<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(
    world: &World<K>,
    what: &str,
    name: &str,
    since: usize,
) -> Result<String, String> {
    Ok(match what {
        "status" => world.status(&key(name)).map_or_else(|| absent(world, name), |s| status(&s)),
        "plan" => plan_text(world, name),
        "objects" => objects(world),
        "pods" => pods(world),
        "rows" => rows(world),
        "log" => log(world, since),
        "events" => world.server.events.iter().fold(String::new(), |mut out, e| {
            let _ = writeln!(out, "  {} {}: {}", if e.warning { "Warning" } else { "Normal" }, e.reason, e.message);
            out
        }),
        "ledger" => ledger(world),
        "writes" => {
            let tally = world.server.tally(0);
            let mut out = format!(
                "  {} writes, {} reads of pods, {} of logs\n",
                tally.total(),
                world.reads.gets,
                world.reads.logs
            );
            for (what, n) in tally.0 {
                let _ = writeln!(out, "  {n:3} {what}");
            }
            out
        }
        _ => return Err("nothing of that name can be shown".to_owned()),
    })
}

/// Every object of the kind, with how far it has come.
fn objects<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(world: &World<K>) -> String {
    world.server.crs().iter().fold(String::new(), |mut out, (key, cr)| {
        let text = |path: &str| cr.pointer(path).and_then(Value::as_str).unwrap_or("-");
        let by = cr.pointer("/metadata/annotations/hearth.dev~1requested-by").and_then(Value::as_str);
        let by = by.map_or_else(String::new, |by| format!(" by {by}"));
        let _ = writeln!(
            out,
            "  {} {} ({}) {}{by}",
            key.1,
            text("/status/phase"),
            text("/status/reason"),
            text("/status/progress")
        );
        out
    })
}

fn absent<K: Kind>(world: &World<K>, name: &str) -> String {
    if world.server.cr(&key(name)).is_some() { "  no status\n".to_owned() } else { "  the object is gone\n".to_owned() }
}

fn word<T: std::fmt::Debug>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:?}"))
}

fn status(status: &WorkflowStatus) -> String {
    let mut out = String::new();
    let phase = status.phase.map_or("-", RunPhase::as_str);
    let _ = writeln!(out, "  {phase} ({}) {}", word(status.reason), status.progress.as_deref().unwrap_or("-"));
    if let Some(run) = &status.run {
        let _ = write!(
            out,
            "  run {} seq {} {} started {}",
            run.number,
            run.seq,
            run.trigger.as_str(),
            since_begin(run.started_at)
        );
        let _ = writeln!(
            out,
            "{}",
            run.finished_at.map_or_else(String::new, |at| format!(" finished {}", since_begin(at)))
        );
        if let Some(stop) = run.stop {
            let _ = writeln!(out, "  stopping: {stop:?}");
        }
        for group in &run.over {
            let reason = group.reason.map_or_else(String::new, |r| format!(" {r:?}"));
            let places = serde_json::to_value(&group.places).unwrap_or_default();
            let _ = writeln!(out, "  over {} #{}{reason} {places}", group.phase.as_str(), group.attempt);
        }
        for step in &run.steps {
            let _ = write!(out, "  step {} {}", step.name, step.phase.as_str());
            let _ = write!(out, "{}", if step.attempt > 0 { format!(" #{}", step.attempt) } else { String::new() });
            let _ = write!(out, "{}", step.reason.map_or_else(String::new, |r| format!(" {r:?}")));
            let _ =
                write!(out, "{}", step.cache.as_ref().map_or_else(String::new, |c| format!(" cache {:?}", c.found)));
            let _ = write!(out, "{}", step.stop.map_or_else(String::new, |r| format!(" stopping: {r:?}")));
            let _ =
                write!(out, "{}", step.retry_at.map_or_else(String::new, |at| format!(" next {}", since_begin(at))));
            let _ = writeln!(out, "{}{}", listed("outputs", &step.outputs), listed("artifacts", &step.artifacts));
            if let Some(fan) = &step.fan_out {
                let _ = writeln!(out, "    {}", fan_out(fan));
                for item in &fan.items {
                    let reason = item.reason.map_or_else(String::new, |r| format!(" {r:?}"));
                    let next = item.retry_at.map_or_else(String::new, |at| format!(" next {}", since_begin(at)));
                    let _ =
                        writeln!(out, "    [{}] {} #{}{reason}{next}", item.index, item.phase.as_str(), item.attempt);
                }
            }
            for end in &step.ended {
                let code = end.exit_code.map_or_else(String::new, |c| format!(" exit {c}"));
                let _ = writeln!(
                    out,
                    "    #{} {} {:?}{code} {}",
                    end.attempt,
                    end.class.as_str(),
                    end.reason,
                    since_begin(end.at)
                );
            }
        }
        if let Some(failure) = &run.failure {
            let _ = writeln!(
                out,
                "  failure: step {} attempt {} {:?} exit {}: {}",
                word(failure.step.as_ref()),
                word(failure.attempt),
                failure.reason,
                word(failure.exit_code),
                indented(&failure.message)
            );
        }
        if !run.results.is_empty() {
            let _ = writeln!(out, "  results {}", serde_json::to_string(&run.results).unwrap_or_default());
        }
    }
    for c in &status.conditions {
        let _ = writeln!(out, "  {:?}={:?} {}: {}", c.type_, c.status, c.reason, indented(&c.message));
    }
    for request in &status.requests {
        let answer = request.answer.as_ref().map(|a| format!("{:?}, {}", a.result, a.message));
        let _ = writeln!(out, "  request {} {:?}: {}", request.id, request.kind, answer.as_deref().unwrap_or("-"));
    }
    out
}

fn fan_out(fan: &FanOut) -> String {
    let mut text = format!("items: {} of {} started", fan.started, fan.count);
    for (word, set) in [("open", &fan.open), ("failed", &fan.failed), ("cancelled", &fan.cancelled)] {
        if !set.is_empty() {
            let _ = write!(text, ", {word} {set}");
        }
    }
    if !fan.outputs.is_empty() {
        let _ = write!(text, ", outputs {}", serde_json::to_string(&fan.outputs).unwrap_or_default());
    }
    text
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// `step#attempt`, or `step[item]#attempt` from the second item on.
fn who(intent: &Intent) -> String {
    let item = if intent.item > 0 { format!("[{}]", intent.item) } else { String::new() };
    format!("{}{item}#{}", intent.step, intent.attempt)
}

fn intents(list: &[Intent]) -> String {
    list.iter().map(who).collect::<Vec<_>>().join(" ")
}

fn plan_text<K: Kind<Cr = Workflow, Status = WorkflowStatus>>(world: &World<K>, name: &str) -> String {
    let Some(pass) = world.leader().and_then(|d| d.preview(&key(name), world.env(), world.now)) else {
        return "  nothing is known of it\n".to_owned();
    };
    let plan: &Plan<WorkflowStatus> = &pass.plan;
    let mut out = String::new();
    let _ = writeln!(out, "  status: {}", plan.status.as_ref().map_or("as it is", |_| "to be patched"));
    let _ = write!(
        out,
        "{}",
        if plan.intents.is_empty() { String::new() } else { format!("  create: {}\n", intents(&plan.intents)) }
    );
    let _ = write!(
        out,
        "{}",
        if plan.fences.is_empty() { String::new() } else { format!("  fence: {}\n", intents(&plan.fences)) }
    );
    for (action, reason) in &plan.actions {
        let text = format!("{action:?}");
        let head = text.split([' ', '(']).next().unwrap_or_default();
        let _ = writeln!(out, "  do: {head} because {reason:?}");
    }
    for note in &plan.notes {
        let subject = match &note.subject {
            Subject::Object => "object".to_owned(),
            Subject::Run => "run".to_owned(),
            Subject::Step(step) => format!("step {step}"),
        };
        let _ = writeln!(out, "  note: {subject} {:?}: {}", note.reason, note.message);
    }
    let _ = writeln!(
        out,
        "  look again: {}",
        plan.requeue.map_or_else(|| "when something happens".to_owned(), |d| format!("in {d:?}"))
    );
    out
}

fn pods<K: Kind>(world: &World<K>) -> String {
    let mut lines: Vec<String> = world
        .server
        .pods()
        .values()
        .map(|pod| {
            let fact = crate::trim::pod_fact(pod);
            let intent = world.server.intent_of(&fact.uid);
            let who = intent.map_or_else(|| "a stranger".to_owned(), who);
            let phase = match fact.phase {
                PodPhase::Pending => "Pending",
                PodPhase::Running => "Running",
                PodPhase::Succeeded => "Succeeded",
                PodPhase::Failed => "Failed",
                PodPhase::Unknown => "Unknown",
            };
            let mut line = format!("  {who} {phase}");
            if is_fence(pod) {
                line.push_str(" placeholder");
            }
            if fact.deleting_at.is_some() && !is_over(pod) {
                line.push_str(" terminating");
            }
            line
        })
        .collect();
    lines.sort();
    if lines.is_empty() { "  no pods\n".to_owned() } else { lines.join("\n") + "\n" }
}

fn ledger<K: Kind>(world: &World<K>) -> String {
    world.kubelet.ledger().iter().fold(String::new(), |mut out, line| {
        let end = line.end.map_or_else(|| "still runs".to_owned(), since_begin);
        let cut = if line.cut_off { " cut off" } else { "" };
        let _ = writeln!(out, "  {} {} – {end}{cut}", who(&line.intent), since_begin(line.start));
        out
    })
}

fn rows<K: Kind>(world: &World<K>) -> String {
    let mut runs: Vec<_> = world.store.runs.values().collect();
    runs.sort_by(|a, b| (&a.object, a.number).cmp(&(&b.object, b.number)));
    let mut out = String::new();
    for run in runs {
        let end = run.finished_at.map_or_else(String::new, |at| format!(" – {}", since_begin(at)));
        let _ = writeln!(
            out,
            "  {} run {} seq {} {} ({}) {} {}{end}",
            run.object.name,
            run.number,
            run.seq,
            run.phase,
            run.reason.as_deref().unwrap_or("-"),
            run.trigger,
            since_begin(run.started_at)
        );
        if run.results != Value::Null && run.results.as_object().is_none_or(|r| !r.is_empty()) {
            let _ = writeln!(out, "    results {}", run.results);
        }
        for step in world.store.steps.values().filter(|s| s.run_id == run.id) {
            let _ = write!(
                out,
                "    {}{}#{} {} ({})",
                step.step,
                if step.item > 0 { format!("[{}]", step.item) } else { String::new() },
                step.attempt,
                step.phase,
                step.reason.as_deref().unwrap_or("-")
            );
            let _ = write!(out, "{}", step.class.as_ref().map_or_else(String::new, |c| format!(" {c}")));
            let _ = write!(out, "{}", step.exit_code.map_or_else(String::new, |c| format!(" exit {c}")));
            let _ = write!(
                out,
                "{}",
                if step.outputs.is_object() { format!(" outputs {}", step.outputs) } else { String::new() }
            );
            let from = step.cached_from.as_ref();
            let _ = write!(out, "{}", from.map_or_else(String::new, |run| format!(" by run {run}")));
            let left = step.artifacts.as_object().filter(|a| !a.is_empty());
            let _ = write!(out, "{}", left.map_or_else(String::new, |_| format!(" artifacts {}", step.artifacts)));
            let _ = write!(out, "{}", step.log.as_ref().map_or_else(String::new, |l| format!(" log {l:?}")));
            let whole = world.whole_logs.kept.iter().find(|(of, _)| {
                of.run_id == run.id
                    && of.step == step.step
                    && i64::from(of.item) == i64::from(step.item)
                    && i64::from(of.attempt) == i64::from(step.attempt)
            });
            let _ = writeln!(
                out,
                "{}",
                match whole {
                    None => String::new(),
                    Some((_, Ok(log))) => format!(" whole log {log:?}"),
                    Some((_, Err(why))) => format!(" no whole log: {why}"),
                }
            );
        }
    }
    if out.is_empty() { "  no rows\n".to_owned() } else { out }
}

/// What a step keeps under that name, if anything.
fn listed(name: &str, of: &BTreeMap<String, impl Serialize>) -> String {
    if of.is_empty() { String::new() } else { format!(" {name} {}", serde_json::to_string(of).unwrap_or_default()) }
}

fn log<K: Kind>(world: &World<K>, since: usize) -> String {
    world.server.log().iter().skip(since).filter(|r| r.ours()).fold(String::new(), |mut out, r| {
        let _ = write!(out, "  {} {}", since_begin(r.at), r.what);
        let _ = write!(out, "{}", r.intent.as_ref().map_or_else(String::new, |i| format!(" {}", who(i))));
        let _ = write!(out, "{}", if r.placeholder { " placeholder" } else { "" });
        let _ = writeln!(
            out,
            "{}",
            r.answer.as_ref().err().map_or_else(String::new, |e| format!(": {} {}", e.code, e.reason))
        );
        out
    })
}

/// Ids of runs and names of pods and revisions, which hash ids, get names that stay.
#[must_use]
pub fn name_ids<K: Kind>(world: &World<K>, text: &str) -> String {
    let mut text = text.to_owned();
    for (id, n) in world.judge.run_names() {
        text = text.replace(&id, &format!("<run {n}>"));
    }
    for request in world.server.log() {
        if let Some(intent) = &request.intent {
            text = text.replace(&request.key.1, &format!("<pod {}>", who(intent)));
        } else if request.what.ends_with("controllerrevisions") {
            text = text.replace(&request.key.1, "<revision>");
        }
    }
    text
}
