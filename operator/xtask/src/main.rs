//! Generators, checks, the lab cluster and the demo: everything that `make` calls.

#![cfg_attr(test, allow(missing_docs, reason = "tests document themselves"))]

mod apilint;
mod bench;
mod bench_history;
mod ci;
mod cluster;
mod compat;
mod demo;
mod deploy;
mod generate;
mod images;
mod lab;
mod postgres;
mod prove;
mod repo;
mod schema;
mod stage;
mod standalone;
mod tools;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Development tasks of Hearth.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Write everything that is generated from the registry: CRDs, RBAC, install.yaml, reference docs.
    Gen,
    /// Generate into a temporary folder and fail on any difference, missing or extra file.
    Verify,
    /// Check the rules that every API field has to keep.
    ApiLint,
    /// Compare the CRDs with those of a git revision and fail on changes that break users.
    CrdCompat(compat::CompatArgs),
    /// The lab: a real Kubernetes on this machine, in a network namespace of its own.
    Lab(lab::LabArgs),
    /// Build the images and import them into the lab.
    Images(images::ImagesArgs),
    /// A throw-away Postgres on loopback for tests.
    Postgres(postgres::PostgresArgs),
    /// From nothing to a finished CO2 Workflow with its record in Postgres.
    Demo(demo::DemoArgs),
    /// Every check and test, stage by stage, with their minutes.
    Test(ci::TestArgs),
    /// Measure the operator on kwok nodes beside a bare loop.
    BenchOperator(bench::BenchArgs),
    /// Measure the operator on kwok nodes in turns with Argo Workflows' controller.
    BenchArgo(bench::BenchArgs),
    /// Measure the history store on Postgres and SQLite beside a bare loop.
    BenchHistory(bench_history::BenchHistoryArgs),
    /// Put the guarantees and the tests to the test: in the simulator, in the lab, by mutants.
    Prove(prove::ProveArgs),
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The chain of causes, without the backtrace that Debug would add.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Gen => generate::gen_into_checkout(),
        Task::Verify => generate::verify(),
        Task::ApiLint => apilint::run(),
        Task::CrdCompat(args) => compat::run(&args),
        Task::Lab(args) => lab::run(args),
        Task::Images(args) => images::run(args),
        Task::Postgres(args) => postgres::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => ci::run(&args),
        Task::BenchOperator(args) => bench::operator(&args),
        Task::BenchArgo(args) => bench::argo(&args),
        Task::BenchHistory(args) => bench_history::run(&args),
        Task::Prove(args) => prove::run(&args),
    }
}
