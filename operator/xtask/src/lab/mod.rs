//! The lab: a real Kubernetes on this machine.

use clap::Args;

/// Arguments of `cargo xtask lab`.
#[derive(Args)]
pub struct LabArgs {}

/// Runs the lab's subcommand.
pub fn run(_args: LabArgs) -> anyhow::Result<()> {
    anyhow::bail!("the lab is not there yet")
}
