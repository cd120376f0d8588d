//! Checks of the sources and of the API as a user sees it.

use crate::{cluster::Target, tools};
use anyhow::{Result, bail, ensure};
use std::process::Command;

/// Licences, duplicate bans and sources of the dependencies. The advisory database lies on a git host that builds
/// may not reach, so advisories are checked by hand: `cargo deny check advisories`.
pub fn dependencies() -> Result<()> {
    let deny = tools::cargo_deny()?;
    tools::run(Command::new(deny).current_dir(crate::repo::root()).args([
        "--log-level",
        "warn",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}

/// What a crate must not depend on.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("hearth-crds", &["tokio", "hyper", "kube-client"]),
    ("hearth-plan", &["tokio", "hyper", "kube-client", "rand", "sqlx"]),
    ("hearth-driver", &["sqlx", "axum"]),
    ("dataset", &["tokio", "hyper", "kube-client", "hearth-crds"]),
    ("features", &["tokio", "hyper", "kube-client", "hearth-crds"]),
    ("hearth-artifacts", &["kube-client", "sqlx"]),
    ("hearth-bounds", &["hyper", "kube-client"]),
    ("hearth-contract", &["tokio", "hyper", "kube-client"]),
    ("hearth-export", &["kube-client", "axum"]),
    ("hearth-recorder", &["sqlx"]),
    ("hearth-step", &["kube-client", "axum"]),
    ("xtask", &["tokio", "kube-client"]),
];

/// Who may know whom, and one TLS provider in the whole workspace.
pub fn layers() -> Result<()> {
    let mut wrong = Vec::new();
    for (package, forbidden) in FORBIDDEN {
        let tree = tools::capture(&mut tools::cargo(&[
            "tree",
            "--package",
            package,
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{lib}",
        ]))?;
        let names: Vec<String> = tree.lines().map(|line| line.trim().replace('_', "-")).collect();
        ensure!(!names.is_empty(), "cargo tree said nothing of {package}");
        wrong.extend(
            forbidden
                .iter()
                .filter(|name| names.iter().any(|found| found == *name))
                .map(|name| format!("{package} depends on {name}")),
        );
    }
    let all = tools::capture(&mut tools::cargo(&["tree", "--workspace", "--prefix", "none", "--format", "{p}"]))?;
    for provider in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "native-tls"] {
        if all.lines().any(|line| line.split(' ').next() == Some(provider)) {
            wrong.push(format!("{provider} is in the workspace: ring is the one TLS provider"));
        }
    }
    if wrong.is_empty() {
        println!("layers hold, ring is the one TLS provider");
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

/// Whether `kubectl explain` reads like documentation: each field that is asked for has text that names it.
pub fn explain() -> Result<()> {
    let target = Target::started()?;
    for field in [
        "hwf",
        "hwf.spec",
        "hwf.spec.steps",
        "hwf.spec.steps.retry",
        "hwf.spec.steps.retry.backoff",
        "hwf.spec.pod.gpu",
        "hwf.status.run",
    ] {
        let text = target.kubectl(&["explain", field])?;
        ensure!(
            text.contains("DESCRIPTION:") && !text.contains("<empty>") && !text.contains("<no description>"),
            "kubectl explain {field} has no description:\n{text}"
        );
    }
    let retry = target.kubectl(&["explain", "hwf.spec.steps.retry"])?;
    for word in ["limit", "backoff", "exitCodes", "avoidNode", "Default:"] {
        ensure!(retry.contains(word), "kubectl explain hwf.spec.steps.retry does not say {word}:\n{retry}");
    }
    println!("$ kubectl explain hwf.spec.steps.retry\n{retry}");
    Ok(())
}
