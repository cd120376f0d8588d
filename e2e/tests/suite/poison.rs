//! A stored object that no longer decodes parks with a reason; all others go on, and it can be deleted.

use anyhow::{Context, Result, ensure};
use hearth_e2e::{A_RUN, A_WORD, Cluster, Scene, rows, scene, status, store, until};
use serde_json::{Value, json};

const CRD: &str = "workflows.hearth.dev";
const FIELD: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/parallelism";

/// The schema of one field is off; it is as it was when this value goes.
struct Loosened {
    cluster: Cluster,
    schema: Value,
}

impl Loosened {
    fn new(cluster: &Cluster) -> Result<Self> {
        let crd = cluster.get(&["crd", CRD])?.context("no CRD")?;
        let schema = crd.pointer(FIELD).cloned().context("no such field in the CRD")?;
        set(cluster, &json!({"x-kubernetes-preserve-unknown-fields": true}))?;
        Ok(Self { cluster: cluster.clone(), schema })
    }
}

impl Drop for Loosened {
    fn drop(&mut self) {
        if let Err(error) = set(&self.cluster, &self.schema) {
            eprintln!("the CRD is still loosened: {error:#}");
        }
    }
}

fn set(cluster: &Cluster, schema: &Value) -> Result<()> {
    let patch = json!([{"op": "replace", "path": FIELD, "value": schema}]);
    cluster.kubectl(&["patch", "crd", CRD, "--type=json", "-p", &patch.to_string()]).map(drop)
}

#[test]
fn objects_that_no_longer_decode() -> Result<()> {
    scene("poison", |scene| {
        scene.apply(
            "running",
            "{steps: [{name: a, command: [sleep, '3600'], pod: {terminationGracePeriodSeconds: 1}}]}",
        )?;
        scene.running_pod("running", "a")?;
        let id = status::text(&scene.read("running")?, "/status/run/id").to_owned();
        poison(scene)?;
        for name in ["fresh", "mended", "running"] {
            let object =
                scene.look(name, "Poisoned", A_WORD, |o| Ok(status::says(o, "Stalled", "True", "Poisoned")))?;
            status::expect(
                &object,
                "Ready",
                "False",
                "Poisoned",
                &["does not decode", "spec.parallelism", "delete the object"],
            )?;
        }
        let running = scene.read("running")?;
        ensure!(status::text(&running, "/status/run/id") == id, "parking lost the status: {running}");
        scene.apply("neighbour", "{steps: [{name: a, command: ['true']}]}")?;
        let neighbour = scene.complete("neighbour", A_RUN)?;
        rows::equal_status(scene, &neighbour)?;
        // One is put right, and runs.
        scene.cluster.patch(&scene.namespace, "hwf/mended", &json!({"spec": {"parallelism": 2}}))?;
        let mended = scene.complete("mended", A_RUN)?;
        ensure!(status::condition(&mended, "Stalled").is_none(), "still Stalled: {mended}");
        // They can be deleted; the one that had a run leaves a record made of its metadata and status.
        scene.cluster.kubectl(&["-n", &scene.namespace, "delete", "hwf", "fresh", "running", "--timeout=90s"])?;
        let row = store::run(&id)?.context("the run of the poisoned object left no row")?;
        ensure!(row["terminal"] == json!(true) && row["phase"] == json!("Cancelled"), "{row}");
        ensure!(row["reason"] == json!("Poisoned"), "{row}");
        Ok(())
    })
}

fn poison(scene: &Scene) -> Result<()> {
    let loosened = Loosened::new(&scene.cluster)?;
    let fresh = scene.workflow("fresh", "{parallelism: many, steps: [{name: a, command: ['true']}]}")?.to_string();
    // The API server takes a moment until it goes by the new schema.
    until("a loosened schema", A_WORD, || Ok(scene.cluster.apply(&fresh).ok()))?;
    scene.apply("mended", "{parallelism: [2], steps: [{name: a, command: ['true']}]}")?;
    scene.cluster.patch(&scene.namespace, "hwf/running", &json!({"spec": {"parallelism": {"no": "number"}}}))?;
    drop(loosened);
    until("the schema is as it was", A_WORD, || {
        let other = scene.workflow("other", "{parallelism: many, steps: [{name: a}]}")?.to_string();
        let mut dry = scene.cluster.command("kubectl");
        dry.args(["create", "--dry-run=server", "-f", "-"]);
        Ok((!hearth_e2e::process::output(&mut dry, Some(&other))?.status.success()).then_some(()))
    })
}
