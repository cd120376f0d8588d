//! `make prove`: tests of the tests. Mutants of the pure crate must be killed; leaves of the schema must matter.

use crate::{repo, stage::Stages, tools};
use anyhow::Result;
use clap::Args;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

/// Arguments of `cargo xtask prove`.
#[derive(Args)]
pub struct ProveArgs {
    /// Only a share of the mutants, as `k/n`: they take hours on a small machine.
    #[arg(long)]
    shard: Option<String>,
}

/// Runs the proofs.
pub fn run(args: &ProveArgs) -> Result<()> {
    let mut stages = Stages::default();
    let result = stages
        .run("proofs in the simulator", || {
            tools::run(&mut tools::cargo(&["test", "--package", "hearth-sim", "--profile", "ci", "--", "--nocapture"]))
        })
        .and_then(|()| stages.run("mutants of operator/plan", || mutants(args)));
    print!("{}", stages.table());
    result
}

fn mutants(args: &ProveArgs) -> Result<()> {
    let mut command = Command::new("cargo");
    command
        .current_dir(repo::root())
        .args([
            "mutants",
            "--package",
            "hearth-plan",
            "--test-package",
            "hearth-plan,hearth-sim",
            "--no-shuffle",
            "--output",
        ])
        .arg(repo::cache()?.join("mutants"));
    if let Some(shard) = &args.shard {
        command.args(["--shard", shard]);
    }
    command.env("PATH", with_tools()?);
    tools::run(&mut command)
}

/// PATH with cargo-mutants on it; it is built into the cache when it is missing.
fn with_tools() -> Result<String> {
    let own: PathBuf = repo::cache()?.join("tools");
    let path = format!("{}:{}", own.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let there = Command::new("cargo")
        .args(["mutants", "--version"])
        .env("PATH", &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !there.success() {
        tools::install(&own, "cargo-mutants", "*")?;
    }
    Ok(path)
}
