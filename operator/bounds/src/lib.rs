//! Bounds on what strangers can make the operator keep and do.

#![cfg_attr(test, allow(missing_docs, clippy::unwrap_used, reason = "tests fail by panic"))]

mod cache;
mod limit;
mod listen;

pub use cache::Cache;
pub use limit::Limiter;
pub use listen::Port;
