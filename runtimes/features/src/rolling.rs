//! Figures of moving windows.

use crate::with::{Align, Function, Rolling};
use std::collections::VecDeque;

/// The figure of each row's window; missing values are left out, and windows with fewer than `minCount` values have none.
pub fn rolling(y: &[f64], with: &Rolling) -> Vec<f64> {
    let least = with.min_count.unwrap_or(with.window);
    let mut figure = Figure::new(with.function, y);
    // How far the window reaches beyond its row.
    let ahead = match with.align {
        Align::Trailing => 0,
        Align::Centered => (with.window - 1) / 2,
    };
    let (mut entered, mut left) = (0, 0);
    (0..y.len())
        .map(|row| {
            let to = (row + ahead + 1).min(y.len());
            let from = (row + ahead + 1).saturating_sub(with.window).min(y.len());
            for (at, value) in y.iter().enumerate().take(to).skip(entered).filter(|(_, value)| !value.is_nan()) {
                figure.enter(at, *value);
            }
            entered = entered.max(to);
            for (at, value) in y.iter().enumerate().take(from).skip(left).filter(|(_, value)| !value.is_nan()) {
                figure.leave(at, *value);
            }
            left = left.max(from);
            if figure.count < least { f64::NAN } else { figure.value() }
        })
        .collect()
}

/// The figure of the values that are in the window.
struct Figure {
    count: usize,
    state: State,
}

enum State {
    /// Sums of differences from a value of the series: near zero, so that squares lose little.
    Sums { origin: f64, sum: Sum, squares: Sum, function: Function },
    /// Values that may still be the extreme, each beyond all that came after it: D. Lemire, Streaming maximum-minimum filter
    /// using no more than three comparisons per element, Nordic Journal of Computing 13 (2006) 328–339.
    Extreme { queue: VecDeque<(usize, f64)>, sign: f64 },
    /// The values in order.
    Sorted(Vec<f64>),
}

impl Figure {
    fn new(function: Function, y: &[f64]) -> Self {
        let state = match function {
            Function::Mean | Function::Std => {
                let known = || y.iter().filter(|value| value.is_finite());
                let origin = known().sum::<f64>() / known().count().max(1) as f64;
                State::Sums { origin, sum: Sum::default(), squares: Sum::default(), function }
            }
            Function::Min => State::Extreme { queue: VecDeque::new(), sign: 1.0 },
            Function::Max => State::Extreme { queue: VecDeque::new(), sign: -1.0 },
            Function::Median => State::Sorted(Vec::new()),
        };
        Self { count: 0, state }
    }

    fn enter(&mut self, at: usize, value: f64) {
        self.count += 1;
        match &mut self.state {
            State::Sums { origin, sum, squares, .. } => {
                sum.add(value - *origin);
                squares.add((value - *origin).powi(2));
            }
            State::Extreme { queue, sign } => {
                while queue.back().is_some_and(|(_, last)| (last - value) * *sign >= 0.0) {
                    queue.pop_back();
                }
                queue.push_back((at, value));
            }
            State::Sorted(values) => values.insert(values.partition_point(|other| *other < value), value),
        }
    }

    fn leave(&mut self, at: usize, value: f64) {
        self.count -= 1;
        match &mut self.state {
            State::Sums { origin, sum, squares, .. } => {
                sum.add(*origin - value);
                squares.add(-(value - *origin).powi(2));
            }
            State::Extreme { queue, .. } => {
                if queue.front().is_some_and(|(first, _)| *first == at) {
                    queue.pop_front();
                }
            }
            State::Sorted(values) => {
                let place = values.partition_point(|other| *other < value);
                if place < values.len() {
                    values.remove(place);
                }
            }
        }
    }

    fn value(&self) -> f64 {
        let count = self.count as f64;
        match &self.state {
            State::Sums { origin, sum, function: Function::Mean, .. } => origin + sum.value() / count,
            State::Sums { sum, squares, .. } => {
                // 0 / 0 for one value is NaN: missing. Rounding may leave less than nothing.
                let of_all = squares.value() - sum.value().powi(2) / count;
                if self.count == 1 { f64::NAN } else { (of_all.max(0.0) / (count - 1.0)).sqrt() }
            }
            State::Extreme { queue, .. } => queue.front().map_or(f64::NAN, |(_, value)| *value),
            State::Sorted(values) => {
                let (low, high) = (values.get((values.len() - 1) / 2), values.get(values.len() / 2));
                low.zip(high).map_or(f64::NAN, |(low, high)| low.midpoint(*high))
            }
        }
    }
}

/// A sum that keeps what rounding would lose, so that values which enter and leave cancel out: A. Neumaier, Zeitschrift für
/// Angewandte Mathematik und Mechanik 54 (1974) 39–51.
#[derive(Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
    }

    fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(window: usize, function: Function, align: Align, min_count: Option<usize>) -> Rolling {
        Rolling { column: "u".into(), window, function, align, min_count, name: None }
    }

    /// The figure by its definition.
    fn plain(values: &[f64], function: Function) -> f64 {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        match function {
            Function::Mean => mean,
            Function::Std => (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt(),
            Function::Min => values[0],
            Function::Max => values[values.len() - 1],
            Function::Median => (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0,
        }
    }

    #[test]
    fn every_window_has_the_figure_of_its_definition() {
        let mut state = 7_u64;
        println!("seed {state}");
        let y: Vec<f64> = (0..500)
            .map(|_| {
                // D. Knuth's MMIX generator.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                if state >> 61 == 0 { f64::NAN } else { 1e6 + (state >> 56) as f64 }
            })
            .collect();
        for function in [Function::Mean, Function::Std, Function::Min, Function::Max, Function::Median] {
            for (window, align) in
                [(1, Align::Trailing), (7, Align::Trailing), (7, Align::Centered), (8, Align::Centered)]
            {
                let found = rolling(&y, &with(window, function, align, Some(window.min(2))));
                for (row, found) in found.iter().enumerate() {
                    let end = row + 1 + if align == Align::Centered { (window - 1) / 2 } else { 0 };
                    let values = &y[end.saturating_sub(window)..end.min(y.len())];
                    let known = values.iter().filter(|value| !value.is_nan()).count();
                    if known < window.min(2) || (function == Function::Std && known < 2) {
                        assert!(found.is_nan(), "{function:?} {window} {row}");
                    } else {
                        let exact = plain(values, function);
                        assert!((found - exact).abs() < 1e-6, "{function:?} {window} {row}: {found} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn windows_that_are_not_full_have_none_by_default() {
        let y = [1.0, 2.0, 3.0, f64::NAN, 5.0];
        let missing = |align| -> Vec<bool> {
            rolling(&y, &with(3, Function::Mean, align, None)).iter().map(|value| value.is_nan()).collect()
        };
        assert_eq!(missing(Align::Trailing), [true, true, false, true, true]);
        assert_eq!(missing(Align::Centered), [true, false, true, true, true]);
        assert_eq!(rolling(&y[..2], &with(5, Function::Max, Align::Centered, Some(1))), [2.0, 2.0]);
    }
}
