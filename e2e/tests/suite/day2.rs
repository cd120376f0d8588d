//! What people do to a Workflow that is there: suspend, cancel, run again, change, and look.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Cluster, Scene, rows, scene, scene::HELD, status, store};
use serde_json::{Value, json};

fn change(scene: &Scene, patch: &Value) -> Result<()> {
    scene.cluster.patch(&scene.namespace, "hwf/w", patch)
}

/// The operator has seen the newest spec.
fn observed(object: &Value) -> bool {
    status::number(object, "/status/observedGeneration") == status::number(object, "/metadata/generation")
}

#[test]
fn suspend_and_resume() -> Result<()> {
    scene("suspend", |scene| {
        scene.apply("w", &HELD.replacen('{', "{suspend: true, ", 1))?;
        let object = scene.wait("w", "condition=Suspended", A_WORD)?;
        status::expect(&object, "Suspended", "True", "Suspended", &["spec.suspend"])?;
        ensure!(
            object.pointer("/status/run").is_none() && scene.pods("w")?.is_empty(),
            "a suspended object started: {object}"
        );
        change(scene, &json!({"spec": {"suspend": false}}))?;
        let pod = scene.running_pod("w", "a")?;
        change(scene, &json!({"spec": {"suspend": true}}))?;
        scene.wait("w", "condition=Suspended", A_WORD)?;
        scene.let_go(&pod)?;
        let held = scene.look("w", "step a done while suspended", A_RUN, |o| {
            Ok(status::step(o, "a").is_some_and(|s| status::text(s, "/phase") == "Succeeded"))
        })?;
        ensure!(status::step(&held, "b").is_none(), "a new step started while suspended: {held}");
        change(scene, &json!({"spec": {"suspend": false}}))?;
        let object = scene.complete("w", A_RUN)?;
        ensure!(status::number(&object, "/status/run/number") == 1, "suspending started a run");
        ensure!(status::condition(&object, "Suspended").is_none());
        rows::equal_status(scene, &object).map(drop)
    })
}

#[test]
fn cancel_by_run_id() -> Result<()> {
    scene("cancel", |scene| {
        scene.apply("w", HELD)?;
        scene.running_pod("w", "a")?;
        let id = status::text(&scene.read("w")?, "/status/run/id").to_owned();
        // The number is no id, and another run's id stops nothing.
        ensure!(change(scene, &json!({"spec": {"cancel": {"run": "1"}}})).is_err(), "a number was taken for an id");
        change(scene, &json!({"spec": {"cancel": {"run": "01993b6a-7c00-7000-8000-000000000001"}}}))?;
        let object = scene.look("w", "another id is seen", A_WORD, |o| Ok(observed(o)))?;
        ensure!(object.pointer("/status/run/stop").is_none(), "another run's id stopped this one: {object}");
        change(scene, &json!({"spec": {"cancel": {"run": id}}}))?;
        let object = scene.failed("w", A_RUN)?;
        status::expect(&object, "Failed", "True", "Cancelled", &["rerun.token"])?;
        status::expect(&object, "Stalled", "True", "Cancelled", &[])?;
        ensure!(status::text(&object, "/status/phase") == "Cancelled", "{object}");
        rows::equal_status(scene, &object)?;
        // The cancel that is still in the spec does not touch the next run.
        change(scene, &json!({"spec": {"rerun": {"token": "again"}}}))?;
        let pod = scene.running_pod("w", "a")?;
        scene.let_go(&pod)?;
        let object = scene.complete("w", A_RUN)?;
        ensure!(status::number(&object, "/status/run/number") == 2);
        ensure!(
            status::text(&object, "/status/lastRun/id") == id
                && status::text(&object, "/status/lastRun/phase") == "Cancelled"
        );
        Ok(())
    })
}

#[test]
fn rerun_by_token() -> Result<()> {
    scene("rerun", |scene| {
        // A token that a new object comes with is noted, not obeyed.
        scene.apply("w", "{rerun: {token: one}, steps: [{name: a, command: ['true']}]}")?;
        let first = scene.complete("w", A_RUN)?;
        ensure!(
            status::number(&first, "/status/run/number") == 1 && status::text(&first, "/status/rerunToken") == "one"
        );
        change(scene, &json!({"spec": {"rerun": {"token": "two"}}}))?;
        let second = scene.look("w", "run 2 is complete", A_RUN, |o| {
            Ok(status::number(o, "/status/run/number") == 2
                && status::text(o, "/status/phase") == "Succeeded"
                && observed(o))
        })?;
        ensure!(status::text(&second, "/status/run/trigger") == "Rerun", "{second}");
        let second = scene.complete("w", A_RUN)?;
        rows::equal_status(scene, &second)?;
        let runs = store::runs_in(&scene.namespace)?;
        let numbers: Vec<&Value> = runs.iter().map(|r| &r["number"]).collect();
        ensure!(numbers == [&json!(1), &json!(2)], "{runs:?}");
        Ok(())
    })
}

#[test]
fn spec_changed_in_mid_run() -> Result<()> {
    scene("changed", |scene| {
        scene.apply("w", HELD)?;
        let pod = scene.running_pod("w", "a")?;
        change(scene, &json!({"spec": {"env": [{"name": "COLOUR", "value": "blue"}]}}))?;
        let object = scene.wait("w", "condition=ChangePending", A_WORD)?;
        status::expect(&object, "ChangePending", "True", "SpecChanged", &["a run of it follows"])?;
        ensure!(observed(&object), "the status does not answer the new generation: {object}");
        ensure!(status::number(&object, "/status/run/number") == 1);
        scene.let_go(&pod)?;
        let second = scene.look("w", "run 2", A_RUN, |o| Ok(status::number(o, "/status/run/number") == 2))?;
        ensure!(status::condition(&second, "ChangePending").is_none(), "{second}");
        ensure!(status::condition(&second, "Complete").is_none(), "starting a run leaves Complete standing: {second}");
        ensure!(status::text(&second, "/status/run/trigger") == "Changed", "{second}");
        scene.let_go(&scene.running_pod("w", "a")?)?;
        let second = scene.complete("w", A_RUN)?;
        rows::equal_status(scene, &second)?;
        let runs = store::runs_in(&scene.namespace)?;
        ensure!(runs.len() == 2 && runs.iter().all(|r| r["phase"] == json!("Succeeded")), "{runs:?}");
        let env = |n: usize| runs.get(n).and_then(|r| r.pointer("/spec/env")).cloned();
        ensure!(env(0).is_none() && env(1).is_some(), "each run keeps the spec that it ran: {runs:?}");
        Ok(())
    })
}

#[test]
fn a_changed_spec_runs_and_other_changes_do_not() -> Result<()> {
    scene("on-change", |scene| {
        scene.apply("w", "{steps: [{name: a, command: ['true']}]}")?;
        scene.complete("w", A_RUN)?;
        for patch in [
            json!({"spec": {"suspend": true}}),
            json!({"spec": {"suspend": false}}),
            json!({"spec": {"cancel": {"run": "01993b6a-7c00-7000-8000-000000000001"}}}),
            json!({"metadata": {"labels": {"team": "climate"}}}),
        ] {
            change(scene, &patch)?;
            let object = scene.look("w", "the change is seen", A_WORD, |o| Ok(observed(o)))?;
            ensure!(status::number(&object, "/status/run/number") == 1, "{patch} started a run");
        }
        change(scene, &json!({"spec": {"parallelism": 3}}))?;
        scene.look("w", "run 2", A_RUN, |o| Ok(status::number(o, "/status/run/number") == 2))?;
        scene.complete("w", A_RUN).map(drop)
    })
}

#[test]
fn time_limits() -> Result<()> {
    scene("limits", |scene| {
        let long = "command: [sleep, '3600'], pod: {terminationGracePeriodSeconds: 1}";
        scene.apply("run", &format!("{{timeout: 8s, steps: [{{name: a, {long}}}, {{name: b, needs: [a]}}]}}"))?;
        scene.apply("step", &format!("{{steps: [{{name: a, timeout: 5s, {long}}}]}}"))?;
        scene.apply(
            "fail-fast",
            &format!("{{failFast: true, steps: [{{name: a, {long}}}, {{name: b, command: [sh, -c, 'exit 3']}}]}}"),
        )?;
        let run = scene.failed("run", A_RUN)?;
        status::expect(&run, "Stalled", "True", "TimedOut", &["spec.timeout"])?;
        let step = scene.failed("step", A_RUN)?;
        status::expect(&step, "Stalled", "True", "TimedOut", &["step a", "timeout"])?;
        let fast = scene.failed("fail-fast", A_RUN)?;
        status::expect(&fast, "Stalled", "True", "ExitCode", &["step b", "exit code 3"])?;
        ensure!(status::step(&fast, "a").is_some_and(|s| status::text(s, "/phase") == "Cancelled"), "{fast}");
        for object in [run, step, fast] {
            rows::equal_status(scene, &object)?;
        }
        Ok(())
    })
}

#[test]
fn kubectl_explain_reads_like_documentation() -> Result<()> {
    let said = Cluster::new()?.kubectl(&["explain", "hwf.spec.steps.retry"])?;
    println!("{said}");
    for words in ["limit", "backoff", "exitCodes", "avoidNode", "Default:", "for example", "application failures"] {
        ensure!(said.contains(words), "explain does not say {words:?}:\n{said}");
    }
    ensure!(!said.contains("<no description>") && !said.contains("<empty>"), "a field has no description:\n{said}");
    Ok(())
}

#[test]
fn print_columns() -> Result<()> {
    scene("columns", |scene| {
        scene.apply("w", "{steps: [{name: a, command: ['true']}]}")?;
        let object = scene.complete("w", A_RUN)?;
        let narrow = scene.cluster.kubectl(&["-n", &scene.namespace, "get", "hwf"])?;
        println!("{narrow}");
        let lines: Vec<Vec<&str>> = narrow.lines().map(|l| l.split_whitespace().collect()).collect();
        let head = lines.first().context("no head")?;
        ensure!(head == &["NAME", "PHASE", "PROGRESS", "REASON", "RUN", "AGE"], "{head:?}");
        let row = lines.get(1).context("no row")?;
        ensure!(row.get(..5) == Some(&["w", "Succeeded", "1/1", "Completed", "1"]), "{row:?}");
        let wide = scene.cluster.kubectl(&["-n", &scene.namespace, "get", "hwf", "-o", "wide"])?;
        ensure!(wide.contains(status::text(&object, "/status/run/id")) && wide.contains("STORED"), "{wide}");
        ensure!(scene.cluster.kubectl(&["-n", &scene.namespace, "get", "hearth"])?.contains("w"), "category hearth");
        Ok(())
    })
}
