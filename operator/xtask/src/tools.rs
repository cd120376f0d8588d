//! Programs that tasks need, temporary folders, and running things.

use crate::repo;
use anyhow::{Context, Result, bail, ensure};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const HELM: &str = "v4.3.1";
const KUBE_SCORE: &str = "v1.20.0";
const PROMTOOL: &str = "v0.313.5";
const ARGO_WORKFLOWS: &str = "v3.7.14";
const CARGO_DENY: &str = "0.18";
/// The tests of operator/artifacts use the same one.
const VERSITYGW: &str = "v1.8.0";

/// Helm 4: the one on PATH, the lab's, or one that is built into the cache.
pub fn helm() -> Result<PathBuf> {
    let mut candidates = vec![PathBuf::from("helm")];
    if let Ok(folders) = std::fs::read_dir(repo::cache()?.join("bin")) {
        candidates.extend(folders.flatten().map(|folder| folder.path().join("helm")));
    }
    let own = repo::cache()?.join("tools").join(format!("helm-{HELM}"));
    candidates.push(own.join("helm"));
    if let Some(found) =
        candidates.into_iter().find(|path| version_of(path, &["version", "--short"]).starts_with("v4."))
    {
        return Ok(found);
    }
    go_install(&own, &format!("helm.sh/helm/v4/cmd/helm@{HELM}"))?;
    Ok(own.join("helm"))
}

/// kube-score: the one on PATH, or one that is built into the cache.
pub fn kube_score() -> Result<PathBuf> {
    let own = repo::cache()?.join("tools").join(format!("kube-score-{KUBE_SCORE}"));
    let candidates = [PathBuf::from("kube-score"), own.join("kube-score")];
    if let Some(found) = candidates.into_iter().find(|path| !version_of(path, &["version"]).is_empty()) {
        return Ok(found);
    }
    go_install(&own, &format!("github.com/zegl/kube-score/cmd/kube-score@{KUBE_SCORE}"))?;
    Ok(own.join("kube-score"))
}

/// versitygw, an S3 server: built into the cache.
pub fn versitygw() -> Result<PathBuf> {
    let own = repo::cache()?.join("tools").join(format!("versitygw-{VERSITYGW}"));
    if !own.join("versitygw").exists() {
        go_install(&own, &format!("github.com/versity/versitygw/cmd/versitygw@{VERSITYGW}"))?;
    }
    Ok(own.join("versitygw"))
}

fn go_install(folder: &Path, program: &str) -> Result<()> {
    eprintln!("building {program} into {} (once)", folder.display());
    crate::lab::check_go()?;
    run(Command::new("go").env("GOBIN", folder).env("CGO_ENABLED", "0").args([
        "install",
        "-trimpath",
        "-ldflags",
        "-s -w",
        program,
    ]))
}

/// promtool: the one on PATH, or one that is built into the cache (two minutes, once).
pub fn promtool() -> Result<PathBuf> {
    let own = repo::cache()?.join("tools").join(format!("promtool-{PROMTOOL}"));
    let candidates = [PathBuf::from("promtool"), own.join("promtool")];
    if let Some(found) = candidates.into_iter().find(|path| !version_of(path, &["--version"]).is_empty()) {
        return Ok(found);
    }
    eprintln!("building promtool {PROMTOOL} into {} (once)", own.display());
    crate::lab::check_go()?;
    // Its module excludes versions of others, which `go install` refuses: it is built as a dependency, and without the
    // clients of clouds in which it would discover targets.
    let module = TempDir::new("hearth-promtool")?;
    let requirement = format!("module promtool\n\ngo 1.26\n\nrequire github.com/prometheus/prometheus {PROMTOOL}\n");
    std::fs::write(module.path().join("go.mod"), requirement)?;
    std::fs::create_dir_all(&own).with_context(|| format!("make {}", own.display()))?;
    let partial = own.join(".promtool.partial");
    run(Command::new("go")
        .current_dir(module.path())
        .env("CGO_ENABLED", "0")
        .args(["build", "-mod=mod", "-tags", "remove_all_sd,netgo", "-trimpath", "-ldflags", "-s -w", "-o"])
        .arg(&partial)
        .arg("github.com/prometheus/prometheus/cmd/promtool"))?;
    std::fs::rename(&partial, own.join("promtool"))?;
    Ok(own.join("promtool"))
}

/// Argo Workflows' controller, built into the cache (minutes, once), and the folder of its custom resources.
pub fn argo_workflows() -> Result<(PathBuf, PathBuf)> {
    let own = repo::cache()?.join("tools").join(format!("argo-workflows-{ARGO_WORKFLOWS}"));
    let (program, crds) = (own.join("workflow-controller"), own.join("crds"));
    if !program.exists() {
        eprintln!("building Argo Workflows' controller {ARGO_WORKFLOWS} into {} (once)", own.display());
        crate::lab::check_go()?;
        // Built where it lies: its own module replaces some that it needs.
        let module = format!("github.com/argoproj/argo-workflows/v3@{ARGO_WORKFLOWS}");
        let found = capture(Command::new("go").current_dir("/").args(["mod", "download", "-json", &module]))?;
        let found: serde_json::Value = serde_json::from_str(&found).context("the answer of go mod download")?;
        let source =
            Path::new(found.get("Dir").and_then(serde_json::Value::as_str).context("go mod download names no folder")?);
        std::fs::create_dir_all(&crds).with_context(|| format!("make {}", crds.display()))?;
        let minimal = source.join("manifests/base/crds/minimal");
        for file in std::fs::read_dir(&minimal).with_context(|| format!("list {}", minimal.display()))?.flatten() {
            if file.file_name().to_string_lossy().starts_with("argoproj.io_") {
                std::fs::write(crds.join(file.file_name()), std::fs::read(file.path())?)?;
            }
        }
        let partial = own.join(".workflow-controller.partial");
        run(Command::new("go")
            .current_dir(source)
            .env("CGO_ENABLED", "0")
            .args(["build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o"])
            .arg(&partial)
            .arg("./cmd/workflow-controller"))?;
        std::fs::rename(&partial, &program)?;
    }
    Ok((program, crds))
}

/// cargo-deny: the one on PATH, or one that is built into the cache.
pub fn cargo_deny() -> Result<PathBuf> {
    let own = repo::cache()?.join("tools");
    let candidates = [PathBuf::from("cargo-deny"), own.join("bin/cargo-deny")];
    if let Some(found) = candidates.into_iter().find(|path| version_of(path, &["--version"]).starts_with("cargo-deny"))
    {
        return Ok(found);
    }
    eprintln!("building cargo-deny into {} (once)", own.display());
    install(&own, "cargo-deny", &format!("^{CARGO_DENY}"))?;
    Ok(own.join("bin/cargo-deny"))
}

/// Builds a program of Cargo's into the cache: unoptimised, since it runs for seconds, and so that a build that was
/// broken off goes on where it was.
pub fn install(root: &Path, package: &str, version: &str) -> Result<()> {
    // Away from the checkout: its .cargo/config.toml is for our own binaries.
    run(Command::new("cargo")
        .current_dir("/")
        .env("CARGO_TARGET_DIR", root.join("build"))
        .args(["install", package, "--locked", "--quiet", "--debug", "--version", version, "--root"])
        .arg(root))
}

fn version_of(program: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).stderr(Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// A temporary folder that goes with this value.
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes a folder whose name begins with `prefix`.
    pub fn new(prefix: &str) -> Result<Self> {
        let base = std::env::temp_dir();
        for n in 0..1000_u32 {
            let path = base.join(format!("{prefix}-{}-{n}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("make {}", path.display())),
            }
        }
        bail!("no free name for a temporary folder in {}", base.display())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A left-over temporary folder does no harm, and there is nobody to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    for entry in std::fs::read_dir(from).with_context(|| format!("read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| format!("copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Runs a command with its output on the terminal; a status other than 0 is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", line(command)))?;
    ensure!(status.success(), "{} ended with {status}", line(command));
    Ok(())
}

/// Runs a command and gives what it printed.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {}", line(command)))?;
    ensure!(
        output.status.success(),
        "{} ended with {}\n{}",
        line(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command whose progress (on standard error) belongs on the terminal, and gives what it printed.
pub fn capture_with_progress(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", line(command)))?;
    ensure!(output.status.success(), "{} ended with {}", line(command), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Another task of this program, as a process of its own: this very program, even if it was built anew since it began.
pub fn task(args: &[&str]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(args).current_dir(repo::root());
    command
}

/// Builds all programs that are shipped in one call: cargo unites the features of what it builds together, so that the
/// crates that they share are built once.
pub fn build_shipped(profile: &str, features: &[&str]) -> Command {
    let mut command = cargo(&["build", "--quiet", "--profile", profile]);
    for package in ["hearth-manager", "hearth-cli", "dataset", "features", "hearth-step", "table-check"] {
        command.args(["--package", package]);
    }
    if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    command
}

/// Cargo, in the root of the checkout.
pub fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(repo::root());
    // What cargo told this program of its own package would be taken for a change by build scripts that watch these
    // variables (ring's does), and half of the workspace be built again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lab_and_the_tests_of_artifacts_share_one_s3_server() {
        let path = repo::root().join("operator/artifacts/tests/s3/gateway.rs");
        let version = format!("const VERSION: &str = \"{VERSITYGW}\";");
        assert!(std::fs::read_to_string(path).unwrap().contains(&version), "{version}");
    }
}
