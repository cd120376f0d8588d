//! Each example runs as it stands, and its rows say what its status says.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, A_WORD, Scene,
    cluster::root,
    plugin,
    process::capture,
    rows, scene,
    status::{items, number, says, text},
};
use serde_json::{Value, json};
use std::{process::Command, time::Duration};

/// `kubectl apply -f` and `kubectl wait --for=condition=Complete`, as a reader of the README would.
fn example(scene: &Scene, name: &str, limit: Duration) -> Result<Value> {
    scene.apply_file(&format!("examples/{name}/workflow.yaml"))?;
    scene.wait(name, "condition=Complete", limit)?;
    let object = scene.complete(name, Duration::from_secs(30))?;
    ensure!(text(&object, "/status/phase") == "Succeeded", "{name} is {}", text(&object, "/status/phase"));
    rows::equal_status(scene, &object)?;
    Ok(object)
}

/// `kubectl hearth` with these words, in the scene's namespace.
fn hearth(scene: &Scene, words: &[&str]) -> Result<()> {
    let said = plugin::hearth(&scene.cluster, &[words, &["-n", &scene.namespace]].concat())?;
    ensure!(said.code == 0, "kubectl hearth {words:?}: {said:?}");
    Ok(())
}

#[test]
fn hello() -> Result<()> {
    scene("hello", |scene| {
        let object = example(scene, "hello", A_RUN)?;
        ensure!(text(&object, "/status/progress") == "2/2");
        let said = hearth_e2e::plugin::hearth(
            &scene.cluster,
            &["logs", "workflow", "hello", "--step", "say", "-n", &scene.namespace],
        )?;
        ensure!(said.code == 0 && said.out.contains("hello, world"), "{said:?}");
        Ok(())
    })
}

#[test]
fn diamond() -> Result<()> {
    scene("diamond", |scene| {
        let object = example(scene, "diamond", A_RUN)?;
        // (10+1 + … + 10+4) · (1+2+3+4)
        ensure!(object.pointer("/status/run/results") == Some(&json!({"total": 500})), "{object}");
        ensure!(items(&object, "/status/run/steps").iter().all(|s| number(s, "/attempt") == 1));
        Ok(())
    })
}

#[test]
fn retry() -> Result<()> {
    scene("retry", |scene| {
        let object = example(scene, "retry", A_RUN)?;
        let results = object.pointer("/status/run/results").context("no results")?;
        ensure!(results["attempts"] == json!(3), "{results}");
        ensure!(results["note"] == json!("it took 3 and 2 attempts"), "{results}");
        ensure!(results["alarm"] == json!("Skipped"), "{results}");
        Ok(())
    })
}

#[test]
fn convergence() -> Result<()> {
    scene("convergence", |scene| {
        let object = example(scene, "convergence", A_RUN)?;
        let results = object.pointer("/status/run/results").context("no results")?;
        let order = results["order"].as_f64().context("no order")?;
        ensure!((order - 2.0).abs() < 0.01, "the trapezoid rule is of order 2: {results}");
        let n: Vec<_> = items(results, "/estimates").iter().map(|e| number(e, "/intervals")).collect();
        ensure!(n == [4, 8, 16, 32, 64], "{results}");
        Ok(())
    })
}

#[test]
fn nightly() -> Result<()> {
    scene("nightly", |scene| {
        scene.apply_file("examples/nightly/workflow.yaml")?;
        let idle = scene.look("nightly", "scheduled", A_WORD, |o| Ok(says(o, "Ready", "True", "Scheduled")))?;
        ensure!(idle.pointer("/status/run").is_none(), "{idle}");
        hearth(scene, &["rerun", "nightly"])?;
        let object = scene.look("nightly", "one run", A_RUN, |o| Ok(text(o, "/status/phase") == "Succeeded"))?;
        ensure!(says(&object, "Ready", "True", "Scheduled"), "{object}");
        let files = object.pointer("/status/run/results/files").and_then(Value::as_i64);
        ensure!(files.is_some_and(|n| n > 10), "{object}");
        Ok(())
    })
}

#[test]
fn publish() -> Result<()> {
    scene("publish", |scene| {
        scene.apply_file("examples/publish/workflow.yaml")?;
        scene.look("publish", "the question", A_RUN, |o| Ok(says(o, "Ready", "False", "WaitingForApproval")))?;
        hearth(scene, &["approve", "publish", "gate"])?;
        let object = example(scene, "publish", A_RUN)?;
        ensure!(object.pointer("/status/run/results") == Some(&json!({"published": true, "rmse": 0.79})), "{object}");
        Ok(())
    })
}

#[test]
fn harmonics() -> Result<()> {
    scene("harmonics", |scene| {
        scene.apply_file("examples/harmonics/workflow.yaml")?;
        scene.look("harmonics", "the question", A_RUN, |o| Ok(says(o, "Ready", "False", "WaitingForApproval")))?;
        hearth(scene, &["approve", "harmonics", "gate"])?;
        let object = example(scene, "harmonics", A_RUN)?;
        let results = object.pointer("/status/run/results").context("no results")?;
        ensure!(results["period"] == json!(12), "{results}");
        ensure!((results["amplitude"].as_f64().unwrap_or_default() - 1.0).abs() < 0.05, "{results}");
        ensure!((results["slope"].as_f64().unwrap_or_default() - 0.002).abs() < 0.002, "{results}");
        Ok(())
    })
}

#[test]
fn co2() -> Result<()> {
    scene("co2", |scene| {
        let object = example(scene, "co2", Duration::from_secs(400))?;
        let results = object.pointer("/status/run/results").context("no results")?.to_string();
        let script = root().join("e2e/co2/independent.py");
        let said = capture(Command::new("python3").arg(script).args(["--results", "-"]), Some(&results))?;
        println!("{said}");
        Ok(())
    })
}
