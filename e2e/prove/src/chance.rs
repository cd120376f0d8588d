//! Chance by a seed: the same moments again for the same seed.

use fastrand::Rng;
use std::time::Duration;

/// A source of chance.
#[derive(Debug)]
pub struct Chance(Rng);

impl Chance {
    /// The source of that seed.
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Another source, which is as much the seed's as this one.
    pub fn part(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// A time that is shorter than this one.
    pub fn time_below(&mut self, limit: Duration) -> Duration {
        limit.mul_f64(self.0.f64())
    }

    /// A number in a range.
    pub fn number(&mut self, range: std::ops::Range<u32>) -> u32 {
        self.0.u32(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_moments() {
        let moments = |seed| {
            let mut chance = Chance::new(seed);
            let mut part = chance.part();
            (chance.time_below(Duration::from_secs(4)), part.number(0..1000), chance.number(0..1000))
        };
        assert_eq!(moments(7), moments(7));
        assert_ne!(moments(7), moments(8));
    }
}
