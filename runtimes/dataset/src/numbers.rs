//! Figures of a stream of numbers.

use crate::{
    histogram::Histogram,
    profile::{NumberProfile, Quantile, Tenths},
};
use datasketches::tdigest::{TDigest, TDigestMut};
use hearth_runtime::Failure;

/// The quantiles of a profile.
const QUANTILES: [f64; 17] =
    [0.001, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 0.999];
/// The compression of the t-digest: ranks are off by less than 0.01, by far less at both ends.
const COMPRESSION: u16 = 200;
/// The least share of a bin that drift is measured with.
const SHARE_MIN: f64 = 0.05;

/// Figures of a stream of numbers, in memory that does not grow.
#[derive(Debug)]
pub struct Numbers {
    finite: u64,
    non_finite: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// The sum of squared differences from the mean.
    squares: f64,
    digest: TDigestMut,
    histogram: Histogram,
}

impl Numbers {
    /// Of nothing yet.
    ///
    /// # Errors
    ///
    /// 70: the t-digest's compression is out of range.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            finite: 0,
            non_finite: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            squares: 0.0,
            digest: TDigestMut::new(COMPRESSION).map_err(Failure::defect)?,
            histogram: Histogram::new(),
        })
    }

    /// Adds a number. Mean and squares by Welford's recurrence: B. P. Welford, Technometrics 4 (1962) 419–420.
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.non_finite += 1;
            return;
        }
        self.finite += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        let difference = value - self.mean;
        self.mean += difference / self.finite as f64;
        self.squares += difference * (value - self.mean);
        self.digest.update(value);
        self.histogram.add(value);
    }

    /// The figures; none without a finite number.
    ///
    /// # Errors
    ///
    /// 70: a rank is out of range.
    pub fn profile(self) -> Result<Option<NumberProfile>, Failure> {
        if self.finite == 0 {
            return Ok(None);
        }
        let digest = self.digest.freeze();
        let values = digest.quantiles(&QUANTILES).map_err(Failure::defect)?.unwrap_or_default();
        let quantiles = QUANTILES.iter().zip(values).map(|(p, value)| Quantile { p: *p, value }).collect();
        Ok(Some(NumberProfile {
            finite: self.finite,
            non_finite: self.non_finite,
            min: self.min,
            max: self.max,
            mean: self.mean,
            std: (self.finite > 1).then(|| (self.squares / (self.finite - 1) as f64).sqrt()),
            quantiles,
            histogram: self.histogram.profile(),
            tenths: tenths(&digest)?,
        }))
    }
}

/// The tenths, and the share of values in each bin between them. Values that are there often are several tenths at once,
/// and beside them a t-digest sees a few values that there are not: a bin with too small a share goes into the next one.
fn tenths(digest: &TDigest) -> Result<Tenths, Failure> {
    let ranks: Vec<f64> = (1..10).map(|tenth| f64::from(tenth) / 10.0).collect();
    let mut tenths = Tenths { edges: Vec::new(), shares: Vec::new() };
    let mut below = 0.0;
    for edge in digest.quantiles(&ranks).map_err(Failure::defect)?.unwrap_or_default() {
        // The rank of a value counts half of those that equal it, that of the next number all.
        let rank = digest.rank(edge.next_up()).map_err(Failure::defect)?.unwrap_or_default();
        if rank - below >= SHARE_MIN {
            tenths.edges.push(edge);
            tenths.shares.push(rank - below);
            below = rank;
        }
    }
    tenths.shares.push(1.0 - below);
    Ok(tenths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> NumberProfile {
        let mut numbers = Numbers::new().unwrap();
        values.into_iter().for_each(|value| numbers.add(value));
        numbers.profile().unwrap().unwrap()
    }

    #[test]
    fn figures_are_those_of_the_definition() {
        let found = of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0, f64::NAN, f64::INFINITY]);
        assert_eq!((found.finite, found.non_finite, found.min, found.max, found.mean), (8, 2, 2.0, 9.0, 5.0));
        assert!((found.std.unwrap() - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(of([1.0]).std, None);
        assert_eq!(Numbers::new().unwrap().profile().unwrap(), None);
    }

    #[test]
    fn the_deviation_survives_a_great_mean() {
        let found = of((0..1000).map(|n| 1e9 + f64::from(n % 2)));
        assert!((found.std.unwrap() - (0.25f64 * 1000.0 / 999.0).sqrt()).abs() < 1e-7, "{:?}", found.std);
    }

    #[test]
    fn quantiles_are_near() {
        // A permutation of 0..n: the quantile p is p · n.
        let n = 100_003_u64;
        let found = of((0..n).map(|i| (i * 7919 % n) as f64));
        for Quantile { p, value } in found.quantiles {
            let rank = value / n as f64;
            assert!((rank - p).abs() < 0.005, "{p}: {rank}");
        }
    }

    #[test]
    fn tenths_of_values_that_repeat_have_their_shares() {
        let found = of((0..1000).map(|n| f64::from(n % 10 / 5))).tenths;
        assert_eq!(found.edges, [0.0, 1.0]);
        for (share, expected) in found.shares.iter().zip([0.5, 0.5, 0.0]) {
            // Between two values that repeat a t-digest sees a slope: half of its largest centroid is beyond.
            assert!((share - expected).abs() < 0.03, "{:?}", found.shares);
        }
        let even = of((0..10_000).map(f64::from)).tenths;
        assert_eq!(even.edges.len(), 9);
        assert!(even.shares.iter().all(|share| (share - 0.1).abs() < 0.005), "{:?}", even.shares);
    }
}
