//! hearth-step as real processes, against a real Recorder and a real store.

#![allow(missing_docs, reason = "tests document themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

mod command;
mod failing;
mod front;
#[allow(dead_code, reason = "its own tests use more of it")]
#[path = "../../../../operator/artifacts/tests/s3/gateway.rs"]
mod gateway;
mod harness;
#[path = "../../../../operator/recorder/tests/scene/mod.rs"]
mod scene;
mod storing;
