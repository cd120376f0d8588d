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
mod common;
mod endings;
mod examples;
mod hits;
mod items;
mod limits;
mod lineage;
mod pods;
mod records;
mod requests;
mod salvage;
mod statuses;
mod work;
