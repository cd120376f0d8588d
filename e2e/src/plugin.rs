//! `kubectl hearth`, as somebody.

use crate::{
    cluster::{Cluster, built},
    process::{output, text},
};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

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
