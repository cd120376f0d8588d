//! Virtual time, and dice that always fall the same way for the same seed.

use hearth_crds::time::Time;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use std::time::Duration;

/// When every simulated world begins: 2026-01-05T08:00:00Z.
pub const BEGIN_MS: i64 = 1_767_600_000_000;

/// The time at which every simulated world begins.
#[must_use]
pub fn begin() -> Time {
    Time::from_millis(BEGIN_MS)
}

/// A time as Kubernetes keeps it in metadata: whole seconds.
#[must_use]
pub fn meta_time(at: Time) -> MetaTime {
    MetaTime(Timestamp::from_second(at.millis().div_euclid(1000)).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// A time of Kubernetes as ours.
#[must_use]
pub fn our_time(at: &MetaTime) -> Time {
    Time::new(at.0)
}

/// `t+1m5.2s`: how long after the world's begin.
#[must_use]
pub fn since_begin(at: Time) -> String {
    let ms = at.millis() - BEGIN_MS;
    if ms < 0 {
        return format!("t-{}ms", -ms);
    }
    let (minutes, rest) = (ms / 60_000, ms % 60_000);
    let seconds =
        if rest % 1000 == 0 { format!("{}s", rest / 1000) } else { format!("{}.{:03}s", rest / 1000, rest % 1000) };
    if minutes == 0 { format!("t+{seconds}") } else { format!("t+{minutes}m{seconds}") }
}

/// Seconds as a duration, for short texts.
#[must_use]
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A small generator of numbers (splitmix64): the order of things in a disordered world.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice with that seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        let n64 = u64::try_from(n).unwrap_or(u64::MAX);
        if n64 == 0 { 0 } else { usize::try_from(self.roll() % n64).unwrap_or(0) }
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}
