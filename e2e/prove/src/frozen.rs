//! The API server frozen, and the operator started anew against it.

use crate::{Common, chance::Chance, seconds, world::World};
use anyhow::Result;
use clap::Args;
use hearth_e2e::{lab::Away, wait::until};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Diamonds that are started before each time.
const PER_ROUND: u32 = 4;
/// The longest time between the start of those and the freeze.
const PAUSE: Duration = Duration::from_secs(8);

/// How often, and how long.
#[derive(Args, Clone, Debug)]
pub struct FrozenArgs {
    /// How often it freezes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// For how many seconds the operator that was started meets a frozen API server.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    #[command(flatten)]
    pub common: Common,
}

impl FrozenArgs {
    /// How many diamonds run.
    pub fn diamonds(&self) -> u32 {
        self.rounds * PER_ROUND
    }
}

/// Freezes the API server in mid-run. The operator is killed and asked to end in turns.
pub fn disturb(args: &FrozenArgs, world: &mut World, chance: &mut Chance) -> Result<Vec<String>> {
    let (begun, long) = (Instant::now(), Duration::from_secs(args.seconds.into()));
    let mut slowest = Duration::ZERO;
    for round in 1..=args.rounds {
        world.start_until(round * PER_ROUND)?;
        sleep(chance.time_below(PAUSE));
        world.look()?;
        let flying = world.in_flight()?;
        let frozen = Away::hanging("apiserver")?;
        let operator = world.operator(0)?;
        let how = if round % 2 == 1 {
            operator.kill()?;
            "killed".to_owned()
        } else {
            let took = operator.stop()?;
            slowest = slowest.max(took);
            format!("asked to end, which took {}", seconds(took))
        };
        operator.start_again()?;
        let started = Instant::now();
        until("the time is over", long * 2, || {
            operator.look()?;
            Ok((started.elapsed() >= long).then_some(()))
        })?;
        frozen.back()?;
        println!(
            "freeze {round} of {} at {:>7}, with {flying} runs in flight: the operator was {how}",
            args.rounds,
            seconds(begun.elapsed())
        );
    }
    Ok(vec![format!(
        "{} times, for {} each from the operator's new start on. Asked to end against the frozen API server, it took {} at \
         most.",
        args.rounds,
        seconds(long),
        seconds(slowest)
    )])
}
