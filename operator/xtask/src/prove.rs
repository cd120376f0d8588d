//! `make prove`: the guarantees put to the test, in the simulator and in the lab, and the tests put to the test by mutants.

use crate::{
    cluster::Target,
    repo,
    stage::Stages,
    standalone::{self, InCluster},
    tools,
};
use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the tables go.
const DOCUMENT: &str = "docs/reliability.md";

/// The version of cargo-mutants: another one may list others.
const MUTANTS: &str = "27.1.0";

/// One of the proofs, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Proof {
    /// Every write killed, stale reads and changes of leader, in the simulator.
    Simulator,
    /// Operator, Postgres and API server killed at random moments, in the lab.
    Kills,
    /// The leader stopped for three lengths of its Lease, in the lab.
    Leader,
    /// Watch events dropped, repeated and delayed by a proxy, in the lab.
    Watch,
    /// The operator started against a frozen API server, in the lab.
    Frozen,
    /// Mutants of operator/plan: half an hour, and another half for those that need a build of their own.
    Mutants,
}

impl Proof {
    /// Its name in the lab's program; `None` for those that need no lab.
    fn in_lab(self) -> Option<&'static str> {
        match self {
            Self::Simulator | Self::Mutants => None,
            Self::Kills => Some("kills"),
            Self::Leader => Some("leader"),
            Self::Watch => Some("watch"),
            Self::Frozen => Some("frozen"),
        }
    }
}

/// Arguments of `cargo xtask prove`.
#[derive(Args)]
pub struct ProveArgs {
    /// Only these; default: all of them.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Proof>,
    /// Print the tables, and leave docs/reliability.md as it is.
    #[arg(long)]
    print_only: bool,
    /// What each proof's program is given, behind `--`, for example `--seed 7`; with `--help` it says what that may be.
    #[arg(last = true)]
    rest: Vec<String>,
}

impl ProveArgs {
    /// The proofs that are wanted, in order.
    fn wanted(&self) -> Vec<Proof> {
        let wanted = |proof: &&Proof| self.only.is_empty() || self.only.contains(proof);
        Proof::value_variants().iter().filter(wanted).copied().collect()
    }
}

/// Runs the proofs. Those in the lab all run, even after one that failed: each has a table of its own.
pub fn run(args: &ProveArgs) -> Result<()> {
    let mut stages = Stages::default();
    let result = prove(args, &mut stages);
    print!("{}", stages.table());
    result
}

fn prove(args: &ProveArgs, stages: &mut Stages) -> Result<()> {
    let wanted = args.wanted();
    if wanted.contains(&Proof::Simulator) {
        stages.run("simulator", simulator)?;
    }
    let in_lab: Vec<&str> = wanted.iter().filter_map(|proof| proof.in_lab()).collect();
    if !in_lab.is_empty() {
        lab(args, &in_lab, stages)?;
    }
    if wanted.contains(&Proof::Mutants) {
        stages.run("mutants of operator/plan", || mutants(args))?;
    }
    Ok(())
}

fn simulator() -> Result<()> {
    tools::run(&mut tools::cargo(&["test", "--package", "hearth-sim", "--profile", "ci", "--", "--nocapture"]))
}

fn lab(args: &ProveArgs, proofs: &[&str], stages: &mut Stages) -> Result<()> {
    let target = stages.run("cluster", || standalone::lab("these proofs kill parts of the cluster"))?;
    // What CI has built anyway, or what is shipped.
    let profile = if repo::in_ci() { "ci" } else { "release" };
    let built = stages.run("build", || standalone::build(profile, "hearth-prove"))?;
    stages.run("image of the steps", || tools::run(&mut tools::task(&["images", "busybox"])))?;
    let _installed = stages.run("operator's place", || InCluster::make_room(&target))?;
    let mut failed = Vec::new();
    for proof in proofs {
        if let Err(error) = stages.run(proof, || tools::run(&mut command(&target, &built, profile, proof, args)?)) {
            eprintln!("{error:#}");
            failed.push(*proof);
        }
    }
    ensure!(failed.is_empty(), "not shown: {}", failed.join(", "));
    Ok(())
}

fn command(target: &Target, built: &Path, profile: &str, proof: &str, args: &ProveArgs) -> Result<Command> {
    let mut command = standalone::command(target, built, "prove-operator")?;
    command.env("HEARTH_XTASK", std::env::current_exe()?).args(["--build", profile, "--command", &line(proof, args)]);
    if !args.print_only {
        command.arg("--write").arg(repo::root().join(DOCUMENT));
    }
    command.arg(proof).args(&args.rest);
    Ok(command)
}

fn mutants(args: &ProveArgs) -> Result<()> {
    tools::run(&mut tools::cargo(&["build", "--quiet", "--profile", "ci", "--package", "hearth-mutants"]))?;
    let mut command = Command::new(repo::target().join("x86_64-unknown-linux-gnu/ci/prove-mutants"));
    command.arg("--root").arg(repo::root()).arg("--work").arg(repo::cache()?.join("mutants"));
    command.args(["--command", line("mutants", args).trim_end_matches(" --")]).env("PATH", with_tools()?);
    if !args.print_only {
        command.arg("--write").arg(repo::root().join(DOCUMENT));
    }
    tools::run(command.args(&args.rest))
}

/// The command that runs a proof, as a reader would type it.
fn line(proof: &str, args: &ProveArgs) -> String {
    let rest = args.rest.iter().map(String::as_str);
    ["cargo xtask prove --only", proof, "--"].into_iter().chain(rest).collect::<Vec<_>>().join(" ")
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
        tools::install(&own, "cargo-mutants", MUTANTS)?;
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: ProveArgs,
    }

    fn wanted(words: &[&str]) -> Vec<Proof> {
        Cli::try_parse_from(std::iter::once(&"prove").chain(words)).unwrap().args.wanted()
    }

    #[test]
    fn single_proofs_can_be_asked_for() {
        assert_eq!(wanted(&[]), Proof::value_variants());
        assert_eq!(wanted(&["--only", "frozen,kills", "--", "--seed", "7"]), [Proof::Kills, Proof::Frozen]);
    }

    #[test]
    fn each_table_has_its_place_in_the_document() {
        let document = std::fs::read_to_string(repo::root().join(DOCUMENT)).unwrap();
        let tables = Proof::value_variants().iter().filter_map(|proof| proof.in_lab());
        for proof in tables.chain(["mutants"]) {
            assert!(document.contains(&format!("<!-- prove-{proof}: begin")), "{proof}");
        }
    }
}
