//! Generators, checks, the lab cluster and the demo: everything that `make` calls.

#![cfg_attr(test, allow(missing_docs, reason = "tests document themselves"))]

mod images;
mod lab;
mod repo;

use clap::{Parser, Subcommand};

/// Development tasks of Hearth.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// The lab: a real Kubernetes on this machine, in a network namespace of its own.
    Lab(lab::LabArgs),
    /// Build the images and import them into the lab.
    Images(images::ImagesArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Lab(args) => lab::run(args),
        Task::Images(args) => images::run(args),
    }
}
