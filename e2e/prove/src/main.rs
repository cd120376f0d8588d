//! Proves the guarantees in the lab: the same ten-step diamonds run undisturbed and disturbed, their steps append to a
//! ledger, and rows, ledger and objects are then counted against each other.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panic"))]

mod chance;
mod frozen;
mod kept;
mod kills;
mod leader;
mod proxy;
mod report;
mod tally;
mod tamper;
mod watch;
mod world;

use anyhow::{Context, Result, bail};
use chance::Chance;
use clap::{Parser, Subcommand};
use hearth_e2e::{document, machine, standalone::Standalone};
use kept::Kept;
use report::{Report, Side};
use std::{path::PathBuf, process::ExitCode, time::Duration};
use world::World;

/// How long each step lasts, in seconds.
const STEP_SECONDS: u32 = 1;

/// Proves one guarantee in the lab.
#[derive(Debug, Parser)]
#[command(name = "prove-operator")]
struct Args {
    /// The operator that is disturbed.
    #[command(flatten)]
    operator: Standalone,
    /// Document to put the table into, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// How the programs were built.
    #[arg(long, default_value = "unknown")]
    build: String,
    /// The command, as a reader would type it; the seed is added.
    #[arg(long, default_value = "prove-operator")]
    command: String,
    #[command(subcommand)]
    proof: Proof,
}

#[derive(Clone, Debug, clap::Args)]
struct Common {
    /// Makes the moments the same again; default: another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Diamonds that run at the same time in the undisturbed part.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    /// Undisturbed diamonds; default: as many as are disturbed.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    undisturbed: Option<u32>,
}

#[derive(Clone, Debug, Subcommand)]
enum Proof {
    /// Operator, Postgres and API server are killed at random moments.
    Kills(kills::KillsArgs),
    /// The leader is stopped for three lengths of its Lease, and let go.
    Leader(leader::LeaderArgs),
    /// A proxy drops, repeats and delays what watches say.
    Watch(watch::WatchArgs),
    /// The API server freezes, and the operator is started anew meanwhile.
    Frozen(frozen::FrozenArgs),
}

impl Proof {
    fn name(&self) -> &'static str {
        match self {
            Self::Kills(_) => "kills",
            Self::Leader(_) => "leader",
            Self::Watch(_) => "watch",
            Self::Frozen(_) => "frozen",
        }
    }

    fn common(&self) -> &Common {
        match self {
            Self::Kills(args) => &args.common,
            Self::Leader(args) => &args.common,
            Self::Watch(args) => &args.common,
            Self::Frozen(args) => &args.common,
        }
    }

    /// How many diamonds are disturbed.
    fn diamonds(&self) -> u32 {
        match self {
            Self::Kills(args) => args.diamonds,
            Self::Leader(args) => args.diamonds(),
            Self::Watch(args) => args.diamonds,
            Self::Frozen(args) => args.diamonds(),
        }
    }

    /// What is done to the disturbed runs. Gives lines about it.
    fn disturb(&self, world: &mut World, chance: &mut Chance) -> Result<Vec<String>> {
        match self {
            Self::Kills(args) => kills::disturb(args, world, chance),
            Self::Leader(args) => leader::disturb(args, world, chance),
            Self::Watch(args) => watch::disturb(args, world, chance),
            Self::Frozen(args) => frozen::disturb(args, world, chance),
        }
    }
}

fn main() -> ExitCode {
    match prove(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn prove(args: &Args) -> Result<()> {
    // One provider for the whole process; it can only be installed already by this very line.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let (proof, common) = (&args.proof, args.proof.common());
    let seed = common.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    println!("seed {seed}");
    let calm = undisturbed(args).context("undisturbed")?;
    let (disturbed, facts) = disturbed(args, seed, &calm)
        .with_context(|| format!("seed {seed}; the operator's log is {}", args.operator.log.display()))?;
    let report = Report { circumstances: circumstances(args, seed)?, calm, disturbed, facts };
    let text = report.markdown();
    println!("\n{text}");
    if let Some(path) = &args.write {
        document::write(path, &format!("prove-{}", proof.name()), &text)?;
        println!("written into {}", path.display());
    }
    match report.missed().as_slice() {
        [] => Ok(()),
        missed => bail!("missed: {}", missed.join("; ")),
    }
}

fn undisturbed(args: &Args) -> Result<Side> {
    let common = args.proof.common();
    let wanted = common.undisturbed.unwrap_or_else(|| args.proof.diamonds());
    let operator = Kept::start(&args.operator, "prove-1", &[])?;
    let (side, ()) = world::run(&format!("{}-calm", args.proof.name()), vec![operator], None, |world| {
        world.start_all(wanted, common.at_once)
    })?;
    Ok(side)
}

fn disturbed(args: &Args, seed: u64, calm: &Side) -> Result<(Side, Vec<String>)> {
    let mut chance = Chance::new(seed);
    let proof = &args.proof;
    let operators = match proof {
        Proof::Leader(leader) => leader.operators(&args.operator)?,
        Proof::Kills(_) | Proof::Watch(_) | Proof::Frozen(_) => vec![Kept::start(&args.operator, "prove-1", &[])?],
    };
    world::run(proof.name(), operators, calm.like.as_ref(), |world| proof.disturb(world, &mut chance))
}

fn circumstances(args: &Args, seed: u64) -> Result<Vec<String>> {
    let with_seed = if args.proof.common().seed.is_some() { String::new() } else { format!(" --seed {seed}") };
    Ok(vec![
        machine::describe()?,
        format!(
            "Real pods of {STEP_SECONDS} s a step, on one node; {} build of the operator; seed {seed}.",
            args.build
        ),
        format!(
            "`{}{with_seed}`, {}.",
            args.command,
            jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC")
        ),
    ])
}

/// A time in seconds, with one digit.
fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
