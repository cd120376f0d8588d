//! What people see of a run in the terminal: the tree of its steps, a watch on it, and files that are checked before.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, Scene,
    cluster::{built, root},
    plugin,
    process::{output, text},
    scene, status,
    wait::until,
};
use serde_json::{Value, json};

/// A diamond whose left side runs until somebody lets it go.
const HELD: &str = "{steps: [{name: load, command: ['true']}, {name: left, needs: [load], command: [sh, -c, 'while [ ! -e /tmp/go ]; do sleep 1; done']}, {name: right, needs: [load], command: ['true']}, {name: join, needs: [left, right], command: ['true']}]}";

fn hearth(scene: &Scene, words: &[&str]) -> Result<plugin::Said> {
    plugin::hearth(&scene.cluster, &[words, &["-n", &scene.namespace]].concat())
}

#[test]
fn a_run_is_watched_to_its_end_and_shown_as_a_tree() -> Result<()> {
    scene("tree", |scene| {
        scene.apply("w", HELD)?;
        // It starts while the run may not have, and waits for it.
        let watch = plugin::Running::start(&scene.cluster, &["watch", "w", "-n", &scene.namespace])?;
        until("the watch says that left runs", A_RUN, || Ok(watch.out()?.contains("left: Running").then_some(())))?;
        let pod = scene.running_pod("w", "left")?;
        let pod = status::text(&pod, "/metadata/name");
        scene.cluster.kubectl(&["-n", &scene.namespace, "exec", pod, "--", "touch", "/tmp/go"])?;
        let said = watch.end()?;
        println!("{}", said.out);
        ensure!(said.code == 0, "{said:?}");
        for line in ["run 1 (", "load: Succeeded", "left: Running", "join: Succeeded", "run 1: Succeeded"] {
            ensure!(said.out.contains(line), "no line says {line:?}: {said:?}");
        }
        ensure!(said.out.lines().all(|l| l.starts_with("20") && l.contains("Z  ")), "a line without a time: {said:?}");
        scene.complete("w", A_RUN)?;
        let said = hearth(scene, &["tree", "workflow", "w"])?;
        println!("{}", said.out);
        ensure!(said.code == 0 && said.out.contains("4 of 4 steps ended"), "{said:?}");
        for line in ["✓ load ", "├─✓ left ", "└─✓ right ", "  ✓ join "] {
            ensure!(said.out.lines().any(|l| l.starts_with(line)), "no line starts with {line:?}: {said:?}");
        }
        let graph = plugin::json(&scene.cluster, &["tree", "workflow", "w", "-n", &scene.namespace])?;
        let join =
            status::items(&graph, "/steps").iter().find(|s| status::text(s, "/name") == "join").context("join")?;
        ensure!(join["needs"] == json!(["left", "right"]) && join["attempts"] == json!(1), "{join}");
        ensure!(status::text(&graph, "/id") == status::text(&scene.read("w")?, "/status/run/id"), "{graph}");
        let said = hearth(scene, &["tree", "workflow", "w", "-o", "name"])?;
        ensure!(said.out.lines().count() == 4 && said.out.starts_with("step/load\n"), "{said:?}");
        summed_up(scene, status::text(&graph, "/id"))
    })
}

/// The figures over the one run of the scene.
fn summed_up(scene: &Scene, id: &str) -> Result<()> {
    let json = |words: &[&str]| plugin::json(&scene.cluster, &[words, &["-n", &scene.namespace]].concat());
    let trend = json(&["trend", "w"])?;
    ensure!(status::number(&trend, "/runs") == 1 && trend.get("failureRate") == Some(&json!(0.0)), "{trend}");
    let usage = json(&["usage", "--since", "1h"])?;
    ensure!(usage.pointer("/items/0/attempts") == Some(&json!(4)), "{usage}");
    ensure!(usage.pointer("/items/0/podSeconds").and_then(Value::as_f64).is_some_and(|s| s > 0.0), "{usage}");
    let same = json(&["compare", id, "workflow/w"])?;
    let values = status::items(&same, "/values");
    ensure!(values.len() > 10 && values.iter().all(|v| v.get("same") == Some(&json!(true))), "{same}");
    Ok(())
}

#[test]
fn a_watch_ends_as_the_run_does() -> Result<()> {
    scene("watch", |scene| {
        scene.apply("w", "{steps: [{name: a, command: ['false']}]}")?;
        let said = hearth(scene, &["watch", "w"])?;
        ensure!(said.code == 1 && said.out.contains("a: Failed") && said.out.contains("run 1: Failed"), "{said:?}");
        // Once more: the run is over, and its end counts.
        let said = hearth(scene, &["watch", "w"])?;
        ensure!(said.code == 1 && said.out.contains("run 1: Failed"), "{said:?}");
        let said = hearth(scene, &["watch", "nobody"])?;
        ensure!(said.code == 3 && said.err.contains("kubectl get hwf"), "{said:?}");
        scene.apply("broken", "{steps: [{name: a, needs: [b]}]}")?;
        let said = hearth(scene, &["watch", "broken"])?;
        ensure!(said.code == 1 && said.err.contains("there is no step named b"), "{said:?}");
        Ok(())
    })
}

#[test]
fn what_lint_finds_the_cluster_refuses() -> Result<()> {
    scene("lint", |scene| {
        let examples = root().join("examples");
        let mut files = Vec::new();
        for folder in std::fs::read_dir(&examples)? {
            let file = folder?.path().join("workflow.yaml");
            files.extend(file.is_file().then(|| file.to_string_lossy().into_owned()));
        }
        let fine = [&["lint"][..], &files.iter().map(String::as_str).collect::<Vec<_>>()].concat();
        let said = hearth(scene, &fine)?;
        ensure!(said.code == 0 && said.out.is_empty(), "{said:?}");
        for (spec, field) in [
            ("{steps: [{name: a, need: [b]}]}", "spec.steps[a].need"),
            ("{parallelism: 0, steps: [{name: a}]}", "spec.parallelism"),
            ("{steps: [{name: a}, {name: a}]}", "spec.steps"),
            (
                "{steps: [{name: a, env: [{name: X, value: a, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}",
                "spec.steps[a].env[X]",
            ),
        ] {
            let object = scene.workflow("bad", spec)?.to_string();
            let said = lint(scene, &object)?;
            ensure!(said.0 == 1 && said.1.contains(&format!("{field}: ")), "{spec}: {said:?}");
            let words = scene.cluster.refused(&object)?;
            println!("{}kubectl: {words}", said.1);
        }
        Ok(())
    })
}

/// Exit status and words of `kubectl hearth lint -` for a document.
fn lint(scene: &Scene, document: &str) -> Result<(i32, String)> {
    let plugin = built("HEARTH_PLUGIN", "kubectl-hearth")?;
    let done = output(scene.cluster.command(plugin).args(["lint", "-"]), Some(document))?;
    Ok((done.status.code().unwrap_or(-1), text(&done.stdout)))
}
