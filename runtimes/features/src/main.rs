//! Computes columns from columns: derivatives, smoothing, lags, windows and regular grids.
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

mod difference;
mod fornberg;
mod gram;
mod lag;
mod operate;
mod resample;
mod rolling;
mod run;
mod series;
mod smooth;
mod spectral;
mod table;
mod whittaker;
mod with;

use std::process::ExitCode;

fn main() -> ExitCode {
    hearth_runtime::main::<run::Features>()
}
