//! Profiles a table in one pass and in bounded memory, holds it against expectations and converts it.
//!
//! What goes in and out, and the exit codes, are those of `runtimes/CONTRACT.md`; README.md says what `with:` has.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that fails shall fail loudly"
    )
)]

mod check;
mod column;
mod convert;
mod drift;
mod histogram;
mod numbers;
mod pass;
mod profile;
mod run;
mod texts;
mod unique;
mod with;

use std::process::ExitCode;

fn main() -> ExitCode {
    hearth_runtime::main::<run::Dataset>()
}
