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
mod checks;
mod common;
mod endings;
mod examples;
mod hits;
mod items;
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
mod starts;
mod statuses;
mod work;
