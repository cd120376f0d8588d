//! The HTTP front end over history and the cluster.
//!
//! [`serve`] is the API: TLS with our own CA, who asks by token or client certificate ([`authn`]), what they may see by
//! SubjectAccessReview ([`authz`]), and one way to the rows ([`gate`]). [`serve_plain`] is the port of probes and metrics.

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

pub mod authn;
pub mod authz;
pub mod ca;
pub mod certificate;
pub mod cluster;
pub mod cluster_ca;
pub mod cursor;
pub mod gate;
mod health;
pub mod identity;
mod keeper;
mod metrics;
pub mod openapi;
mod query;
mod refused;
mod router;
pub mod routes;
mod server;
#[cfg(test)]
mod slow;
mod source;
mod streams;
#[cfg(test)]
mod testing;
mod tls;
mod trend;
#[cfg(test)]
mod tunnel;
#[cfg(test)]
mod walk;

pub use health::{Health, PartState};
pub use hearth_wire::server_name;
pub use keeper::{Issued, KeeperError};
pub use metrics::ApiMetrics;
pub use refused::Refused;
pub use router::{Api, router};
pub use server::{ApiConfig, PodSide, ServeError, plain, serve, serve_plain};
pub use source::Source;
