//! Measures the operator on fake nodes in the lab, beside a bare loop and beside Argo Workflows' controller.
//!
//! All sides take turns in one run, so that what else the machine does falls on all. Requests and their times come from
//! the API server's audit log.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::float_cmp, reason = "tests fail by panic")
)]

mod argo;
mod audit;
mod bare;
mod bench;
pub mod contest;
mod contest_report;
pub mod course;
mod gaps;
mod idle;
pub mod measure;
mod report;
mod seen;
mod shape;
mod tally;
