//! Files that go from step to step, and the runtimes of the catalog that work on them.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, Scene, plugin, rows, scene, status::text};
use serde_json::{Value, json};

/// The run of that Workflow ends well, and its rows say so.
fn done(scene: &Scene, name: &str) -> Result<Value> {
    let object = scene.complete(name, A_RUN)?;
    rows::equal_status(scene, &object)?;
    Ok(object)
}

/// A file and a directory, byte by byte, into a namespace whose certificate somebody has spoilt.
#[test]
fn files_and_directories_go_from_step_to_step() -> Result<()> {
    scene("artifacts", |scene| {
        let spoilt = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hearth-ca", "namespace": scene.namespace},
            "data": {"ca.crt": "no certificate"}});
        scene.cluster.apply(&spoilt.to_string())?;
        scene.apply(
            "hand-on",
            r#"
steps:
- name: make
  command: [sh, -ec]
  args:
  - |
    head -c 300000 /dev/urandom > /hearth/out/noise.bin
    mkdir -p /hearth/out/plots/deep
    echo one > /hearth/out/plots/one.txt
    echo two > /hearth/out/plots/deep/two.txt
    sum=$(sha256sum /hearth/out/noise.bin | cut -d' ' -f1)
    echo "{\"sum\": \"sha256:$sum\"}" > /dev/termination-log
  outputs: [{name: sum}]
  artifacts: {out: [{name: noise, path: noise.bin}, {name: plots}]}
- name: read
  needs: [make]
  command: [sh, -ec]
  args:
  - |
    sum=$(sha256sum /hearth/in/sub/noise | cut -d' ' -f1)
    text=$(cat /hearth/in/plots/one.txt /hearth/in/plots/deep/two.txt | tr '\n' ' ')
    ls /hearth/in > /dev/stderr
    echo "{\"sum\": \"sha256:$sum\", \"text\": \"$text\"}" > /dev/termination-log
  outputs: [{name: sum}, {name: text}]
  artifacts: {in: [{from: make.noise, path: sub/noise}, {from: make.plots}]}
results: {made: "${steps.make.outputs.sum}", read: "${steps.read.outputs.sum}", text: "${steps.read.outputs.text}"}
"#,
        )?;
        let object = done(scene, "hand-on")?;
        let results = object.pointer("/status/run/results").context("no results")?;
        ensure!(results["made"] == results["read"] && results["text"] == json!("one two "), "{results}");
        let stored = object.pointer("/status/run/steps/0/artifacts").context("no artifacts in the status")?;
        ensure!(stored["noise"]["digest"] == results["made"] && stored["noise"]["bytes"] == json!(300_000), "{stored}");
        ensure!(stored["plots"]["directory"] == json!(true), "{stored}");
        let run = text(&object, "/status/run/id");
        let said = plugin::hearth(&scene.cluster, &["describe", run])?;
        let digest = results["made"].as_str().unwrap_or_default();
        ensure!(said.code == 0 && said.out.contains("Artifacts:") && said.out.contains(digest), "{said:?}");
        println!("{}", said.out);
        let file = std::env::temp_dir().join(&scene.namespace);
        let to = file.to_string_lossy();
        let said = plugin::hearth(&scene.cluster, &["artifact", "make.noise", run, "--to", &to])?;
        ensure!(said.code == 0 && std::fs::metadata(&file)?.len() == 300_000, "{said:?}");
        println!("{}", said.out);
        std::fs::remove_file(&file)?;
        Ok(())
    })
}

/// What is declared must be there, and the failure says which it is.
#[test]
fn an_artifact_that_is_not_written_fails_its_step() -> Result<()> {
    scene("unwritten", |scene| {
        scene.apply(
            "unwritten",
            r#"
steps:
- {name: a, command: ["true"], artifacts: {out: [{name: model, path: model.bin}]}}
- {name: b, needs: [a], command: ["true"], artifacts: {in: [{from: a.model}]}}
"#,
        )?;
        let object = scene.failed("unwritten", A_RUN)?;
        let message = text(&object, "/status/run/failure/message");
        ensure!(message.contains("model") && message.contains("/hearth/out/model.bin"), "{message}");
        ensure!(text(&object, "/status/run/steps/1/phase") == "Skipped", "{object}");
        rows::equal_status(scene, &object)?;
        Ok(())
    })
}

/// A table through both runtimes: the profile holds it against expectations, and the derivative of t² is 2t.
#[test]
fn runtimes_work_on_each_others_tables() -> Result<()> {
    scene("runtimes", |scene| {
        scene.apply(
            "squares",
            r#"
params: [{name: least, type: integer, default: 5}]
steps:
- name: make
  command: [sh, -ec]
  args: ["{ echo t,u; for t in $(seq 0 9); do echo $t,$((t * t)); done; } > /hearth/out/table.csv"]
  artifacts: {out: [{name: table, path: table.csv}]}
- name: check
  needs: [make]
  runtime: dataset
  with: {input: table, format: csv, expectations: [{rows: {min: "${params.least}"}}, {column: u, min: 0, max: 81}]}
  outputs: [{name: rows, type: integer}, {name: digest}]
  artifacts: {in: [{from: make.table}], out: [{name: table, path: table.parquet}, {name: profile, path: profile.json}]}
- name: derive
  needs: [check]
  runtime: features
  with: {input: table, index: t, operations: [{derivative: {column: u, as: slope}}]}
  outputs: [{name: rows, type: integer}]
  artifacts: {in: [{from: check.table, path: table.parquet}], out: [{name: table, path: slopes.csv}]}
- name: read
  needs: [derive]
  command: [sh, -ec]
  args: ["grep '^7' /hearth/in/slopes.csv > /dev/stderr; echo \"{\\\"seven\\\": \\\"$(grep '^7' /hearth/in/slopes.csv | cut -d, -f3)\\\"}\" > /dev/termination-log"]
  outputs: [{name: seven}]
  artifacts: {in: [{from: derive.table, path: slopes.csv}]}
results: {rows: "${steps.derive.outputs.rows}", seven: "${steps.read.outputs.seven}"}
"#,
        )?;
        let object = done(scene, "squares")?;
        let results = object.pointer("/status/run/results").context("no results")?;
        let slope: f64 = results["seven"].as_str().unwrap_or_default().parse().context("no number")?;
        ensure!(results["rows"] == json!(10) && (slope - 14.0).abs() < 1e-9, "{results}");
        Ok(())
    })
}
