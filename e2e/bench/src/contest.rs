//! The operator, the bare loop and Argo Workflows' controller make the same pods, in turns.

use crate::{
    argo::{Argo, Controller, Tuning},
    audit::Request,
    bench::{self, Bench, Order, ROUND},
    contest_report::{Heat, Scores, Sides},
    gaps,
    measure::Place,
    shape::Shape,
    tally::Both,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use kube::api::PostParams;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Without a write for so long, a controller has done all that it does for its runs.
const QUIET: Duration = Duration::from_secs(3);

/// Turns that each takes with single Workflows.
const TURNS: u32 = 3;

/// How much is measured.
#[derive(Args, Debug)]
pub struct Contest {
    #[command(flatten)]
    argo: Argo,
    /// Rounds of each contest but the largest.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Diamonds at once.
    #[arg(long, default_value_t = 20)]
    diamonds: u32,
    /// Diamonds at once in the largest contest, which has one round; 0 leaves it out.
    #[arg(long, default_value_t = 500)]
    many: u32,
    /// Let Argo take part in the largest contest at its defaults too, which takes it half an hour.
    #[arg(long)]
    many_at_defaults: bool,
    /// Workflows of one pod at once.
    #[arg(long, default_value_t = 300)]
    pods: u32,
    /// Workflows of one pod, one at a time.
    #[arg(long, default_value_t = 30)]
    singles: u32,
}

/// Measures, and leaves nothing behind.
///
/// # Errors
/// The cluster, a controller or the audit log is not as it must be.
pub async fn run(place: &Place, contest: &Contest) -> Result<Scores> {
    bench::with(place, async |bench| measure(bench, contest, &place.operator_user).await).await
}

async fn measure(bench: &mut Bench<'_>, contest: &Contest, user: &str) -> Result<Scores> {
    let all = [Tuning::Default, Tuning::Tuned];
    let tuned = if contest.many_at_defaults { &all[..] } else { &[Tuning::Tuned] };
    let mut heats = Vec::new();
    for (what, name, shape, at_once, rounds, tunings) in [
        ("diamonds", "few", Shape::diamond(), contest.diamonds, contest.rounds, &all[..]),
        ("Workflows of one pod", "pod", Shape::single(), contest.pods, contest.rounds, &all[..]),
        ("diamonds", "many", Shape::diamond(), contest.many, 1, tuned),
    ] {
        if at_once > 0 {
            let mut heat = Heat { what: format!("{at_once} {what} at once"), ..Heat::default() };
            for round in 1..=rounds {
                eprintln!("{}: round {round} of {rounds}", heat.what);
                let names: Vec<String> = (0..at_once).map(|n| format!("{name}{round}x{n}")).collect();
                self::round(bench, contest, &names, &shape, tunings, &mut heat.sides).await?;
            }
            heats.push(heat);
        }
    }
    let mut starts = Sides::default();
    for turn in 0..TURNS {
        for side in [None, Some(Tuning::Default), Some(Tuning::Tuned)] {
            let times = singles(bench, contest, side, user, turn).await?;
            starts.of(side).gaps.extend(times);
        }
    }
    Ok(Scores { heats, starts })
}

/// The operator, the bare loop, and each setting of Argo's controller.
async fn round(
    bench: &mut Bench<'_>,
    contest: &Contest,
    names: &[String],
    shape: &Arc<Shape>,
    tunings: &[Tuning],
    sides: &mut Sides,
) -> Result<()> {
    let orders: Vec<Order> = names.iter().map(|name| Order { object: name.clone(), number: 1 }).collect();
    let mut both = Both { operator: std::mem::take(sides.of(None)), bare: std::mem::take(&mut sides.bare) };
    bench.round(&orders, shape, &mut both).await?;
    (*sides.of(None), sides.bare) = (both.operator, both.bare);
    for tuning in tunings {
        let mut controller = start(bench, contest, *tuning).await?;
        let before = controller.cpu_seconds()?;
        controller.run(names, shape).await?;
        let requests = until_quiet(bench, &contest.argo.user).await?;
        let side = sides.of(Some(*tuning));
        side.cpu += controller.cpu_seconds()? - before;
        side.add(&requests, &contest.argo.user, names.len(), shape, gaps::Place::of_operator)
            .with_context(|| format!("Argo, {tuning:?}"))?;
        controller.clear().await?;
        controller.stop()?;
    }
    Ok(())
}

/// Starts Argo's controller; what it did for that counts for nothing.
async fn start(bench: &mut Bench<'_>, contest: &Contest, tuning: Tuning) -> Result<Controller> {
    let controller = contest.argo.start(&bench.client, &bench.namespace, tuning).await?;
    until_quiet(bench, &contest.argo.user).await?;
    Ok(controller)
}

/// What the log says until that user writes nothing more.
async fn until_quiet(bench: &mut Bench<'_>, user: &str) -> Result<Vec<Request>> {
    let (mut all, begun) = (bench.requests()?, Instant::now());
    loop {
        sleep(QUIET).await;
        let more = bench.requests()?;
        let quiet = !more.iter().any(|r| r.user() == user && r.is_write());
        all.extend(more);
        if quiet {
            return Ok(all);
        }
        if begun.elapsed() > ROUND {
            bail!("{user} still writes after {} s", ROUND.as_secs());
        }
    }
}

/// From the arrival of the request that creates a Workflow of one pod, to the arrival of the one that creates the pod;
/// one Workflow at a time.
async fn singles(
    bench: &mut Bench<'_>,
    contest: &Contest,
    tuning: Option<Tuning>,
    user: &str,
    turn: u32,
) -> Result<Vec<Duration>> {
    let (shape, mut found) = (Shape::single(), Vec::new());
    let mut controller = match tuning {
        Some(tuning) => Some(start(bench, contest, tuning).await?),
        None => None,
    };
    let user = if controller.is_some() { contest.argo.user.as_str() } else { user };
    for n in 0..contest.singles.div_ceil(TURNS) {
        let name = format!("alone{turn}x{n}");
        bench.requests()?;
        let requests = match &mut controller {
            Some(controller) => {
                controller.run(std::slice::from_ref(&name), &shape).await?;
                let requests = until_quiet(bench, user).await?;
                controller.clear().await?;
                requests
            }
            None => {
                bench.workflows.create(&PostParams::default(), &shape.workflow(&name)?).await?;
                until_quiet(bench, user).await?
            }
        };
        found.push(gaps::start(&requests, &name, user).with_context(|| format!("{name} of {user}"))?);
    }
    if let Some(controller) = controller {
        controller.stop()?;
    }
    Ok(found)
}
