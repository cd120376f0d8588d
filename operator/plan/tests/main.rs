//! The suites, in one program: linking is most of what a small one costs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests document themselves, and fail by panicking"
)]

mod attempts;
mod checked;
mod checks;
mod common;
mod endings;
mod examples;
mod hits;
mod items;
mod large_runs;
mod limits;
mod lineage;
mod outcomes;
mod pods;
mod recorded_pods;
mod records;
mod requests;
mod run_objects;
mod runs;
mod salvage;
mod starting;
mod starts;
mod statuses;
mod unreadable;
mod work;
