//! `kubectl hearth`, as somebody.

use crate::{
    cluster::{Cluster, built},
    process::{output, text},
    wait::until,
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::process::{Child, Stdio};
use tempfile::NamedTempFile;

/// What the plugin said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// Exit status.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs the plugin.
///
/// # Errors
/// It is not built.
pub fn hearth(cluster: &Cluster, args: &[&str]) -> Result<Said> {
    let done = output(cluster.command(built("HEARTH_PLUGIN", "kubectl-hearth")?).args(args), None)?;
    Ok(Said { code: done.status.code().unwrap_or(-1), out: text(&done.stdout), err: text(&done.stderr) })
}

/// The plugin while it runs, with what it has said until now.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: NamedTempFile,
    err: NamedTempFile,
}

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// It is not built.
    pub fn start(cluster: &Cluster, args: &[&str]) -> Result<Self> {
        let (out, err) = (NamedTempFile::new()?, NamedTempFile::new()?);
        let child = cluster
            .command(built("HEARTH_PLUGIN", "kubectl-hearth")?)
            .args(args)
            .stdin(Stdio::null())
            .stdout(out.reopen()?)
            .stderr(err.reopen()?)
            .spawn()
            .context("start kubectl hearth")?;
        Ok(Self { child, out, err })
    }

    /// Its standard output until now.
    ///
    /// # Errors
    /// The file is gone.
    pub fn out(&self) -> Result<String> {
        read(&self.out)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It did not end in time.
    pub fn end(mut self) -> Result<Said> {
        let status = until("the end of kubectl hearth", crate::A_RUN, || Ok(self.child.try_wait()?))?;
        Ok(Said { code: status.code().unwrap_or(-1), out: read(&self.out)?, err: read(&self.err)? })
    }
}

/// A test that failed leaves nothing running.
impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _end = self.child.wait();
    }
}

fn read(file: &NamedTempFile) -> Result<String> {
    Ok(text(&std::fs::read(file.path())?))
}

/// Runs the plugin with `-o json`; it must end well.
///
/// # Errors
/// It does not.
pub fn json(cluster: &Cluster, args: &[&str]) -> Result<Value> {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    let said = hearth(cluster, &all)?;
    ensure!(said.code == 0, "kubectl hearth {} ended with {}: {}{}", all.join(" "), said.code, said.out, said.err);
    serde_json::from_str(&said.out).context("the JSON of kubectl hearth")
}
