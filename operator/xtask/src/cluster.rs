//! Talking to the cluster: the lab, or the one that `KUBECONFIG` names.

use crate::{
    lab::{self, Bucket, Cluster},
    tools,
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    ffi::OsStr,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// The cluster with what this program needs of it.
pub struct Target {
    cluster: Cluster,
}

impl Target {
    /// The cluster that is meant; a lab that is not up is brought up.
    pub fn started() -> Result<Self> {
        Ok(Self { cluster: lab::cluster(true)? })
    }

    /// Whether it is the lab.
    pub fn is_lab(&self) -> bool {
        match self.cluster {
            Cluster::Given => false,
            Cluster::Lab(_) => true,
        }
    }

    /// A command that reaches the cluster.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.cluster.command(program);
        command.current_dir(crate::repo::root());
        command
    }

    /// A kubectl that reaches the cluster from anywhere.
    pub fn kubectl_path(&self) -> PathBuf {
        match &self.cluster {
            Cluster::Given => PathBuf::from("kubectl"),
            Cluster::Lab(lab) => lab.bin().join("kubectl"),
        }
    }

    /// kubectl, with its output as text.
    pub fn kubectl(&self, args: &[&str]) -> Result<String> {
        tools::capture(self.command("kubectl").args(args))
    }

    /// kubectl's answer as JSON; `None` when the object is not there.
    pub fn get(&self, args: &[&str]) -> Result<Option<Value>> {
        let mut all = vec!["get"];
        all.extend(args);
        all.extend(["-o", "json", "--ignore-not-found"]);
        let text = self.kubectl(&all)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        serde_json::from_str(&text).map(Some).context("kubectl's JSON")
    }

    /// `kubectl apply -f -`.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        feed(self.command("kubectl").args(["apply", "-f", "-"]), yaml)
    }

    /// URL of the database that the operator is to use.
    pub fn database_url(&self) -> Result<String> {
        match &self.cluster {
            Cluster::Given => std::env::var("HEARTH_DATABASE_URL").context(
                "KUBECONFIG names your own cluster: set HEARTH_DATABASE_URL to a Postgres that its pods can reach",
            ),
            Cluster::Lab(lab) => Ok(tools::capture(&mut tools::task(&[
                "lab",
                "--name",
                &lab.name,
                "exec",
                "--",
                "printenv",
                "HEARTH_LAB_DATABASE_URL",
            ]))?
            .trim()
            .to_owned()),
        }
    }

    /// The bucket in which artifacts lie in mode ha.
    pub fn bucket(&self) -> Result<Bucket> {
        match &self.cluster {
            Cluster::Given => bail!(
                "KUBECONFIG names your own cluster: mode ha is tested in the lab alone, whose S3 server and replicas may be stopped"
            ),
            Cluster::Lab(lab) => lab::bucket(lab),
        }
    }
}

/// Runs a command with this text as its input.
pub fn feed(command: &mut Command, input: &str) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {}", tools::line(command)))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{} ended with {}\n{}",
            tools::line(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks until the answer is `Some`, at most this long.
pub fn wait<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}
