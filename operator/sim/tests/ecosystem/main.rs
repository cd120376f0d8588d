//! What the tools around us make of our conditions: every row of docs/argocd.md, from statuses that the planner wrote.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests document themselves, and fail by panicking"
)]

mod argocd;
mod kstatus;
mod situations;
