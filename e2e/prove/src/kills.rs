//! Operator, Postgres and API server killed at random moments.

use crate::{Common, chance::Chance, seconds, world::World};
use anyhow::Result;
use clap::Args;
use hearth_e2e::lab::lab;
use std::{
    collections::BTreeMap,
    thread::sleep,
    time::{Duration, Instant},
};

/// The longest time between one part serving again and the next kill.
const PAUSE: Duration = Duration::from_secs(4);
/// The longest time that what was killed stays down.
const DOWN: Duration = Duration::from_secs(2);
/// Diamonds that are there from the beginning; the others come as the kills go on.
const FIRST: u32 = 5;

/// How many kills, and of how many runs.
#[derive(Args, Clone, Debug)]
pub struct KillsArgs {
    /// Kills.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// Diamonds.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub diamonds: u32,
    #[command(flatten)]
    pub common: Common,
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Operator,
    Postgres,
    ApiServer,
}

impl Victim {
    /// The operator half of the time, the other two equally often.
    fn any(chance: &mut Chance) -> Self {
        match chance.number(0..4) {
            0 | 1 => Self::Operator,
            2 => Self::Postgres,
            _ => Self::ApiServer,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Postgres => "Postgres",
            Self::ApiServer => "API server",
        }
    }

    /// Kills it, leaves it down for a while, and starts it again. Postgres and the API server serve then; the operator
    /// has just begun.
    fn kill(self, world: &mut World, down: Duration) -> Result<()> {
        let part = match self {
            Self::Operator => {
                return world.operators.iter_mut().try_for_each(|operator| {
                    operator.kill()?;
                    sleep(down);
                    operator.start_again()
                });
            }
            Self::Postgres => "postgres",
            Self::ApiServer => "apiserver",
        };
        lab(&["stop", part, "--kill"])?;
        sleep(down);
        lab(&["start", part]).map(drop)
    }
}

/// Kills at random moments, while diamonds are started one after the other.
pub fn disturb(args: &KillsArgs, world: &mut World, chance: &mut Chance) -> Result<Vec<String>> {
    let begun = Instant::now();
    let (mut killed, mut in_flight) = (BTreeMap::<Victim, u32>::new(), 0);
    for n in 0..args.kills {
        world.start_until(due(args, n))?;
        // The moment is what is random here; nothing is waited for.
        sleep(chance.time_below(PAUSE));
        let (victim, down) = (Victim::any(chance), chance.time_below(DOWN));
        let flying = world.in_flight()?;
        let moment = begun.elapsed();
        victim.kill(world, down)?;
        world.look()?;
        *killed.entry(victim).or_default() += 1;
        in_flight += u32::from(flying > 0);
        println!(
            "kill {:>3} of {} at {:>7}: {:<10} down for {}, with {flying} runs in flight",
            n + 1,
            args.kills,
            seconds(moment),
            victim.name(),
            seconds(down)
        );
    }
    world.start_until(args.diamonds)?;
    let parts: Vec<String> = killed.iter().map(|(victim, times)| format!("{} {times}", victim.name())).collect();
    Ok(vec![format!(
        "{} kills in {}: {}; {in_flight} of them with runs in flight.",
        args.kills,
        seconds(begun.elapsed()),
        parts.join(", ")
    )])
}

/// How many diamonds are to be started before that kill.
fn due(args: &KillsArgs, kill: u32) -> u32 {
    let first = FIRST.min(args.diamonds);
    first + kill * (args.diamonds - first) / args.kills
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diamonds_come_as_kills_go_on() {
        let common = Common { seed: None, at_once: 6, undisturbed: None };
        let args = |kills, diamonds| KillsArgs { kills, diamonds, common: common.clone() };
        assert_eq!([0, 1, 50, 99].map(|n| due(&args(100, 50), n)), [5, 5, 27, 49]);
        assert_eq!(due(&args(3, 2), 2), 2);
    }
}
