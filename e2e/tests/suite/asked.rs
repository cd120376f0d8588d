//! Workflows that wait for people, run when they are asked to, and go on after other ends than success.

use anyhow::{Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Scene, plugin, rows, scene, status, store, wait::until};
use serde_json::{Value, json};

fn change(scene: &Scene, patch: &Value) -> Result<()> {
    scene.cluster.patch(&scene.namespace, "hwf/w", patch)
}

/// `kubectl hearth` with these words, in the scene's namespace.
fn hearth(scene: &Scene, words: &[&str]) -> Result<()> {
    let said = plugin::hearth(&scene.cluster, &[words, &["-n", &scene.namespace]].concat())?;
    ensure!(said.code == 0, "kubectl hearth {words:?}: {said:?}");
    Ok(())
}

fn phase<'a>(object: &'a Value, step: &str) -> &'a str {
    status::step(object, step).map_or("", |s| status::text(s, "/phase"))
}

fn reason<'a>(object: &'a Value, step: &str) -> &'a str {
    status::step(object, step).map_or("", |s| status::text(s, "/reason"))
}

#[test]
fn an_approval_passes_one_run() -> Result<()> {
    scene("approval", |scene| {
        scene.apply(
            "w",
            "{params: [{name: window, type: integer, default: 12}], steps: [{name: gate, approval: {message: 'use ${string(params.window)} months?'}}, {name: go, needs: [gate], command: ['true']}]}",
        )?;
        let asked =
            scene.look("w", "the question", A_WORD, |o| Ok(status::says(o, "Ready", "False", "WaitingForApproval")))?;
        let id = status::text(&asked, "/status/run/id").to_owned();
        status::expect(&asked, "Ready", "False", "WaitingForApproval", &["use 12 months?", "spec.approve", &id])?;
        // An entry for another run is ignored, and the condition says so.
        let other = "01993b6a-7c00-7000-8000-000000000001";
        change(scene, &json!({"spec": {"approve": [{"step": "gate", "run": other}]}}))?;
        let ignored = scene.look("w", "the other run's entry is seen", A_WORD, |o| {
            let ready = status::condition(o, "Ready");
            Ok(ready.is_some_and(|c| status::text(c, "/message").contains(other)))
        })?;
        ensure!(phase(&ignored, "gate") == "Running" && scene.pods("w")?.is_empty(), "{ignored}");
        ensure!(hearth(scene, &["approve", "w", "go"]).is_err(), "a step that does not wait was approved");
        hearth(scene, &["approve", "w", "gate"])?;
        let done = scene.complete("w", A_RUN)?;
        ensure!(reason(&done, "gate") == "Approved", "{done}");
        rows::equal_status(scene, &done)?;
        ensure!(store::runs_in(&scene.namespace)?.len() == 1, "an approval started a run");
        // It is no longer one for the next run.
        hearth(scene, &["rerun", "w"])?;
        let again = scene.look("w", "the question again", A_WORD, |o| {
            Ok(status::number(o, "/status/run/number") == 2 && status::says(o, "Ready", "False", "WaitingForApproval"))
        })?;
        ensure!(phase(&again, "gate") == "Running", "{again}");
        hearth(scene, &["suspend", "w"])?;
        scene.wait("w", "condition=Suspended", A_WORD)?;
        hearth(scene, &["resume", "w"])?;
        hearth(scene, &["cancel", "w"])?;
        let stopped = scene.failed("w", A_RUN)?;
        status::expect(&stopped, "Failed", "True", "Cancelled", &[])?;
        rows::equal_status(scene, &stopped).map(drop)
    })
}

#[test]
fn other_ends_than_success() -> Result<()> {
    scene("after", |scene| {
        scene.apply(
            "w",
            "{steps: [{name: fit, command: ['false']}, {name: undo, after: {fit: [Failed]}, command: ['true']}, {name: publish, needs: [fit], command: ['true']}, {name: praise, after: {fit: [Succeeded]}, command: ['true']}]}",
        )?;
        let object = scene.failed("w", A_RUN)?;
        ensure!(phase(&object, "undo") == "Succeeded", "{object}");
        ensure!(reason(&object, "publish") == "NeedFailed" && reason(&object, "praise") == "OutcomeUnmet", "{object}");
        rows::equal_status(scene, &object).map(drop)
    })
}

#[test]
fn a_rerun_takes_over_what_succeeded() -> Result<()> {
    scene("from-failed", |scene| {
        scene.apply(
            "w",
            "{steps: [{name: load, command: [sh, -c, 'echo {\\\"rows\\\": 12} > /dev/termination-log'], outputs: [{name: rows, type: integer}]}, {name: fit, needs: [load], command: [sh, -c, 'test ${string(run.number)} -gt 1 && test ${string(steps.load.outputs.rows)} = 12']}]}",
        )?;
        let first = scene.failed("w", A_RUN)?;
        ensure!(phase(&first, "load") == "Succeeded" && phase(&first, "fit") == "Failed", "{first}");
        hearth(scene, &["rerun", "w", "--from-failed"])?;
        let second = scene.complete("w", A_RUN)?;
        ensure!(status::number(&second, "/status/run/number") == 2, "{second}");
        ensure!(reason(&second, "load") == "Reused" && phase(&second, "fit") == "Succeeded", "{second}");
        rows::equal_status(scene, &second).map(drop)
    })
}

#[test]
fn a_template_runs_when_it_is_asked_to() -> Result<()> {
    scene("template", |scene| {
        scene.apply("w", "{runPolicy: Manual, steps: [{name: a, command: ['true']}]}")?;
        let object = scene.wait("w", "condition=Ready", A_WORD)?;
        status::expect(&object, "Ready", "True", "Template", &["rerun.token"])?;
        change(scene, &json!({"spec": {"env": [{"name": "COLOUR", "value": "blue"}]}}))?;
        let object = scene.look("w", "the change is seen", A_WORD, |o| {
            Ok(status::number(o, "/status/observedGeneration") == status::number(o, "/metadata/generation"))
        })?;
        ensure!(object.pointer("/status/run").is_none(), "a template ran by itself: {object}");
        change(scene, &json!({"spec": {"rerun": {"token": "now"}}}))?;
        let object = scene.look("w", "its run is stored", A_RUN, |o| {
            Ok(status::text(o, "/status/phase") == "Succeeded" && status::says(o, "HistoryStored", "True", "Stored"))
        })?;
        status::expect(&object, "Ready", "True", "Template", &[])?;
        rows::equal_status(scene, &object).map(drop)
    })
}

/// What a program asks of the API: each request is done once, and answered when it is sent again.
#[test]
fn a_program_asks_by_the_api() -> Result<()> {
    scene("program", |scene| {
        scene.apply(
            "w",
            "{steps: [{name: gate, approval: {message: 'go on?'}}, {name: a, needs: [gate], command: ['true']}]}",
        )?;
        scene.look("w", "the question", A_WORD, |o| Ok(status::says(o, "Ready", "False", "WaitingForApproval")))?;
        let ask = |what: &str, body: &Value| -> Result<Value> {
            let path = format!("/api/v1/workflows/{}/w/{what}", scene.namespace);
            let said = plugin::hearth(
                &scene.cluster,
                &["api", &path, "--post", &body.to_string(), "--id", &format!("1-{what}")],
            )?;
            ensure!(said.code == 0, "{what}: {said:?}");
            Ok(serde_json::from_str(&said.out)?)
        };
        let until_done = |what: &str, body: &Value| {
            until(&format!("{what} is answered"), A_WORD, || {
                let request = ask(what, body)?;
                Ok((status::text(&request, "/result") == "Done").then_some(request))
            })
        };
        until_done("suspend", &json!({}))?;
        scene.wait("w", "condition=Suspended", A_WORD)?;
        until_done("resume", &json!({}))?;
        until_done("approve", &json!({"step": "gate"}))?;
        let done = scene.complete("w", A_RUN)?;
        ensure!(reason(&done, "gate") == "Approved", "{done}");
        until_done("rerun", &json!({}))?;
        let again = scene.look("w", "the run that was asked for", A_RUN, |o| {
            Ok(status::number(o, "/status/run/number") == 2 && status::says(o, "Ready", "False", "WaitingForApproval"))
        })?;
        let run = status::text(&again, "/status/run/id");
        ensure!(status::text(&again, "/status/run/trigger") == "Requested", "{again}");
        until_done("cancel", &json!({"run": run}))?;
        let stopped = scene.failed("w", A_RUN)?;
        status::expect(&stopped, "Failed", "True", "Cancelled", &[])?;
        rows::equal_status(scene, &stopped)?;
        // A run of another system is on record beside them, once.
        let report = json!({"runId": "ci/77", "status": "completed", "durationMs": 90000, "outputs": {"best": 3}});
        ask("runs/notify", &report)?;
        ask("runs/notify", &report)?;
        ensure!(store::runs_in(&scene.namespace)?.len() == 3, "two runs, and one that was reported");
        Ok(())
    })
}

/// What the API does for a program, done here by kubectl: an entry in the status, which the operator acts on and answers.
#[test]
fn a_request_in_the_status_is_done_and_answered() -> Result<()> {
    scene("request", |scene| {
        scene.apply(
            "w",
            "{steps: [{name: gate, approval: {message: 'go on?'}}, {name: a, needs: [gate], command: ['true']}]}",
        )?;
        let asked =
            scene.look("w", "the question", A_WORD, |o| Ok(status::says(o, "Ready", "False", "WaitingForApproval")))?;
        let run = status::text(&asked, "/status/run/id").to_owned();
        let at = "2026-01-01T00:00:00Z";
        let entries = json!({"status": {"requests": [
            {"id": "pass", "kind": "Approve", "step": "gate", "run": run, "by": "ada", "at": at},
            {"id": "again", "kind": "Rerun", "by": "ada", "at": at},
        ]}});
        let patch = ["-n", &scene.namespace, "patch", "hwf/w", "--subresource=status", "--type=merge", "-p"];
        scene.cluster.kubectl(&[&patch[..], &[&entries.to_string()]].concat())?;
        let object = scene.look("w", "the run that was asked for", A_RUN, |o| {
            Ok(status::text(o, "/status/run/trigger") == "Requested")
        })?;
        ensure!(status::number(&object, "/status/run/number") == 2, "one more run was asked for: {object}");
        ensure!(status::text(&object, "/status/run/requestedBy") == "ada", "who asked is not said: {object}");
        let answers = status::items(&object, "/status/requests");
        ensure!(
            answers.len() == 2 && answers.iter().all(|r| status::text(r, "/answer/result") == "Done"),
            "not all is answered: {object}"
        );
        Ok(())
    })
}
