//! The cluster that `KUBECONFIG` names, through kubectl.

use crate::process::{capture, output, text};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The cluster, as somebody.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// A kubeconfig of somebody else than the administrator.
    kubeconfig: Option<PathBuf>,
}

impl Cluster {
    /// The cluster as its administrator.
    ///
    /// # Errors
    /// `KUBECONFIG` is not set: these tests never guess which cluster is meant.
    pub fn new() -> Result<Self> {
        ensure!(
            std::env::var_os("KUBECONFIG").is_some_and(|v| !v.is_empty()),
            "KUBECONFIG is not set: run these tests by `cargo xtask test --only e2e`, or within the lab by `cargo xtask lab exec -- cargo test -p hearth-e2e`"
        );
        Ok(Self::default())
    }

    /// The cluster as somebody else.
    #[must_use]
    pub fn as_in(kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()) }
    }

    /// A program that talks to this cluster, started in the root of the checkout.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(root());
        if let Some(path) = &self.kubeconfig {
            command.env("KUBECONFIG", path);
        }
        command
    }

    /// kubectl, which must end well.
    ///
    /// # Errors
    /// It does not.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        capture(self.command("kubectl").args(args), None)
    }

    /// kubectl's answer as JSON; `None` when there is no such object.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn get(&self, args: &[&str]) -> Result<Option<Value>> {
        let mut all = vec!["get"];
        all.extend(args);
        all.extend(["-o", "json", "--ignore-not-found"]);
        let said = self.kubectl(&all)?;
        if said.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&said).map(Some).context("kubectl's JSON")
    }

    /// The items of a list.
    ///
    /// # Errors
    /// The API server does not answer.
    pub fn list(&self, args: &[&str]) -> Result<Vec<Value>> {
        let found = self.get(args)?.unwrap_or_default();
        Ok(found.get("items").and_then(Value::as_array).cloned().unwrap_or_default())
    }

    /// `kubectl apply -f -`.
    ///
    /// # Errors
    /// The API server refuses it.
    pub fn apply(&self, document: &str) -> Result<String> {
        capture(self.command("kubectl").args(["apply", "-f", "-"]), Some(document))
    }

    /// Applies what must be refused, and gives the refusal's words.
    ///
    /// # Errors
    /// It is accepted.
    pub fn refused(&self, document: &str) -> Result<String> {
        let done = output(self.command("kubectl").args(["apply", "-f", "-"]), Some(document))?;
        if done.status.success() {
            bail!("this was accepted, and should have been refused: {document}");
        }
        Ok(text(&done.stderr))
    }

    /// `kubectl wait --for=…` on one object.
    ///
    /// # Errors
    /// It was not so in time.
    pub fn wait(&self, namespace: &str, object: &str, what: &str, limit: Duration) -> Result<()> {
        self.kubectl(&[
            "-n",
            namespace,
            "wait",
            &format!("--for={what}"),
            object,
            &format!("--timeout={}s", limit.as_secs()),
        ])
        .map(drop)
    }

    /// A merge patch.
    ///
    /// # Errors
    /// The API server refuses it.
    pub fn patch(&self, namespace: &str, object: &str, patch: &Value) -> Result<()> {
        self.kubectl(&["-n", namespace, "patch", object, "--type=merge", "-p", &patch.to_string()]).map(drop)
    }
}

/// Root of the checkout.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// A program of ours that was built beside the tests, or the one that the environment names.
///
/// # Errors
/// There is none.
pub fn built(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let here = std::env::current_exe().context("where this test is")?;
    let beside = here.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    let other = here.ancestors().nth(3).map(|target| ["debug", "ci"].map(|profile| target.join(profile).join(name)));
    beside
        .or_else(|| other.into_iter().flatten().find(|path| path.is_file()))
        .with_context(|| format!("no {name} is built: build it, or set {variable} to its path"))
}
