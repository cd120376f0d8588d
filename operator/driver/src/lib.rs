//! The only Kubernetes IO, written once and generic over [`hearth_plan::Kind`].
//!
//! A pass gathers what the caches show, asks the kind what to do, patches the status once, creates what the accepted
//! status intends, and hands the rows to the store. It makes no decision of its own and waits for nothing.
//! `protocol.md` says why each step stands where it stands.

#![cfg_attr(test, allow(missing_docs, reason = "tests document themselves"))]

mod actions;
mod calls;
pub mod client;
mod clock;
mod controller;
pub mod error;
#[cfg(feature = "failpoints")]
pub mod failpoint;
pub mod fate;
pub mod lease;
mod logs;
pub mod metrics;
mod owner;
mod park;
mod pods;
mod post;
mod reconcile;
mod records;
mod revisions;
pub mod scope;
mod shared;
mod sweep;
mod trust;
mod watch;
mod whole_logs;
mod work;
mod world;

#[cfg(test)]
mod tests;

pub use controller::run;
pub use error::{Class, Error};
pub use metrics::DriverMetrics;
pub use shared::{Settings, Shared, ToStore};
pub use whole_logs::WholeLog;
pub use work::Question;

/// Marks a place where a test build may stop the process. Nothing at all in a build without the feature.
macro_rules! stop_here {
    ($name:literal, $uid:expr) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::hit($name, $uid);
    };
}
pub(crate) use stop_here;
