//! What other systems are told of runs, from the record: OpenLineage events and OpenTelemetry traces. Off by default.
//!
//! A run that a target has to be told of waits in the history store, where it was noted in the transaction that wrote the
//! run, and goes when the target took it: at least once, whatever restarts in between. What a target is told of the end of a
//! run is the same each time, ids included, so that it knows the second time for what it is. Targets do not wait for each other,
//! and no run waits for a target.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

mod deliver;
mod exporter;
mod metrics;
mod openlineage;
mod target;
mod told;
mod traces;

pub use deliver::{ConfigError, Endpoint};
pub use exporter::{Exporter, Pace};
pub use metrics::ExportMetrics;
pub use target::{OPENLINEAGE, OPENTELEMETRY, Targets};

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
