//! Whittaker's smoother.
//!
//! E. Whittaker, Proceedings of the Edinburgh Mathematical Society 41 (1923) 63–75; P. Eilers, A perfect smoother, Analytical
//! Chemistry 75 (2003) 3631–3636. z is where the sum of w (y − z)² and of lambda (D z)² is least, with w 1 for values that are
//! there and 0 for others, and D the differences of some order: (W + lambda DᵀD) z = W y. On an uneven grid D are divided
//! differences, times the power of the mean distance that makes them plain differences on an even one.

use crate::{fornberg::weights, series::Wrong};

/// The smoothed series. Missing values are filled.
///
/// # Errors
///
/// Fewer values than `order` and one more.
pub fn whittaker(x: &[f64], y: &[f64], lambda: f64, order: usize) -> Result<Vec<f64>, Wrong> {
    let there = y.iter().filter(|y| !y.is_nan()).count();
    if there <= order {
        return Err(Wrong::all(format!("{there} values are too few for differences of order {order}")));
    }
    let (first, last) = (x.first().copied().unwrap_or(0.0), x.last().copied().unwrap_or(0.0));
    let unit = ((last - first) / (x.len() - 1) as f64).powi(order as i32);
    let mut matrix = Band::new(x.len(), order);
    for (row, points) in x.windows(order + 1).enumerate() {
        let first = points.first().copied().unwrap_or(0.0);
        let difference: Vec<f64> = weights(first, points, order).into_iter().map(|weight| weight * unit).collect();
        for (i, a) in difference.iter().enumerate() {
            for (j, b) in difference.iter().enumerate().take(i + 1) {
                matrix.add(row + i, row + j, lambda * a * b);
            }
        }
    }
    for (row, _) in y.iter().enumerate().filter(|(_, y)| !y.is_nan()) {
        matrix.add(row, row, 1.0);
    }
    Ok(matrix.solve(y.iter().map(|y| if y.is_nan() { 0.0 } else { *y }).collect()))
}

/// A symmetric positive definite matrix with few diagonals: the main one and those below.
struct Band {
    size: usize,
    /// How many diagonals are below the main one.
    below: usize,
    /// Row by row, the main diagonal first.
    values: Vec<f64>,
}

impl Band {
    fn new(size: usize, below: usize) -> Self {
        Self { size, below, values: vec![0.0; size * (below + 1)] }
    }

    fn place(&self, row: usize, column: usize) -> usize {
        row * (self.below + 1) + (row - column)
    }

    fn get(&self, row: usize, column: usize) -> f64 {
        self.values.get(self.place(row, column)).copied().unwrap_or(0.0)
    }

    fn set(&mut self, row: usize, column: usize, value: f64) {
        let place = self.place(row, column);
        if let Some(found) = self.values.get_mut(place) {
            *found = value;
        }
    }

    fn add(&mut self, row: usize, column: usize, value: f64) {
        self.set(row, column, self.get(row, column) + value);
    }

    /// Solves by Cholesky's factors L D Lᵀ; G. Golub, C. Van Loan, Matrix Computations, 4th edition (2013), section 4.3.5.
    fn solve(mut self, mut b: Vec<f64>) -> Vec<f64> {
        for i in 0..self.size {
            let from = i.saturating_sub(self.below);
            for j in from..i {
                let done: f64 = (from.max(j.saturating_sub(self.below))..j)
                    .map(|k| self.get(i, k) * self.get(j, k) * self.get(k, k))
                    .sum();
                self.set(i, j, (self.get(i, j) - done) / self.get(j, j));
            }
            let done: f64 = (from..i).map(|k| self.get(i, k).powi(2) * self.get(k, k)).sum();
            self.set(i, i, self.get(i, i) - done);
            let known: f64 = (from..i).map(|k| self.get(i, k) * value(&b, k)).sum();
            change(&mut b, i, |b| b - known);
        }
        for i in (0..self.size).rev() {
            let to = (i + self.below).min(self.size - 1);
            let known: f64 = (i + 1..=to).map(|k| self.get(k, i) * value(&b, k)).sum();
            let pivot = self.get(i, i);
            change(&mut b, i, |b| b / pivot - known);
        }
        b
    }
}

fn value(values: &[f64], at: usize) -> f64 {
    values.get(at).copied().unwrap_or(0.0)
}

fn change(values: &mut [f64], at: usize, by: impl FnOnce(f64) -> f64) {
    if let Some(value) = values.get_mut(at) {
        *value = by(*value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn polynomials_below_the_order_stay_on_any_grid_and_gaps_are_filled_with_them() {
        let x: Vec<f64> = (0..50).map(|n| f64::from(n) + 0.4 * f64::from(n).sin()).collect();
        for order in 1..=4 {
            let exact: Vec<f64> = x.iter().map(|x| (x / 10.0).powi(order as i32 - 1)).collect();
            let mut y = exact.clone();
            y[20..25].fill(f64::NAN);
            let found = whittaker(&x, &y, 10.0, order).unwrap();
            assert!(worst(&found, &exact) < 1e-6, "{order}: {}", worst(&found, &exact));
        }
    }

    #[test]
    fn the_solution_meets_its_equation() {
        let x: Vec<f64> = (0..40).map(f64::from).collect();
        let y: Vec<f64> = (0..40).map(|n: i32| f64::from(n * 37 % 17)).collect();
        let lambda = 5.0;
        let z = whittaker(&x, &y, lambda, 2).unwrap();
        // (I + lambda DᵀD) z = y with the differences 1 −2 1.
        let d = |i: usize| z[i] - 2.0 * z[i + 1] + z[i + 2];
        for i in 2..38 {
            let left = z[i] + lambda * (d(i) - 2.0 * d(i - 1) + d(i - 2));
            assert!((left - y[i]).abs() < 1e-9, "{i}");
        }
    }

    #[test]
    fn a_wave_is_damped_as_it_should() {
        // In the middle of a long series mode k is divided by 1 + lambda (2 − 2 cos k)^order.
        let x: Vec<f64> = (0..2000).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| (0.3 * x).sin()).collect();
        let found = whittaker(&x, &y, 50.0, 2).unwrap();
        let damping = 1.0 / (1.0 + 50.0 * (2.0 - 2.0 * 0.3f64.cos()).powi(2));
        assert!((900..1100).all(|n| (found[n] - damping * y[n]).abs() < 1e-9));
    }

    #[test]
    fn too_few_values_are_refused() {
        let wrong = whittaker(&[0.0, 1.0, 2.0], &[1.0, f64::NAN, 2.0], 1.0, 2).unwrap_err();
        assert_eq!(wrong.what, "2 values are too few for differences of order 2");
    }
}
