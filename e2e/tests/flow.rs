//! Fan-outs, steps on exit and schedules.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, plugin, rows, scene,
    status::{self, items, number, text},
    store,
};
use serde_json::json;

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
