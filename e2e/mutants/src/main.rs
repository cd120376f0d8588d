//! Tries every mutant of a crate that cargo-mutants lists, in one build: see [`switch`].

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panic"))]

mod build;
mod list;
mod report;
mod switch;
mod tree;
mod trial;

use anyhow::{Context, Result, ensure};
use build::Fitted;
use clap::Parser;
use hearth_e2e::document;
use list::Mutant;
use report::Report;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};
use tree::Tree;
use trial::{Trials, Verdict, at_once};

/// Tries every mutant of a crate that cargo-mutants lists, in one build.
#[derive(Debug, Parser)]
#[command(name = "prove-mutants")]
struct Args {
    /// The repository.
    #[arg(long)]
    root: PathBuf,
    /// A folder for the copy; a later run finds there what it need not build again.
    #[arg(long)]
    work: PathBuf,
    /// The package that is changed.
    #[arg(long, default_value = "hearth-plan")]
    package: String,
    /// Its folder in the repository.
    #[arg(long, default_value = "operator/plan")]
    folder: PathBuf,
    /// The packages whose tests should notice.
    #[arg(long, value_delimiter = ',', default_value = "hearth-plan,hearth-sim")]
    tests: Vec<String>,
    /// Only mutants whose name holds this text.
    #[arg(long, default_value = "")]
    only: String,
    /// Leave out those that need a build of their own, about a minute each.
    #[arg(long)]
    quick: bool,
    /// Tests that run at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Document to put the table into, between its marks.
    #[arg(long)]
    write: Option<PathBuf>,
    /// The command, as a reader would type it.
    #[arg(long, default_value = "prove-mutants")]
    command: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match prove(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn prove(args: &Args) -> Result<()> {
    let mut mutants = list::of(&args.root, &args.package)?;
    mutants.retain(|m| m.name.contains(&args.only));
    println!("{} mutants", mutants.len());
    let tree = Tree::copy(&args.root, &args.work.join("tree"), &args.folder)?;
    let fitted = build::fit(&tree, &args.package, &mutants)?;
    println!(
        "{} in one build, {} alone, {} impossible",
        fitted.switched.len(),
        fitted.alone.len(),
        fitted.impossible.len()
    );
    let programs = build::tests(&tree, &args.tests)?.context("the tests do not compile")?;
    let trials = Trials::new(trial::record(&programs, &args.work, args.jobs).await?);
    let (tests, took) = trials.size();
    println!("{tests} tests, {:.0} s one after the other", took.as_secs_f64());
    let mut verdicts = together(args, &mutants, &fitted, &trials).await?;
    if !args.quick {
        verdicts.extend(alone(args, &tree, &mutants, &fitted, &trials).await?);
    }
    let report = Report::new(&args.command, &mutants, &verdicts, tests)?;
    println!("\n{}", report.markdown());
    if let Some(path) = &args.write {
        document::write(path, "prove-mutants", &report.markdown())?;
        println!("written into {}", path.display());
    }
    ensure!(report.missed() == 0, "no test notices {} mutants", report.missed());
    Ok(())
}

/// Tries those that are in the build.
async fn together(
    args: &Args,
    mutants: &[Mutant],
    fitted: &Fitted,
    trials: &Trials,
) -> Result<BTreeMap<usize, Verdict>> {
    let done = AtomicUsize::new(0);
    let one = async |id: usize| {
        let verdict = trials.of(id).await?;
        let n = done.fetch_add(1, Ordering::Relaxed) + 1;
        if let (Verdict::Missed(reached), Some(mutant)) = (&verdict, mutants.get(id)) {
            println!("missed, reached by {reached} tests: {}", mutant.name);
        }
        if n.is_multiple_of(100) {
            println!("{n} of {}", fitted.switched.len());
        }
        anyhow::Ok((id, verdict))
    };
    let verdicts = at_once(fitted.switched.iter().copied(), args.jobs, one).await?;
    let impossible = fitted.impossible.iter().map(|id| (*id, Verdict::Impossible));
    Ok(verdicts.into_iter().chain(impossible).collect())
}

/// Builds and tries the others one by one.
async fn alone(
    args: &Args,
    tree: &Tree,
    mutants: &[Mutant],
    fitted: &Fitted,
    trials: &Trials,
) -> Result<BTreeMap<usize, Verdict>> {
    let files = mutants.iter().map(|m| m.file.clone()).chain([args.folder.join("src/lib.rs")]).collect();
    tree.restore(&files)?;
    let mut verdicts = BTreeMap::new();
    for (n, id) in fitted.alone.iter().enumerate() {
        let Some(mutant) = mutants.get(*id) else { continue };
        println!("alone, {} of {}: {}", n + 1, fitted.alone.len(), mutant.name);
        tree.change(mutant)?;
        let verdict = match build::tests(tree, &args.tests)? {
            Some(programs) => trials.of_programs(&programs).await?,
            None => Verdict::Impossible,
        };
        println!("{verdict:?}");
        verdicts.insert(*id, verdict);
        tree.restore(&[mutant.file.clone()].into())?;
    }
    Ok(verdicts)
}
