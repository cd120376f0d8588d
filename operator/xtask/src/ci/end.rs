//! The way out of the cluster: the pre-delete hook, and the way in without Helm.

use crate::{
    cluster::{self, Target},
    deploy, repo, tools,
};
use anyhow::{Context, Result, ensure};
use hearth_crds::{FINALIZER, registry::KINDS};
use serde_json::{Value, json};
use std::time::Duration;

const NAMESPACE: &str = "hearth-uninstall-test";

/// Uninstalls the release while a Workflow runs: the object stays, without our finalizer, and can be deleted.
pub fn uninstall() -> Result<()> {
    let target = Target::started()?;
    start_long_workflow(&target)?;
    let mut helm = target.command(tools::helm()?);
    tools::run(helm.args(["uninstall", "hearth", "--namespace", deploy::NAMESPACE, "--wait", "--timeout", "5m"]))?;
    for entry in KINDS {
        let list =
            target.get(&[entry.plural, "--all-namespaces"])?.context("the CRD is gone although crds.keep is true")?;
        let held: Vec<String> = list
            .get("items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|object| has_finalizer(object))
            .map(|object| {
                let of = |key: &str| object.pointer(key).and_then(Value::as_str).unwrap_or_default();
                format!("{}/{}", of("/metadata/namespace"), of("/metadata/name"))
            })
            .collect();
        ensure!(held.is_empty(), "{} still have our finalizer: {}", entry.plural, held.join(", "));
    }
    target.get(&["-n", NAMESPACE, "hwf", "long"])?.context("the Workflow went with the release")?;
    ensure!(
        target.get(&["-n", deploy::NAMESPACE, "deployment", "hearth"])?.is_none(),
        "the operator's Deployment is still there"
    );
    target.kubectl(&["delete", "namespace", NAMESPACE, "--wait", "--timeout=120s"])?;
    for (kind, name) in [
        ("clusterrole", "hearth-uninstall"),
        ("clusterrolebinding", "hearth-uninstall"),
        ("clusterrole", "hearth"),
        ("clusterrole", "hearth-approve"),
        ("validatingadmissionpolicy", "hearth-approvals"),
        ("validatingadmissionpolicybinding", "hearth-approvals"),
    ] {
        ensure!(target.get(&[kind, name])?.is_none(), "{kind} {name} is left behind");
    }
    println!("uninstalled: objects kept, finalizers gone, nothing left behind");
    Ok(())
}

fn start_long_workflow(target: &Target) -> Result<()> {
    deploy::namespace(target, NAMESPACE)?;
    target.apply(
        &json!({
            "apiVersion": hearth_crds::API_VERSION, "kind": "Workflow",
            "metadata": {"name": "long", "namespace": NAMESPACE},
            // As process 1 it hears no SIGTERM: its pod shall not be waited for.
            "spec": {"pod": {"terminationGracePeriodSeconds": 1},
                "steps": [{"name": "wait", "image": "hearth.dev/busybox:dev", "command": ["sleep", "3600"]}]},
        })
        .to_string(),
    )?;
    cluster::wait("our finalizer on the Workflow", Duration::from_secs(60), || {
        Ok(target.get(&["-n", NAMESPACE, "hwf", "long"])?.filter(has_finalizer))
    })?;
    Ok(())
}

fn has_finalizer(object: &Value) -> bool {
    object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .any(|one| one.as_str() == Some(FINALIZER))
}

/// Installs by manifests/install.yaml with the image and a volume of the lab, and runs the first example on it.
pub fn manifest() -> Result<()> {
    let target = Target::started()?;
    let image = deploy::images(&target, &["hearth", "busybox"])?;
    let text = std::fs::read_to_string(repo::root().join("manifests/install.yaml"))?;
    let default = format!("hearth.dev/hearth:{}", env!("CARGO_PKG_VERSION"));
    ensure!(text.contains(&default), "install.yaml does not name the image {default}");
    let text = text.replace(&default, &image);
    target.apply(&if target.is_lab() { with_lab_volume(&text)? } else { text })?;
    target.kubectl(&["-n", deploy::NAMESPACE, "rollout", "status", "deployment/hearth", "--timeout=120s"])?;
    let namespace = "hearth-manifest-test";
    deploy::namespace(&target, namespace)?;
    target.kubectl(&["-n", namespace, "apply", "-f", "examples/hello/workflow.yaml"])?;
    target.kubectl(&["-n", namespace, "wait", "--for=condition=Complete", "hwf", "--all", "--timeout=120s"])?;
    target.kubectl(&["delete", "namespace", namespace, "--wait", "--timeout=120s"])?;
    // The release takes over what the manifest made, its volume too, and goes with its hook: no finalizer stays behind.
    deploy::install(&target, &image, &[])?;
    let mut helm = target.command(tools::helm()?);
    tools::run(helm.args(["uninstall", "hearth", "--namespace", deploy::NAMESPACE, "--wait", "--timeout", "5m"]))?;
    println!("install.yaml works with SQLite, runs examples/hello, and Helm can take it over");
    Ok(())
}

/// Nothing provisions volumes in the lab: the claim takes one of those that are there.
fn with_lab_volume(manifest: &str) -> Result<String> {
    const CLAIM: &str = "requests: {storage: 8Gi}";
    ensure!(manifest.contains(CLAIM), "install.yaml has no claim with {CLAIM}");
    Ok(manifest.replace(
        &format!("  resources:\n    {CLAIM}"),
        "  storageClassName: lab\n  resources:\n    requests: {storage: 1Gi}",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claim_takes_a_volume_of_the_lab() {
        let manifest = std::fs::read_to_string(repo::root().join("manifests/install.yaml")).unwrap();
        let changed = with_lab_volume(&manifest).unwrap();
        assert_eq!(changed.matches("storageClassName: lab\n").count(), 1);
        assert!(!changed.contains("storage: 8Gi"));
    }
}
