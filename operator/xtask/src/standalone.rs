//! The operator as a process of its own in the lab's network namespace, with its service account's rights: what
//! benchmarks and proofs put to the test.

use crate::{cluster::Target, deploy::NAMESPACE, repo, tools};
use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Name of the operator's Deployment and service account.
const NAME: &str = "hearth";

/// The lab, brought up if it is not. `why` says what it is needed for.
pub fn lab(why: &str) -> Result<Target> {
    let target = Target::started()?;
    ensure!(target.is_lab(), "{why}: unset KUBECONFIG, it runs in the lab");
    Ok(target)
}

/// Builds what is shipped, and the program that puts it to the test; gives the folder that they are in.
pub fn build(profile: &str, package: &str) -> Result<PathBuf> {
    tools::run(tools::build_shipped(profile, &[]).args(["--package", package]))?;
    Ok(repo::target().join("x86_64-unknown-linux-gnu").join(profile))
}

/// The program, with what it must know to start the operator.
pub fn command(target: &Target, built: &Path, program: &str) -> Result<Command> {
    let log = audit_log()?.with_file_name(format!("{program}.log"));
    let mut command = target.command(built.join(program));
    command
        .env("HEARTH_DATABASE_URL", target.database_url()?)
        .arg("--operator")
        .arg(built.join("hearth"))
        .args(["--operator-kubeconfig", &ask(&["kubeconfig", "--service-account", &format!("{NAMESPACE}/{NAME}")])?])
        .args(["--operator-namespace", NAMESPACE, "--operator-log"])
        .arg(log);
    Ok(command)
}

/// The user that the operator is for the API server.
pub fn user() -> String {
    format!("system:serviceaccount:{NAMESPACE}:{NAME}")
}

/// Where the API server's audit log is.
pub fn audit_log() -> Result<PathBuf> {
    ask(&["audit"]).map(PathBuf::from)
}

/// What another task of the lab answers.
pub fn ask(words: &[&str]) -> Result<String> {
    Ok(tools::capture(&mut tools::task(&[&["lab"], words].concat()))?.trim().to_owned())
}

/// An operator that is installed in the cluster: scaled to zero, and back to what it was when this goes.
pub struct InCluster<'a> {
    target: &'a Target,
    replicas: Option<u64>,
}

impl<'a> InCluster<'a> {
    /// Stops the installed operator; where none is, what it needs is applied without its Deployment.
    pub fn make_room(target: &'a Target) -> Result<Self> {
        let deployment = target.get(&["-n", NAMESPACE, "deployment", NAME])?;
        let wanted =
            |d: &serde_json::Value| d.pointer("/spec/replicas").and_then(serde_json::Value::as_u64).unwrap_or(1);
        let this = Self { target, replicas: deployment.as_ref().map(wanted) };
        if this.replicas.is_some() {
            this.scale(0)?;
            let pods = format!("app.kubernetes.io/name={NAME},app.kubernetes.io/component=operator");
            target.kubectl(&["-n", NAMESPACE, "wait", "--for=delete", "pods", "-l", &pods, "--timeout=90s"])?;
        } else {
            target
                .apply(&without_deployment(&std::fs::read_to_string(repo::root().join("manifests/install.yaml"))?))?;
            target.kubectl(&[
                "wait",
                "--for=condition=Established",
                "crds",
                "workflows.hearth.dev",
                "--timeout=30s",
            ])?;
        }
        Ok(this)
    }

    fn scale(&self, replicas: u64) -> Result<()> {
        let count = format!("--replicas={replicas}");
        self.target.kubectl(&["-n", NAMESPACE, "scale", "deployment", NAME, &count]).context("scale the operator")?;
        Ok(())
    }
}

impl Drop for InCluster<'_> {
    fn drop(&mut self) {
        if let Some(replicas) = self.replicas
            && let Err(error) = self.scale(replicas)
        {
            eprintln!("the installed operator stays at zero replicas: {error:#}");
        }
    }
}

/// The documents of a manifest that are neither the Deployment nor its volume.
fn without_deployment(manifest: &str) -> String {
    let kept = |line: &str| !matches!(line, "kind: Deployment" | "kind: PersistentVolumeClaim");
    let parts = manifest.split("\n---\n").filter(|part| part.lines().all(kept));
    parts.collect::<Vec<_>>().join("\n---\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_deployment_is_applied() {
        let manifest = std::fs::read_to_string(repo::root().join("manifests/install.yaml")).unwrap();
        let kept = without_deployment(&manifest);
        for kind in ["Deployment", "PersistentVolumeClaim"] {
            assert!(
                manifest.contains(&format!("kind: {kind}\n")) && !kept.contains(&format!("kind: {kind}\n")),
                "{kind}"
            );
        }
        for kind in ["CustomResourceDefinition", "ClusterRole", "ServiceAccount", "RoleBinding"] {
            assert!(kept.contains(&format!("kind: {kind}\n")), "{kind}");
        }
    }
}
