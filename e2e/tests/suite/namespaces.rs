//! An operator that watches a few namespaces, and has rights in these alone.

use anyhow::{Context, Result, anyhow, ensure};
use hearth_e2e::{
    A_RUN, Cluster, OPERATOR_NAMESPACE, Scene, audit, operator, rows, scene,
    scene::HELD,
    status::{items, text},
    store, until,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Uses all that is granted in a namespace: revisions, pods, the certificate for artifacts, a log, an event.
const WORK: &str = r#"
steps:
- {name: make, command: [sh, -c, 'echo made > /hearth/out/file; echo kept'], logs: Keep, artifacts: {out: [{name: file}]}}
- {name: read, needs: [make], command: [cat, /hearth/in/file], artifacts: {in: [{from: make.file}]}}
"#;

/// The namespaces in the operator's list. Each goes with the scene that is made within it.
fn watched() -> Result<[String; 2]> {
    let cluster = Cluster::new()?;
    let found = cluster.get(&["-n", OPERATOR_NAMESPACE, "deployment", "hearth"])?.context("no Deployment hearth")?;
    let flags = items(&found, "/spec/template/spec/containers/0/args").iter().filter_map(Value::as_str);
    let mut lists = flags.filter_map(|flag| flag.strip_prefix("--watch-namespaces="));
    let list = lists.next().context("the operator watches all namespaces")?;
    let names: Vec<String> = list.split(',').map(str::to_owned).collect();
    names.try_into().map_err(|names| anyhow!("two namespaces are to be watched, not {names:?}"))
}

/// Authorisation forbade the operator's pods nothing, but in a namespace that is deleted.
fn nothing_was_forbidden(cluster: &Cluster, deleted: &str) -> Result<()> {
    let pods = operator::pods(cluster)?;
    let pods: Vec<String> = pods.iter().map(|pod| text(pod, "/metadata/name").to_owned()).collect();
    let forbidden = audit::forbidden(&pods, deleted)?;
    ensure!(forbidden.is_empty(), "forbidden to {pods:?}:\n{}", forbidden.join("\n"));
    Ok(())
}

/// Whether the operator may do that in a namespace. kubectl ends with 1 when it may not.
fn may(cluster: &Cluster, verb: &str, resource: &str, namespace: &str) -> bool {
    let who = format!("--as={}", audit::operator());
    cluster.kubectl(&["-n", namespace, "auth", "can-i", verb, resource, &who]).is_ok()
}

#[test]
#[ignore = "needs watchNamespaces: cargo xtask test --only namespaces"]
fn only_watched_namespaces_are_handled() -> Result<()> {
    let [first, second] = watched()?;
    let inside = Scene::within(first)?;
    scene("elsewhere", |outside| {
        let cluster = &outside.cluster;
        outside.apply("w", WORK)?;
        inside.apply("w", WORK)?;
        let object = inside.complete("w", A_RUN)?;
        rows::equal_status(&inside, &object)?;
        let object = outside.read("w")?;
        ensure!(object.pointer("/metadata/finalizers").is_none(), "{object}");
        ensure!(object.pointer("/status/run").is_none() && text(&object, "/status/phase").is_empty(), "{object}");
        for kind in ["pods", "controllerrevisions", "events"] {
            let left = cluster.list(&["-n", &outside.namespace, kind])?;
            ensure!(left.is_empty(), "{kind} in a namespace that is not watched: {left:?}");
        }
        ensure!(cluster.get(&["-n", &outside.namespace, "configmap", "hearth-ca"])?.is_none());
        ensure!(store::runs_in(&outside.namespace)?.is_empty());
        for (verb, resource) in [("list", "pods"), ("create", "pods"), ("create", "configmaps"), ("get", "pods/log")] {
            ensure!(may(cluster, verb, resource, &inside.namespace), "it may not {verb} {resource} where it watches");
            ensure!(!may(cluster, verb, resource, &outside.namespace), "it may {verb} {resource} elsewhere");
        }
        nothing_was_forbidden(cluster, &second)
    })
}

/// With the namespace goes the RoleBinding in it, perhaps before the Workflows do.
#[test]
#[ignore = "needs watchNamespaces: cargo xtask test --only namespaces"]
fn a_watched_namespace_is_deleted_in_mid_run() -> Result<()> {
    let [_, second] = watched()?;
    let scene = Scene::within(second)?;
    scene.apply("w", HELD)?;
    scene.running_pod("w", "a")?;
    let run = text(&scene.read("w")?, "/status/run/id").to_owned();
    scene.cluster.kubectl(&["delete", "namespace", &scene.namespace, "--wait=false"])?;
    until("the namespace is gone", Duration::from_secs(90), || {
        Ok(scene.cluster.get(&["namespace", &scene.namespace])?.is_none().then_some(()))
    })
    .inspect_err(|_| eprintln!("{}", scene.describe()))?;
    let row = store::run(&run)?.context("the run left no row")?;
    ensure!(row["terminal"] == json!(true) && row["reason"] == json!("Deleted"), "{row}");
    Ok(())
}
