//! Fan-outs, steps on exit and schedules.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, plugin, rows, scene,
    status::{self, items, number, text},
    store,
};
use serde_json::{Value, json};

#[test]
fn a_step_runs_for_each_item() -> Result<()> {
    scene("items", |scene| {
        scene.apply(
            "w",
            r#"
params: [{name: sizes, type: array, default: [3, 1, 4, 1, 5]}]
steps:
- name: square
  forEach: {expression: "${params.sizes}", maxParallel: 2}
  command: [sh, -c, 'echo "{\"n\": $(($1 * $1)), \"spec\": \"$(sed -n "s/.*\"index\": *\([0-9]*\).*/\1/p" /hearth/spec.json | head -1)\"}" > /dev/termination-log', sh]
  args: ["${string(item)}"]
  outputs: [{name: n, type: integer}, {name: spec}]
results: {squares: "${steps.square.outputs.map(o, o.n)}", last: "${steps.square.outputs[4].n}"}
"#,
        )?;
        let done = scene.complete("w", A_RUN)?;
        let results = done.pointer("/status/run/results").context("no results")?;
        ensure!(*results == json!({"squares": [9, 1, 16, 1, 25], "last": 25}), "{results}");
        let fan = status::step(&done, "square").and_then(|s| s.get("fanOut")).context("no fan-out")?;
        ensure!(number(fan, "/count") == 5 && number(fan, "/started") == 5 && fan.get("open").is_none(), "{fan}");
        let id = rows::equal_status(scene, &done)?;
        let mut rows: Vec<_> =
            store::steps(&id)?.iter().map(|r| (number(r, "/item"), text(r, "/phase").to_owned())).collect();
        rows.sort();
        ensure!(rows.iter().map(|(item, _)| *item).eq(0..5) && rows.iter().all(|(_, p)| p == "Succeeded"), "{rows:?}");
        Ok(())
    })
}

#[test]
fn an_item_fails_and_the_others_go_on() -> Result<()> {
    scene("items-fail", |scene| {
        scene.apply(
            "w",
            r#"
steps:
- name: each
  forEach: {items: [0, 3, 0]}
  command: [sh, -c, 'exit "$1"', sh]
  args: ["${string(item)}"]
- {name: next, needs: [each], command: ['true']}
- {name: tidy, after: {each: [Failed]}, command: ['true']}
"#,
        )?;
        let done = scene.failed("w", A_RUN)?;
        let failure = done.pointer("/status/run/failure").context("no failure")?;
        ensure!(number(failure, "/item") == 1 && number(failure, "/exitCode") == 3, "{failure}");
        ensure!(text(failure, "/message").starts_with("step each[1]: exit code 3"), "{failure}");
        let phase = |name: &str| status::step(&done, name).map(|s| text(s, "/phase").to_owned()).unwrap_or_default();
        ensure!(phase("each") == "Failed" && phase("next") == "Skipped" && phase("tidy") == "Succeeded", "{done}");
        rows::equal_status(scene, &done)?;
        Ok(())
    })
}

#[test]
fn the_step_on_exit_runs_after_a_cancel() -> Result<()> {
    scene("on-exit", |scene| {
        scene.apply(
            "w",
            "{steps: [{name: long, command: [sleep, '600'], pod: {terminationGracePeriodSeconds: 1}}], onExit: {name: tell, command: [echo, 'it ended as ${run.phase}'], logs: Keep}}",
        )?;
        scene.running_pod("w", "long")?;
        let said = plugin::hearth(&scene.cluster, &["cancel", "w", "-n", &scene.namespace])?;
        ensure!(said.code == 0, "{said:?}");
        let done = scene.failed("w", A_RUN)?;
        ensure!(text(&done, "/status/phase") == "Cancelled", "{done}");
        let steps: Vec<_> = items(&done, "/status/run/steps").iter().map(|s| text(s, "/phase")).collect();
        ensure!(steps == ["Cancelled", "Succeeded"], "{steps:?}");
        let id = rows::equal_status(scene, &done)?;
        let rows = store::steps(&id)?;
        let told = rows.iter().find(|r| text(r, "/step") == "tell").context("no row of the step on exit")?;
        ensure!(text(told, "/log").contains("it ended as Cancelled"), "{told}");
        Ok(())
    })
}

#[test]
fn a_template_is_run_with_other_params() -> Result<()> {
    scene("from", |scene| {
        scene.apply_object(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "weekly"},
            "spec": {"from": {"workflow": "report", "params": {"window": 24}}},
        }))?;
        scene.look("weekly", "it waits", A_WORD, |o| Ok(status::says(o, "Ready", "False", "WaitingForTemplate")))?;
        scene.apply(
            "report",
            "{runPolicy: Manual, params: [{name: window, type: integer}], steps: [{name: a, command: [sh, -c, 'echo \"{\\\"n\\\": $1}\" > /dev/termination-log', sh], args: ['${string(params.window)}'], outputs: [{name: n, type: integer}]}], results: {n: '${steps.a.outputs.n}'}}",
        )?;
        let done = scene.complete("weekly", A_RUN)?;
        ensure!(done.pointer("/status/run/results") == Some(&json!({"n": 24})), "{done}");
        rows::equal_status(scene, &done)?;
        let template = scene.read("report")?;
        ensure!(template.pointer("/status/run").is_none(), "the template ran: {template}");
        Ok(())
    })
}

#[test]
fn a_schedule_starts_a_run_at_its_time() -> Result<()> {
    scene("schedule", |scene| {
        scene.apply("w", "{schedules: [{cron: '* * * * *'}], steps: [{name: a, command: ['true']}]}")?;
        let idle = scene.look("w", "scheduled", A_WORD, |o| Ok(status::says(o, "Ready", "True", "Scheduled")))?;
        ensure!(idle.pointer("/status/run").is_none(), "it ran before its time: {idle}");
        let next = text(&idle, "/status/schedule/next").to_owned();
        status::expect(&idle, "Ready", "True", "Scheduled", &["due at", &next])?;
        let ran = scene.look("w", "a run", A_RUN, |o| Ok(text(o, "/status/phase") == "Succeeded"))?;
        ensure!(text(&ran, "/status/run/scheduledFor") == next, "due at {next}: {ran}");
        ensure!(text(&ran, "/status/run/trigger") == "Schedule", "{ran}");
        let said = plugin::hearth(&scene.cluster, &["suspend", "w", "-n", &scene.namespace])?;
        ensure!(said.code == 0, "{said:?}");
        scene.wait("w", "condition=Suspended", A_WORD)?;
        Ok(())
    })
}

/// All two thousand wait for a person, so there is no pod: what the API server takes, writes and stores is what is tried.
#[test]
fn two_thousand_steps_are_told_by_place() -> Result<()> {
    scene("long", |scene| {
        let name = |at: usize| format!("s{at:04}");
        let step = |at: usize| json!({"name": name(at), "needs": [name(at - 1)], "command": ["true"]});
        let gate = json!({"name": name(0), "approval": {"message": "begin?"}});
        let steps: Vec<Value> = std::iter::once(gate).chain((1..2000).map(step)).collect();
        scene.apply("w", &json!({ "steps": steps }).to_string())?;
        let asked =
            scene.look("w", "the question", A_RUN, |o| Ok(status::says(o, "Ready", "False", "WaitingForApproval")))?;
        ensure!(text(&asked, "/status/progress") == "0/2000", "{asked}");
        let id = text(&asked, "/status/run/id").to_owned();
        scene.cluster.patch(&scene.namespace, "hwf/w", &json!({"spec": {"cancel": {"run": id}}}))?;
        let stored = scene
            .look("w", "its record is stored", A_RUN, |o| Ok(status::says(o, "HistoryStored", "True", "Stored")))?;
        status::expect(&stored, "Failed", "True", "Cancelled", &[])?;
        ensure!(text(&stored, "/status/progress") == "2000/2000", "{}", text(&stored, "/status/progress"));
        let length = stored.get("status").map_or(0, |status| status.to_string().len());
        ensure!(length < 64 * 1024, "the status is {length} bytes long");
        let groups =
            stored.pointer("/status/run/over").and_then(Value::as_array).context("no step is told by place")?;
        ensure!(groups.iter().any(|group| text(group, "/phase") == "Skipped"), "{groups:?}");
        let rows = store::steps(&id)?;
        let skipped = rows.iter().filter(|row| text(row, "/phase") == "Skipped").count();
        ensure!(rows.len() == 2000 && skipped == 1999, "{} rows, {skipped} of steps that were skipped", rows.len());
        Ok(())
    })
}
