//! Measures the operator beside Argo Workflows' controller, which makes the same pods.

use clap::Parser;
use hearth_bench::{
    contest::{self, Contest},
    measure::{Place, measure},
};
use std::process::ExitCode;

/// Measures the operator beside Argo Workflows' controller, which makes the same pods.
#[derive(Debug, Parser)]
#[command(name = "bench-argo")]
struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    contest: Contest,
}

fn main() -> ExitCode {
    let args = Args::parse();
    measure("bench-argo", &args.place, contest::run(&args.place, &args.contest))
}

#[cfg(test)]
mod tests {
    use super::Args;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        Args::command().debug_assert();
    }
}
