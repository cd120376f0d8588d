//! How far the values of a column have moved since an earlier profile.

use crate::profile::ColumnProfile;
use hearth_table::Cell;
use std::collections::HashMap;

/// Shares below this are taken for this: the logarithm of nothing is infinite.
const LEAST: f64 = 1e-4;
/// How many frequent values are bins of their own.
const VALUES: usize = 10;

/// Counts the values of a column in the bins of an earlier profile.
#[derive(Debug)]
pub struct Drift {
    /// Which expectation, by its place in `with.expectations`.
    pub place: usize,
    /// The greatest index that is allowed.
    pub limit: f64,
    bins: Bins,
    /// The earlier share of each bin.
    expected: Vec<f64>,
    counts: Vec<u64>,
}

#[derive(Debug)]
enum Bins {
    /// Between these edges, for numbers.
    Edges(Vec<f64>),
    /// One for each of these and one for all others.
    Values(HashMap<String, usize>),
}

impl Drift {
    /// The bins of an earlier profile; an explanation when it has none.
    pub fn new(place: usize, limit: f64, earlier: &ColumnProfile) -> Result<Self, String> {
        let (bins, expected) = if let Some(numbers) = &earlier.numbers {
            (Bins::Edges(numbers.tenths.edges.clone()), numbers.tenths.shares.clone())
        } else if earlier.frequent.is_empty() {
            return Err(format!("the earlier profile of {:?} has neither numbers nor frequent values", earlier.name));
        } else {
            let all = earlier.values.values().map(|values| values.count).sum::<u64>().max(1) as f64;
            let top = earlier.frequent.iter().take(VALUES);
            let mut expected: Vec<f64> = top.clone().map(|one| one.count as f64 / all).collect();
            expected.push((1.0 - expected.iter().sum::<f64>()).max(0.0));
            (Bins::Values(top.enumerate().map(|(place, one)| (one.value.clone(), place)).collect()), expected)
        };
        let counts = vec![0; expected.len()];
        Ok(Self { place, limit, bins, expected, counts })
    }

    /// Counts a typed cell. NaN is in no bin, and neither is what has no value.
    pub fn add(&mut self, cell: Cell<'_>) {
        let place = match (&self.bins, cell) {
            (_, Cell::Null) => return,
            (Bins::Edges(edges), Cell::Integer(value)) => bin(edges, value as f64),
            (Bins::Edges(edges), Cell::Number(value)) if value.is_finite() => bin(edges, value),
            (Bins::Edges(_), _) => return,
            (Bins::Values(values), cell) => values.get(cell.text().as_ref()).copied().unwrap_or(values.len()),
        };
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// The population stability index: the sum over all bins of (a − e) · ln(a / e), with the shares a of now and e of
    /// the earlier profile; N. Siddiqi, Credit Risk Scorecards (2006), chapter 8. None without a value.
    #[must_use]
    pub fn psi(&self) -> Option<f64> {
        let all = self.counts.iter().sum::<u64>();
        if all == 0 {
            return None;
        }
        let bin = |(count, expected): (&u64, &f64)| {
            let (now, then) = ((*count as f64 / all as f64).max(LEAST), expected.max(LEAST));
            (now - then) * (now / then).ln()
        };
        Some(self.counts.iter().zip(&self.expected).map(bin).sum())
    }

    /// What does not hold.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        match self.psi() {
            None => Some("there is no value to compare".to_owned()),
            Some(psi) if psi > self.limit => {
                Some(format!("the population stability index is {psi:.4}, above {}", self.limit))
            }
            Some(_) => None,
        }
    }
}

fn bin(edges: &[f64], value: f64) -> usize {
    edges.partition_point(|edge| *edge < value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Column;

    fn profile<'a>(cells: impl Iterator<Item = Cell<'a>>) -> ColumnProfile {
        let mut column = Column::new("a".into(), Vec::new(), Vec::new()).unwrap();
        let mut rows = 0;
        for (row, cell) in (1..).zip(cells) {
            column.add(row, cell);
            rows = row;
        }
        column.profile(rows).unwrap().0
    }

    fn psi<'a>(earlier: &ColumnProfile, now: impl Iterator<Item = Cell<'a>>) -> f64 {
        let mut drift = Drift::new(0, 0.2, earlier).unwrap();
        now.for_each(|cell| drift.add(cell));
        drift.psi().unwrap()
    }

    #[test]
    fn the_same_has_not_moved_and_what_moved_has() {
        let numbers = |shift: f64| (0..10_000).map(move |n| Cell::Number(f64::from(n) / 1e4 + shift));
        let earlier = profile(numbers(0.0));
        assert!(psi(&earlier, numbers(0.0)) < 1e-3);
        // The lowest tenth is empty, the highest bin has two: 0.1 ln(0.1 / 1e-4) + 0.1 ln 2, and rounding.
        let moved = psi(&earlier, numbers(0.1));
        assert!((moved - (0.0999 * (0.1f64 / 1e-4).ln() + 0.1 * 2f64.ln())).abs() < 0.01, "{moved}");
    }

    #[test]
    fn words_drift_by_their_shares() {
        let words = |often: u64| (0..1000).map(move |n| Cell::Text(if n < often { "a" } else { "b" }));
        let earlier = profile(words(500));
        assert!(psi(&earlier, words(500)).abs() < 1e-9);
        let expected = 0.3 * (0.8f64 / 0.5).ln() - 0.3 * (0.2f64 / 0.5).ln();
        assert!((psi(&earlier, words(800)) - expected).abs() < 1e-9);
        let new = (0..1000).map(|_| Cell::Text("c"));
        assert!(psi(&earlier, new) > 5.0);
    }

    #[test]
    fn without_a_value_nothing_can_be_said() {
        let earlier = profile([Cell::Number(1.0)].into_iter());
        let drift = Drift::new(0, 0.2, &earlier).unwrap();
        assert_eq!(drift.broken().unwrap(), "there is no value to compare");
        let dates = profile([Cell::Date(1)].into_iter());
        assert!(Drift::new(0, 0.2, &dates).unwrap_err().contains("neither numbers nor frequent values"));
    }
}
