//! The programs that are built from Go modules, once, into the cache.

use super::tell;
use crate::repo;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

const KUBERNETES: &str = "1.36.3";

/// The names by which the multi-call binary is called.
const APPLETS: [&str; 7] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"];

/// A Go program that is installed as it is.
struct Tool {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

const TOOLS: [Tool; 3] = [
    Tool { name: "coredns", package: "github.com/coredns/coredns", version: "v1.14.7" },
    Tool { name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", version: "v0.8.0" },
    Tool { name: "helm", package: "helm.sh/helm/v4/cmd/helm", version: "v4.3.1" },
];

/// Builds what the cache lacks, and gives the folder in which each program has its name.
pub fn build() -> Result<PathBuf> {
    let module = repo::root().join("e2e/lab/kube");
    let folder = repo::cache()?.join("bin").join(key(&module)?);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let all_there = folder.join("kube").exists() && TOOLS.iter().all(|tool| folder.join(tool.name).exists());
    if !all_there {
        super::packages::check_go()?;
    }
    build_kube(&module, &folder)?;
    for tool in &TOOLS {
        install_tool(tool, &folder)?;
    }
    Ok(folder)
}

/// What the programs are made of, as a short hash.
fn key(module: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in ["go.mod", "go.sum", "main.go"] {
        let path = module.join(file);
        hash.update(std::fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    for tool in &TOOLS {
        hash.update(format!("{}@{}\n", tool.package, tool.version));
    }
    hash.update(KUBERNETES);
    Ok(hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

fn build_kube(module: &Path, folder: &Path) -> Result<()> {
    let target = folder.join("kube");
    if !target.exists() {
        let minor = KUBERNETES.split('.').nth(1).unwrap_or_default();
        let version = "k8s.io/component-base/version";
        let flags = format!(
            "-s -w -X {version}.gitVersion=v{KUBERNETES} -X {version}.gitMajor=1 -X {version}.gitMinor={minor}"
        );
        let partial = folder.join(".kube.partial");
        tell::step("build Kubernetes and etcd (minutes, once)", || {
            tell::quiet(
                Command::new("go")
                    .current_dir(module)
                    .env("CGO_ENABLED", "0")
                    .args(["build", "-tags", "providerless", "-trimpath", "-ldflags", &flags, "-o"])
                    .arg(&partial)
                    .arg("."),
            )
        })?;
        std::fs::rename(&partial, &target)?;
    }
    for applet in APPLETS {
        let link = folder.join(applet);
        if !link.exists() {
            std::os::unix::fs::symlink("kube", &link).with_context(|| format!("link {}", link.display()))?;
        }
    }
    Ok(())
}

fn install_tool(tool: &Tool, folder: &Path) -> Result<()> {
    let target = folder.join(tool.name);
    if target.exists() {
        return Ok(());
    }
    let build = folder.join(format!(".{}.build", tool.name));
    tell::step(&format!("build {} {} (once)", tool.name, tool.version), || {
        tell::quiet(
            Command::new("go")
                .current_dir(folder)
                .env("CGO_ENABLED", "0")
                .env("GOBIN", &build)
                .args(["install", "-trimpath", "-ldflags", "-s -w"])
                .arg(format!("{}@{}", tool.package, tool.version)),
        )
    })?;
    std::fs::rename(build.join(tool.name), &target)?;
    std::fs::remove_dir_all(&build)?;
    Ok(())
}
