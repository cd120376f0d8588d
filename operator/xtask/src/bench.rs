//! `make bench-operator`: the operator on kwok nodes, beside a bare loop that makes the same pods.

use crate::{cluster::Target, deploy::NAMESPACE, repo, stage::Stages, tools};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// Name of the operator's Deployment and service account.
const NAME: &str = "hearth";

/// Where the tables go.
const DOCUMENT: &str = "docs/performance.md";

/// Arguments of `cargo xtask bench-operator`.
#[derive(Args)]
pub struct BenchArgs {
    /// Fake nodes that carry the pods.
    #[arg(long, default_value_t = 10)]
    nodes: u32,
    /// Print the tables, and leave docs/performance.md as it is.
    #[arg(long)]
    print_only: bool,
    /// What the benchmark itself is given, behind `--`; with `--help` it says what that may be.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Measures a release build of the operator, which runs as a process of its own with its service account's rights.
pub fn run(args: &BenchArgs) -> Result<()> {
    let mut stages = Stages::default();
    let target = stages.run("cluster", Target::started)?;
    ensure!(target.is_lab(), "the benchmark reads the API server's audit log: unset KUBECONFIG, it runs in the lab");
    let built = stages.run("release build", build)?;
    stages.run("fake nodes", || tools::run(&mut tools::task(&["lab", "kwok", "--nodes", &args.nodes.to_string()])))?;
    let _installed = stages.run("operator's place", || InCluster::make_room(&target))?;
    stages.run("benchmark", || tools::run(&mut benchmark(&target, &built, args)?))
}

/// Builds operator and benchmark; gives the folder that they are in.
fn build() -> Result<PathBuf> {
    tools::run(&mut tools::cargo(&[
        "build",
        "--release",
        "--quiet",
        "--package",
        "hearth-manager",
        "--package",
        "hearth-bench",
    ]))?;
    Ok(repo::target().join("x86_64-unknown-linux-gnu/release"))
}

fn benchmark(target: &Target, built: &Path, args: &BenchArgs) -> Result<std::process::Command> {
    let ask = |words: &[&str]| -> Result<String> {
        Ok(tools::capture(&mut tools::task(&[&["lab"], words].concat()))?.trim().to_owned())
    };
    let audit = ask(&["audit"])?;
    let log = Path::new(&audit).with_file_name("bench-operator.log");
    let mut command = target.command(built.join("bench-operator"));
    command
        .env("HEARTH_DATABASE_URL", target.database_url()?)
        .arg("--operator")
        .arg(built.join("hearth"))
        .args(["--operator-kubeconfig", &ask(&["kubeconfig", "--service-account", &format!("{NAMESPACE}/{NAME}")])?])
        .args(["--operator-user", &format!("system:serviceaccount:{NAMESPACE}:{NAME}")])
        .args(["--operator-namespace", NAMESPACE, "--audit-log", &audit, "--operator-log"])
        .arg(log);
    if !args.print_only {
        command.arg("--write").arg(repo::root().join(DOCUMENT));
    }
    command.args(&args.rest);
    Ok(command)
}

/// An operator that is installed in the cluster: scaled to zero, and back to what it was when this goes.
struct InCluster<'a> {
    target: &'a Target,
    replicas: Option<u64>,
}

impl<'a> InCluster<'a> {
    /// Stops the installed operator; where none is, what it needs is applied without its Deployment.
    fn make_room(target: &'a Target) -> Result<Self> {
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
