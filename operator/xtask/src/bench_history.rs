//! `make bench-history`: the history store on both back ends, beside a bare loop.

use crate::{postgres::Server, tools};
use anyhow::Result;
use clap::Args;

/// Arguments of `cargo xtask bench-history`.
#[derive(Args)]
pub struct BenchHistoryArgs {
    /// What the benchmark itself is given, behind `--`; with `--help` it says what that may be.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Measures an optimised build against a Postgres that waits for the disk, as one in use does.
pub fn run(args: &BenchHistoryArgs) -> Result<()> {
    let server = Server::durable()?;
    tools::run(
        tools::cargo(&["bench", "--quiet", "--package", "hearth-history", "--bench", "history", "--"])
            .args(&args.rest)
            .env("HEARTH_TEST_POSTGRES", server.url()),
    )
}
