//! Watches that lie for a while: a proxy between operator and API server drops, repeats and delays their events.

use crate::{Common, chance::Chance, proxy::Proxy, world::World};
use anyhow::Result;
use clap::Args;

/// Of how many runs.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Diamonds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub diamonds: u32,
    #[command(flatten)]
    pub common: Common,
}

/// Puts the proxy before the operator until all runs are over.
pub fn disturb(args: &WatchArgs, world: &mut World, chance: &mut Chance) -> Result<Vec<String>> {
    let operator = world.operator(0)?;
    let straight = operator.kubeconfig().to_owned();
    let proxy = Proxy::start(&straight, chance.part())?;
    operator.stop()?;
    operator.move_to(proxy.kubeconfig());
    operator.start_again()?;
    world.start_all(args.diamonds, args.common.at_once)?;
    world.settle();
    let operator = world.operator(0)?;
    operator.stop()?;
    operator.move_to(&straight);
    operator.start_again()?;
    Ok(vec![proxy.counts().to_string()])
}
