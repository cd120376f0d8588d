//! What is deleted in mid-run ends, goes, and leaves its record.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Scene, plugin, rows, scene, status, store, until};
use serde_json::{Value, json};

const LONG: &str = "{steps: [{name: quick, command: ['true']}, {name: long, needs: [quick], command: [sleep, '3600'], pod: {terminationGracePeriodSeconds: 1}}, {name: never, needs: [long], command: ['true']}]}";

/// The run of a deleted object is one final row, Cancelled for that reason, and the API gives it.
fn recorded(scene: &Scene, id: &str) -> Result<()> {
    let row = store::run(id)?.with_context(|| format!("run {id} left no row"))?;
    ensure!(
        row["terminal"] == json!(true) && row["phase"] == json!("Cancelled") && row["reason"] == json!("Deleted"),
        "{row}"
    );
    let steps = store::steps(id)?;
    let phase = |name: &str| {
        steps.iter().find(|s| status::text(s, "/step") == name).map(|s| status::text(s, "/phase").to_owned())
    };
    ensure!(phase("quick").as_deref() == Some("Succeeded"), "{steps:?}");
    // With a namespace its pods may go before the object does: that is then how the attempt ended.
    let long = phase("long");
    ensure!(matches!(long.as_deref(), Some("Cancelled" | "Failed")), "{steps:?}");
    ensure!(steps.iter().all(|s| s["terminal"] == json!(true)), "{steps:?}");
    rows::through_api(scene, id, &row, &steps)
}

#[test]
fn object_deleted_in_mid_run() -> Result<()> {
    scene("deleted", |scene| {
        scene.apply("neighbour", "{steps: [{name: a, command: ['true']}]}")?;
        scene.apply("w", LONG)?;
        scene.running_pod("w", "long")?;
        let id = status::text(&scene.read("w")?, "/status/run/id").to_owned();
        scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", "w", "--timeout=90s"])?;
        recorded(scene, &id)?;
        until("its pods are gone", A_WORD, || Ok(scene.pods("w")?.is_empty().then_some(())))?;
        let neighbour = scene.complete("neighbour", A_RUN)?;
        rows::equal_status(scene, &neighbour).map(drop)
    })
}

#[test]
fn object_deleted_before_and_after_its_run() -> Result<()> {
    scene("deleted-idle", |scene| {
        scene.apply("suspended", "{suspend: true, steps: [{name: a, command: ['true']}]}")?;
        scene.apply("invalid", "{steps: [{name: a, needs: [a]}]}")?;
        scene.apply("done", "{steps: [{name: a, command: ['true']}]}")?;
        scene.wait("suspended", "condition=Suspended", A_WORD)?;
        scene.wait("invalid", "condition=Stalled", A_WORD)?;
        let done = scene.complete("done", A_RUN)?;
        let id = rows::equal_status(scene, &done)?;
        let before = store::run(&id)?;
        scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", "--all", "--timeout=60s"])?;
        ensure!(store::run(&id)? == before, "the record of an ended run changed with the object's deletion");
        ensure!(store::runs_in(&scene.namespace)?.len() == 1, "an object that never ran has a row");
        Ok(())
    })
}

#[test]
fn a_second_object_of_the_same_name_is_another() -> Result<()> {
    scene("same-name", |scene| {
        let mut ids = Vec::new();
        for _ in 0..2 {
            scene.apply("w", "{steps: [{name: a, command: ['true']}]}")?;
            let object = scene.complete("w", A_RUN)?;
            ids.push(rows::equal_status(scene, &object)?);
            scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", "w", "--timeout=60s"])?;
        }
        let rows = store::runs_in(&scene.namespace)?;
        ensure!(rows.len() == 2 && rows.iter().all(|r| r["number"] == json!(1)), "{rows:?}");
        ensure!(ids.first() != ids.last(), "{ids:?}");
        Ok(())
    })
}

#[test]
fn namespace_deleted_in_mid_run() -> Result<()> {
    scene("namespace-gone", |scene| {
        scene.apply("w", LONG)?;
        scene.running_pod("w", "long")?;
        let id = status::text(&scene.read("w")?, "/status/run/id").to_owned();
        scene.cluster.kubectl(&["delete", "namespace", &scene.namespace, "--timeout=120s"])?;
        recorded(scene, &id)?;
        let all = plugin::json(&scene.cluster, &["runs", "-A", "--since", "1h", "--limit", "1000"])?;
        let listed = status::items(&all, "/items").iter().find(|r| status::text(r, "/id") == id);
        ensure!(listed.is_some_and(|r| status::text(r, "/phase") == "Cancelled"), "the list of all runs lacks {id}");
        let left: Option<Value> = scene.cluster.get(&["namespace", &scene.namespace])?;
        ensure!(left.is_none(), "the namespace is still there");
        Ok(())
    })
}
