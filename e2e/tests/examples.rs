//! Each example runs as it stands, and its rows say what its status says.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, Scene,
    cluster::root,
    process::capture,
    rows, scene,
    status::{items, number, text},
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
