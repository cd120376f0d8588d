//! Measures the operator beside a bare loop that creates the same pods.

use clap::Parser;
use hearth_bench::{
    course::{self, Course},
    measure::{Place, measure},
};
use std::process::ExitCode;

/// Measures the operator beside a bare loop that creates the same pods.
#[derive(Debug, Parser)]
#[command(name = "bench-operator")]
struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    course: Course,
}

fn main() -> ExitCode {
    let args = Args::parse();
    measure("bench-operator", &args.place, course::run(&args.place, &args.course))
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
