//! `kubectl hearth`: runs, why they failed, and their logs, from the record.

#![cfg_attr(
    test,
    allow(
        missing_docs,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

mod args;
mod client;
mod commands;
mod connect;
mod credentials;
mod day2;
mod error;
mod follow;
mod graph;
mod lint;
mod record;
mod render;
mod terminal;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = args::Args::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return error::CliError::Other(error.into()).report(),
    };
    match runtime.block_on(commands::run(args)) {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}
