//! What pods ask the operator while they run: the spec of their attempt, and URLs of the artifacts that it names.
//!
//! [`asker`] finds out which attempt asks: by the pod's token alone, and for as long as the pod runs. [`Service`] answers
//! that attempt, for what its own spec declares and nothing else. [`serve`] is the port that pods reach, for these calls
//! and for the artifact volume.

#![cfg_attr(
    test,
    allow(
        missing_docs,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

pub mod asker;
mod cluster;
mod refusal;
mod server;
mod service;
mod token;

pub use refusal::Refusal;
pub use server::{serve, server_config};
pub use service::Service;
