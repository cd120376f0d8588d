//! The clocks: one that people read, and one that counts suspension.

use hearth_crds::time::Time;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Now, for statuses and rows.
pub(crate) fn now() -> Time {
    Time::new(jiff::Timestamp::now())
}

/// Time since boot, suspension included: what a lease is measured with, since a paused machine does not stop the others.
pub(crate) fn since_boot() -> Duration {
    let at = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(at.tv_sec).unwrap_or(0), u32::try_from(at.tv_nsec).unwrap_or(0))
}
