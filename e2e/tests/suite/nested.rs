//! Runs that are asked for: by a trigger with params, and by steps of other Workflows.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{
    A_RUN, Scene, plugin, rows, scene,
    status::{self, number, text},
    store,
    wait::until,
};
use serde_json::{Value, json};

/// A template that squares a number, when it is let go.
const SQUARE: &str = r#"
runPolicy: Manual
params: [{name: n, type: integer}, {name: hold, type: boolean, default: false}]
steps:
- name: square
  command: [sh, -c, 'while [ "$2" = true ]; do sleep 1; done; echo "{\"n\": $(($1 * $1))}" > /dev/termination-log', sh]
  args: ["${string(params.n)}", "${string(params.hold)}"]
  outputs: [{name: n, type: integer}]
  pod: {terminationGracePeriodSeconds: 1}
results: {n: "${steps.square.outputs.n}"}
"#;

fn made(scene: &Scene) -> Result<Vec<Value>> {
    let all = scene.cluster.list(&["-n", &scene.namespace, "hwf"])?;
    Ok(all.into_iter().filter(|o| o.pointer("/metadata/annotations/hearth.dev~1trigger-id").is_some()).collect())
}

#[test]
fn a_template_is_triggered_with_params() -> Result<()> {
    scene("trigger", |scene| {
        scene.apply("square", SQUARE)?;
        let trigger = |words: &[&str]| {
            plugin::hearth(&scene.cluster, &[&["trigger", "square", "-n", &scene.namespace], words].concat())
        };
        let said = trigger(&["-p", "n=7", "--id", "first", "--watch"])?;
        println!("{}{}", said.err, said.out);
        ensure!(said.code == 0 && said.out.contains("run 1: Succeeded"), "{said:?}");
        let again =
            plugin::json(&scene.cluster, &["trigger", "square", "-p", "n=7", "--id", "first", "-n", &scene.namespace])?;
        let objects = made(scene)?;
        ensure!(objects.len() == 1, "the same id made another one: {objects:?}");
        let object = objects.first().context("none")?;
        ensure!(
            text(&again, "/name") == text(object, "/metadata/name") && text(&again, "/phase") == "Succeeded",
            "{again}"
        );
        let name = text(object, "/metadata/name");
        let done = scene.complete(name, A_RUN)?;
        ensure!(done.pointer("/status/run/results") == Some(&json!({"n": 49})), "{done}");
        ensure!(text(&done, "/status/run/trigger") == "Requested", "{done}");
        ensure!(!text(&done, "/status/run/requestedBy").is_empty(), "{done}");
        rows::equal_status(scene, &done)?;
        for (words, says) in [
            (vec!["-p", "n=x"], "no JSON of type integer"),
            (vec!["-p", "m=1"], "there is no such param, there are: n, hold"),
            (vec![], "params.n: the template has no default for it"),
            (vec!["-p", "n=1", "--ttl", "1m"], "ttl: must be 10m or longer"),
            (vec!["-p", "n=8", "--id", "first"], "was used with other params"),
        ] {
            let said = trigger(&words)?;
            ensure!(said.code != 0 && said.err.contains(says), "{words:?}: {said:?}");
        }
        ensure!(made(scene)?.len() == 1, "something was made for a wrong trigger");
        Ok(())
    })
}

#[test]
fn a_step_runs_another_workflow() -> Result<()> {
    scene("nested", |scene| {
        scene.apply("square", SQUARE)?;
        scene.apply(
            "w",
            r#"
steps:
- {name: once, workflow: {ref: square, params: {n: 3}}, outputs: [{name: n, type: integer}]}
- name: each
  needs: [once]
  forEach: {expression: "${[1, steps.once.outputs.n]}"}
  workflow: {ref: square, params: {n: "${item}"}}
  outputs: [{name: n, type: integer}]
results: {all: "${steps.each.outputs.map(o, o.n)}"}
"#,
        )?;
        let done = scene.complete("w", A_RUN)?;
        ensure!(done.pointer("/status/run/results") == Some(&json!({"all": [1, 81]})), "{done}");
        rows::equal_status(scene, &done)?;
        let objects = made(scene)?;
        ensure!(objects.len() == 3, "{objects:?}");
        for object in &objects {
            ensure!(text(object, "/metadata/ownerReferences/0/name") == "w", "{object}");
            let run = text(object, "/status/run/id").to_owned();
            until("the record of a run that a step asked for", A_RUN, || {
                Ok(store::run(&run)?.is_some_and(|row| text(&row, "/phase") == "Succeeded").then_some(()))
            })?;
        }
        Ok(())
    })
}

#[test]
fn what_stops_the_caller_stops_what_it_called() -> Result<()> {
    scene("nested-stop", |scene| {
        scene.apply("square", SQUARE)?;
        scene.apply("w", "{steps: [{name: sub, workflow: {ref: square, params: {n: 3, hold: true}}}]}")?;
        let child = until("the run object", A_RUN, || Ok(made(scene)?.into_iter().next()))?;
        let child = text(&child, "/metadata/name").to_owned();
        scene.running_pod(&child, "square")?;
        let run = text(&scene.read("w")?, "/status/run/id").to_owned();
        scene.cluster.patch(&scene.namespace, "hwf/w", &json!({"spec": {"cancel": {"run": run}}}))?;
        let done = scene.failed("w", A_RUN)?;
        let step = status::step(&done, "sub").context("no step")?;
        ensure!(text(step, "/phase") == "Cancelled" && number(step, "/attempt") == 1, "{step}");
        let called = scene.failed(&child, A_RUN)?;
        ensure!(text(&called, "/status/phase") == "Cancelled", "{called}");
        // Nobody waits for what was called for a run that is over: it goes at once.
        let mut orphan = called;
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "finalizers", "managedFields"] {
            orphan.pointer_mut("/metadata").and_then(Value::as_object_mut).context("metadata")?.remove(field);
        }
        orphan.as_object_mut().context("an object")?.remove("status");
        // Only the operator may say that a step asked.
        let annotations = orphan.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
        annotations.context("annotations")?.remove("hearth.dev/requested-by");
        scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", &child])?;
        scene.cluster.apply(&orphan.to_string())?;
        until("the end of an object that nobody waits for", A_RUN, || {
            Ok(scene.cluster.get(&["-n", &scene.namespace, "hwf", &child])?.is_none().then_some(()))
        })
    })
}
