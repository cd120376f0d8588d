//! The operator beside the bare loop: diamonds one at a time and many at once, and large runs.

use crate::{
    bench::{self, Bench, Order, ROUND, ask_until},
    idle,
    measure::Place,
    report::{Figures, Large},
    shape::Shape,
    tally::Both,
};
use anyhow::{Context, Result, bail};
use clap::Args;
use hearth_crds::{label, workflow::RunPhase};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ListParams, PostParams},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Steps of a layer of the large Workflow.
const WIDTH: u32 = 100;
/// Between two looks at the status of a large run.
const LOOK: Duration = Duration::from_millis(500);

/// How much is measured.
#[derive(Args, Debug)]
pub struct Course {
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
    /// Workflows that are over, each with a pod that stays; 0 leaves them out.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=12_000))]
    idle: u32,
}

/// Measures, and leaves nothing behind.
///
/// # Errors
/// The cluster, the operator or the audit log is not as it must be.
pub async fn run(place: &Place, course: &Course) -> Result<Figures> {
    bench::with(place, async |bench| measure(bench, course, &place.operator_user).await).await
}

async fn measure(bench: &mut Bench<'_>, course: &Course, user: &str) -> Result<Figures> {
    let mut figures = Figures { at_once: course.at_once as usize, ..Figures::default() };
    let diamond = Shape::diamond();
    for n in 0..course.runs {
        let (object, earlier) = (n / course.runs_per_object, n % course.runs_per_object);
        let order = Order { object: format!("single-{object}"), number: earlier + 1 };
        bench.round(&[order], &diamond, if earlier == 0 { &mut figures.first } else { &mut figures.later }).await?;
        eprint!("\rone at a time: {} of {}", n + 1, course.runs);
    }
    eprintln!();
    for number in 1..=course.rounds {
        let orders: Vec<_> = (0..course.at_once).map(|n| Order { object: format!("many-{n}"), number }).collect();
        bench.round(&orders, &diamond, &mut figures.many).await?;
        eprint!("\r{} at once: round {number} of {}", course.at_once, course.rounds);
    }
    eprintln!();
    figures.peak = bench.operator.peak_mib()?;
    let steps = |n: u32| Shape::layers(n.div_ceil(WIDTH) as usize, WIDTH.min(n) as usize);
    for (count, what, shape, most_seconds) in [
        (course.steps, "steps", steps(course.steps), Some(5.0)),
        (course.items, "items", Shape::fan_out(course.items as usize), None),
    ] {
        if count > 0 {
            eprintln!("{count} {what}");
            let measured = large(bench, what, &shape).await.with_context(|| format!("{count} {what}"))?;
            figures.large.push(Large { name: format!("{} {what}", shape.pods()), most_seconds, ..measured });
        }
    }
    if course.idle > 0 {
        eprintln!("{} idle", course.idle);
        figures.idle = Some(idle::measure(bench, course.idle, user).await.context("idle Workflows")?);
    }
    Ok(figures)
}

/// One run of a large shape.
async fn large(bench: &mut Bench<'_>, what: &str, shape: &Arc<Shape>) -> Result<Large> {
    let name = format!("large-{what}");
    let (before, begun) = (bench.operator.cpu_seconds()?, Instant::now());
    bench.workflows.create(&PostParams::default(), &shape.workflow(&name)?).await?;
    let mut large = Large::default();
    loop {
        let status = bench.workflows.get_status(&name).await?.status.unwrap_or_default();
        large.status = large.status.max(serde_json::to_vec(&status)?.len());
        match status.phase {
            Some(RunPhase::Succeeded) => break,
            Some(RunPhase::Failed | RunPhase::Cancelled) => bail!("the run ended as {:?}", status.phase),
            _ => {}
        }
        bench.turn("the operator's large run", begun).await?;
        sleep(LOOK).await;
    }
    // The last of its pods go when the end is on record.
    let live = Api::<Pod>::namespaced(bench.client.clone(), &bench.namespace);
    let own = ListParams::default().labels(&format!("{}=hearth", label::MANAGED_BY)).limit(1);
    ask_until("the pods of the large run to go", ROUND, async || Ok(live.list_metadata(&own).await?.items.is_empty()))
        .await?;
    large.peak = bench.operator.peak_mib()?;
    let mut both = Both::default();
    bench.compare(1, shape, before, &mut both).await?;
    Ok(Large { both, ..large })
}
