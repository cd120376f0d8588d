//! The leader stopped for three lengths of its Lease, and let go.

use crate::{Common, chance::Chance, kept::Kept, seconds, world::World};
use anyhow::{Context, Result};
use clap::Args;
use hearth_e2e::{
    standalone::Standalone,
    status::text,
    wait::{until, until_despite_errors},
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Name of the operator's Lease.
const LEASE: &str = "hearth-operator";
/// Diamonds that are started before each stop.
const PER_ROUND: u32 = 2;
/// The longest time between the start of those and the stop.
const PAUSE: Duration = Duration::from_secs(6);
/// How long an operator that waits for its turn may take to start.
const START: Duration = Duration::from_secs(30);

/// How often, and how long a Lease is.
#[derive(Args, Clone, Debug)]
pub struct LeaderArgs {
    /// How often the leader is stopped.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Length of the Lease in seconds; a request may take two thirds of it.
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(3..))]
    lease: u32,
    #[command(flatten)]
    pub common: Common,
}

impl LeaderArgs {
    /// How many diamonds run.
    pub fn diamonds(&self) -> u32 {
        self.rounds * PER_ROUND
    }

    fn length(&self) -> Duration {
        Duration::from_secs(self.lease.into())
    }

    /// The two operators.
    pub fn operators(&self, place: &Standalone) -> Result<Vec<Kept>> {
        let flags = [format!("--lease-duration={}s", self.lease), format!("--request-timeout={}s", self.lease * 2 / 3)];
        ["prove-1", "prove-2"].iter().map(|name| Kept::start(place, name, &flags)).collect()
    }
}

/// Stops the leader again and again, in mid-run.
pub fn disturb(args: &LeaderArgs, world: &mut World, chance: &mut Chance) -> Result<Vec<String>> {
    let (mut slowest, mut stayed) = (Duration::ZERO, 0);
    let begun = Instant::now();
    for round in 1..=args.rounds {
        world.start_until(round * PER_ROUND)?;
        sleep(chance.time_below(PAUSE));
        world.look()?;
        let leader = until_despite_errors("a leader", START, || leader(world))?;
        let flying = world.in_flight()?;
        let stopped = stop(args, world, leader)?;
        slowest = slowest.max(stopped.taken_over);
        stayed += u32::from(!stopped.stepped_down);
        println!(
            "stop {round:>2} of {} at {:>7}: {} for {}, with {flying} runs in flight; the other led after {}",
            args.rounds,
            seconds(begun.elapsed()),
            stopped.identity,
            seconds(args.length() * 3),
            seconds(stopped.taken_over),
        );
    }
    if stayed > 0 {
        world.misses.push(format!("{stayed} leaders did not end when they were let go"));
    }
    Ok(vec![format!(
        "{} stops of {} each, three lengths of the Lease; the other operator led after {} at most. Each time the one that \
         was stopped ended when it was let go, and was started again.",
        args.rounds,
        seconds(args.length() * 3),
        seconds(slowest)
    )])
}

struct Stopped {
    identity: String,
    taken_over: Duration,
    stepped_down: bool,
}

fn stop(args: &LeaderArgs, world: &mut World, leader: usize) -> Result<Stopped> {
    let begun = Instant::now();
    world.operator(leader)?.pause()?;
    until_despite_errors(
        "another leader",
        args.length() * 3,
        || Ok(self::leader(world)?.filter(|now| *now != leader)),
    )?;
    let taken_over = begun.elapsed();
    until("the time is over", args.length() * 4, || Ok((begun.elapsed() >= args.length() * 3).then_some(())))?;
    let operator = world.operator(leader)?;
    operator.go_on()?;
    let stepped_down = operator.end(args.length()).is_ok();
    if !stepped_down {
        operator.kill()?;
    }
    operator.start_again()?;
    Ok(Stopped { identity: operator.identity().to_owned(), taken_over, stepped_down })
}

/// Which of the operators has the Lease.
fn leader(world: &World) -> Result<Option<usize>> {
    let lease = world.scene.cluster.get(&["-n", hearth_e2e::OPERATOR_NAMESPACE, "lease", LEASE])?;
    let lease = lease.context("there is no Lease")?;
    let holder = text(&lease, "/spec/holderIdentity");
    Ok(world.operators.iter().position(|operator| operator.identity() == holder))
}
