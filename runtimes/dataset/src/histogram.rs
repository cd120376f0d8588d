//! A histogram of a stream whose range is not known beforehand: exact counts in few bins of equal width.
//!
//! Bins are `[i · w, (i + 1) · w)` with w a power of two. When a value lies beyond the bins that fit, w doubles and
//! neighbours are added up, which changes no count. The outcome does not depend on the order of the values but for how
//! far the first bins were too narrow.

use crate::profile::HistogramProfile;

/// How many bins there are at most.
const BINS: usize = 64;
/// Bin numbers stay where every whole number is a floating-point number.
const NUMBER_MAX: f64 = 4_503_599_627_370_496.0;
/// The narrowest bins: 2 to this.
const NARROWEST: i32 = -1000;
/// The width of bins at first, below the magnitude of the first value: 2 to this.
const FINE: i32 = 40;

/// A histogram that widens.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// The width is 2 to this.
    exponent: i32,
    /// One over the width.
    inverse: f64,
    /// The number of the first bin.
    first: i64,
    counts: [u64; BINS],
    empty: bool,
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { exponent: NARROWEST, inverse: power(-NARROWEST), first: 0, counts: [0; BINS], empty: true }
    }

    /// Counts a finite value.
    pub fn add(&mut self, value: f64) {
        if !self.empty
            && let Some(count) = self.place(value).and_then(|place| self.counts.get_mut(place))
        {
            *count += 1;
            return;
        }
        self.make_room(value);
        if let Some(count) = self.place(value).and_then(|place| self.counts.get_mut(place)) {
            *count += 1;
        }
    }

    /// The bins from the first to the last that has a value.
    #[must_use]
    pub fn profile(&self) -> HistogramProfile {
        let used = || self.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(place, _)| place);
        let (from, to) = (used().next().unwrap_or(0), used().next_back().map_or(0, |last| last + 1));
        let width = power(self.exponent);
        let number = self.first + from as i64;
        let counts = self.counts.get(from..to).unwrap_or_default().to_vec();
        HistogramProfile { start: number as f64 * width, width, counts }
    }

    fn place(&self, value: f64) -> Option<usize> {
        let number = (value * self.inverse).floor();
        // Beyond this a conversion would saturate, and some far bin would count the value.
        if number.abs() >= NUMBER_MAX {
            return None;
        }
        usize::try_from(number as i64 - self.first).ok().filter(|place| *place < BINS)
    }

    /// Moves or widens the bins until one is for this value.
    fn make_room(&mut self, value: f64) {
        if self.empty {
            self.begin(value);
        }
        loop {
            let number = (value * self.inverse).floor();
            if number.abs() < NUMBER_MAX && self.cover(number as i64) {
                return;
            }
            self.widen();
        }
    }

    fn begin(&mut self, value: f64) {
        let magnitude = if value == 0.0 { NARROWEST } else { value.abs().log2().floor() as i32 };
        self.exponent = (magnitude - FINE).max(NARROWEST);
        self.inverse = power(-self.exponent);
        self.first = (value * self.inverse).floor() as i64 - BINS as i64 / 2;
        self.empty = false;
    }

    /// Moves the bins so that this one is among them; false when the used ones and it are too far apart.
    fn cover(&mut self, number: i64) -> bool {
        let used: Vec<(i64, u64)> = (self.first..).zip(self.counts).filter(|(_, count)| *count > 0).collect();
        let from = used.first().map_or(number, |(first, _)| number.min(*first));
        let to = used.last().map_or(number, |(last, _)| number.max(*last));
        let spare = BINS as i64 - (to - from + 1);
        if spare < 0 {
            return false;
        }
        self.first = from - spare / 2;
        self.counts = [0; BINS];
        for (number, count) in used {
            self.count(number, count);
        }
        true
    }

    fn widen(&mut self) {
        let old = self.counts;
        let first = self.first;
        self.exponent += 1;
        self.inverse = power(-self.exponent);
        // A shift rounds down, also below zero.
        self.first = first >> 1;
        self.counts = [0; BINS];
        for (number, count) in (first..).zip(old) {
            self.count(number >> 1, count);
        }
    }

    fn count(&mut self, number: i64, more: u64) {
        if let Some(count) = usize::try_from(number - self.first).ok().and_then(|place| self.counts.get_mut(place)) {
            *count += more;
        }
    }
}

/// A power of two; exact from −1074 on.
fn power(exponent: i32) -> f64 {
    2f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        prelude::*,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    fn of(values: &[f64]) -> HistogramProfile {
        let mut histogram = Histogram::new();
        values.iter().for_each(|value| histogram.add(*value));
        histogram.profile()
    }

    #[test]
    fn bins_are_as_wide_as_they_have_to_be() {
        assert_eq!(of(&[]).counts, Vec::<u64>::new());
        let all: Vec<f64> = (0..64).map(f64::from).collect();
        assert_eq!(of(&all), HistogramProfile { start: 0.0, width: 1.0, counts: vec![1; 64] });
        assert_eq!(of(&[-1.0, -0.5, 0.0, 63.0]).counts.iter().sum::<u64>(), 4);
        let wide = of(&[-1e308, 1e-308, 0.0, 1e308]);
        assert_eq!((wide.counts.iter().sum::<u64>(), wide.counts.len() <= 64), (4, true));
        assert_eq!(of(&[5e-324, f64::MAX, f64::MIN]).counts.iter().sum::<u64>(), 3);
        assert_eq!(of(&[0.0; 5]).counts, [5]);
    }

    #[test]
    fn every_value_is_counted_in_its_bin() {
        let seed = [13; 32];
        println!("seed {seed:?}");
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(256), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let value = prop_oneof![-100.0..100.0f64, -1e-9..1e-9f64, -1e200..1e200f64, Just(0.0)];
        runner
            .run(&proptest::collection::vec(value, 1..200), |values| {
                let found = of(&values);
                let mut counts = vec![0; found.counts.len()];
                for value in &values {
                    let place = ((value / found.width).floor() - (found.start / found.width)) as usize;
                    counts[place] += 1;
                }
                prop_assert_eq!(&found.counts, &counts);
                prop_assert!(found.counts.len() <= BINS);
                Ok(())
            })
            .unwrap();
    }
}
