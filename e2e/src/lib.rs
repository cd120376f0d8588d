//! What tests, proofs and measurements on a real cluster have in common: the cluster, namespaces, waiting, rows, and what to print
//! when something is not as it should be.
//!
//! A test gets a namespace of its own that enforces Pod Security `restricted`, applies YAML, waits for conditions,
//! and compares the status with the rows that Postgres holds and that the API gives.

#![expect(clippy::indexing_slicing, reason = "indexing JSON gives null, and a test may fail by panic")]

pub mod audit;
pub mod cluster;
pub mod collector;
pub mod diamond;
pub mod document;
pub mod lab;
pub mod ledger;
pub mod machine;
pub mod operator;
pub mod plugin;
pub mod process;
pub mod rows;
pub mod scene;
pub mod standalone;
pub mod status;
pub mod store;
pub mod wait;

pub use cluster::Cluster;
pub use scene::{Scene, scene};
pub use wait::until;

use std::time::Duration;

/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "hearth-system";
/// How long a run of a few small pods may take on two busy cores.
pub const A_RUN: Duration = Duration::from_secs(180);
/// How long the operator may take to say something that needs no pod.
pub const A_WORD: Duration = Duration::from_secs(60);
