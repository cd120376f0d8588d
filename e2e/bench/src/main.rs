//! Measures the operator on fake nodes in the lab, beside a bare loop that creates the same pods.
//!
//! Both sides take turns in one run, so that what else the machine does falls on both. Requests and their times come
//! from the API server's audit log.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::float_cmp, reason = "tests fail by panic")
)]

mod audit;
mod bare;
mod bench;
mod gaps;
mod report;
mod seen;
mod shape;
mod tally;

use anyhow::Result;
use clap::Parser;
use hearth_e2e::{document, machine, standalone::Standalone};
use std::{path::PathBuf, process::ExitCode};

/// Measures the operator beside a bare loop that creates the same pods.
#[derive(Debug, Parser)]
#[command(name = "bench-operator")]
pub struct Args {
    /// The operator that is measured.
    #[command(flatten)]
    operator: Standalone,
    /// Name of that service account, as the audit log says it.
    #[arg(long, default_value = "system:serviceaccount:hearth-system:hearth")]
    operator_user: String,
    /// The API server's audit log.
    #[arg(long)]
    audit_log: PathBuf,
    /// Runs of one diamond at a time.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Runs per object: the first one, and later ones.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(2..))]
    runs_per_object: u32,
    /// Rounds of many diamonds at once.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Diamonds at once in such a round.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    /// Steps of a large Workflow, in layers of 100 at most; 0 leaves it out.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(..=2000))]
    steps: u32,
    /// Items of a large fan-out; 0 leaves it out.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=10_000))]
    items: u32,
    /// Document to put the tables into, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The command, as a reader would type it.
    #[arg(long, default_value = "make bench-operator")]
    command: String,
}

fn main() -> ExitCode {
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    // One provider for the whole process; it can only be installed already by this very line.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let before = machine::load()?;
    let mut figures = runtime.block_on(bench::run(args))?;
    figures.circumstances = vec![
        machine::describe()?,
        format!(
            "Load average of one minute: {before} before, {} after; the lab itself is part of the latter.",
            machine::load()?
        ),
        format!(
            "`{}`, {}.",
            args.command,
            jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC")
        ),
    ];
    let text = figures.markdown();
    println!("{text}");
    match figures.missed().as_slice() {
        [] => println!("every goal met"),
        missed => println!("missed: {}", missed.join("; ")),
    }
    if let Some(path) = &args.write {
        document::write(path, "bench-operator", &text)?;
        println!("written into {}", path.display());
    }
    Ok(())
}
