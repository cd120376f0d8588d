//! `make bench-operator`: the operator on kwok nodes, beside a bare loop that makes the same pods.

use crate::{
    cluster::Target,
    repo,
    stage::Stages,
    standalone::{self, InCluster},
    tools,
};
use anyhow::Result;
use clap::Args;
use std::{path::Path, process::Command};

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
    let target = stages.run("cluster", || standalone::lab("the benchmark reads the API server's audit log"))?;
    let built = stages.run("release build", || standalone::build("release", "hearth-bench"))?;
    stages.run("fake nodes", || tools::run(&mut tools::task(&["lab", "kwok", "--nodes", &args.nodes.to_string()])))?;
    let _installed = stages.run("operator's place", || InCluster::make_room(&target))?;
    stages.run("benchmark", || tools::run(&mut benchmark(&target, &built, args)?))
}

fn benchmark(target: &Target, built: &Path, args: &BenchArgs) -> Result<Command> {
    let mut command = standalone::command(target, built, "bench-operator")?;
    command.args(["--operator-user", &standalone::user(), "--audit-log"]).arg(standalone::audit_log()?);
    if !args.print_only {
        command.arg("--write").arg(repo::root().join(DOCUMENT));
    }
    command.args(&args.rest);
    Ok(command)
}
