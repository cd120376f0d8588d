//! `make bench-operator`: the operator on kwok nodes, beside a bare loop that makes the same pods.

use crate::{cluster::Target, deploy, stage::Stages, tools};
use anyhow::Result;
use clap::Args;

/// Arguments of `cargo xtask bench-operator`.
#[derive(Args)]
pub struct BenchArgs {
    /// Fake nodes that carry the pods.
    #[arg(long, default_value_t = 10)]
    nodes: u32,
    /// What the benchmark itself is given.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Installs a release build's sibling of the operator and measures it.
pub fn run(args: &BenchArgs) -> Result<()> {
    let mut stages = Stages::default();
    let target = stages.run("cluster", Target::started)?;
    let image = stages.run("images", || deploy::images(&target, &["hearth", "busybox"]))?;
    stages.run("operator", || deploy::install(&target, &image, &[]))?;
    stages.run("fake nodes", || tools::run(&mut tools::task(&["lab", "kwok", "--nodes", &args.nodes.to_string()])?))?;
    stages.run("benchmark", || {
        let mut command = target.command("cargo");
        command
            .args(["run", "--quiet", "--profile", "ci", "--package", "hearth-e2e", "--bin", "bench-operator", "--"])
            .args(&args.rest);
        tools::run(&mut command)
    })
}
