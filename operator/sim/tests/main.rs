//! The suites, in one program: linking is most of what a small one costs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests document themselves, and fail by panicking"
)]

mod breakages;
mod cache;
mod common;
mod conformance;
mod ecosystem;
mod fan_outs;
mod faults;
mod large_dags;
mod leaves;
mod properties;
mod scenarios;
mod smoke;
