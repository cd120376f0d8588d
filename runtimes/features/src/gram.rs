//! Savitzky–Golay: least squares polynomials over moving windows.
//!
//! A. Savitzky, M. Golay, Analytical Chemistry 36 (1964) 1627–1639. The weights come from Gram polynomials, which are
//! orthogonal on the window and give those of the ends as well: P. Gorry, General least-squares smoothing and
//! differentiation by the convolution (Savitzky–Golay) method, Analytical Chemistry 62 (1990) 570–573.

use crate::{
    series::{Wrong, even},
    with::{Edges, SavitzkyGolay},
};

/// The smoothed value or derivative at each point.
///
/// # Errors
///
/// An uneven grid, or fewer points than a window has.
pub fn savitzky_golay(x: &[f64], y: &[f64], with: &SavitzkyGolay) -> Result<Vec<f64>, Wrong> {
    let h = even(x)?;
    if y.len() < with.window {
        return Err(Wrong::all(format!("{} rows are fewer than the window's {}", y.len(), with.window)));
    }
    let scale = h.powi(with.derivative as i32);
    let half = with.window / 2;
    let sum = |weights: &[f64], window: &[f64]| weights.iter().zip(window).map(|(w, y)| w * y).sum::<f64>() / scale;
    let end = |place: usize, window: &[f64]| match with.edges {
        Edges::Missing => f64::NAN,
        Edges::Fit => sum(&weights(half, with.degree, with.derivative, place as i64 - half as i64), window),
    };
    let middle = weights(half, with.degree, with.derivative, 0);
    let first = y.get(..with.window).unwrap_or_default();
    let last = y.get(y.len() - with.window..).unwrap_or_default();
    let mut smooth: Vec<f64> = (0..half).map(|place| end(place, first)).collect();
    smooth.extend(y.windows(with.window).map(|window| sum(&middle, window)));
    smooth.extend((half + 1..with.window).map(|place| end(place, last)));
    Ok(smooth)
}

/// The weights of a window of 2m + 1 points for the `derivative` of its polynomial at the point t, from −m to m.
fn weights(m: usize, degree: usize, derivative: usize, t: i64) -> Vec<f64> {
    let at = gram(t as f64, m as f64, degree, derivative);
    let point = |i: i64| {
        let values = gram(i as f64, m as f64, degree, 0);
        let term = |(k, (value, at)): (usize, (&f64, &f64))| norm(m as f64, k) * value * at;
        values.iter().zip(&at).enumerate().map(term).sum()
    };
    (-(m as i64)..=m as i64).map(point).collect()
}

/// (2k + 1) (2m)^(k) / (2m + k + 1)^(k + 1), with a^(b) = a (a − 1) … (a − b + 1).
fn norm(m: f64, k: usize) -> f64 {
    let falling = |a: f64, b: usize| (0..b).map(|j| a - j as f64).product::<f64>();
    (2 * k + 1) as f64 * falling(2.0 * m, k) / falling(2.0 * m + k as f64 + 1.0, k + 1)
}

/// The `derivative`-th derivatives of the Gram polynomials of degrees 0 to `degree` on 2m + 1 points, at i.
fn gram(i: f64, m: f64, degree: usize, derivative: usize) -> Vec<f64> {
    // The rows of the recursion: all derivatives of the two polynomials before.
    let mut before = vec![0.0; derivative + 1];
    let mut last = before.clone();
    if let Some(value) = last.first_mut() {
        *value = 1.0;
    }
    let wanted = |row: &[f64]| row.last().copied().unwrap_or(0.0);
    let mut found = vec![wanted(&last)];
    for k in 1..=degree {
        let k = k as f64;
        let below = k * (2.0 * m - k + 1.0);
        let (a, b) = ((4.0 * k - 2.0) / below, (k - 1.0) * (2.0 * m + k) / below);
        let lower = std::iter::once(0.0).chain(last.iter().copied());
        let next = |(s, ((value, lower), before)): (usize, ((&f64, f64), &f64))| {
            a * (i * value + s as f64 * lower) - b * before
        };
        let row: Vec<f64> = last.iter().zip(lower).zip(&before).enumerate().map(next).collect();
        found.push(wanted(&row));
        before = std::mem::replace(&mut last, row);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(window: usize, degree: usize, derivative: usize, edges: Edges) -> SavitzkyGolay {
        SavitzkyGolay { column: "u".into(), window, degree, derivative, edges, name: None }
    }

    #[test]
    fn weights_are_those_of_the_tables() {
        // Savitzky and Golay 1964, tables I and III: quadratic smoothing and first derivative over 5 points.
        let near = |found: Vec<f64>, expected: [f64; 5], over: f64| {
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b / over).abs() < 1e-14), "{found:?}");
        };
        near(weights(2, 2, 0, 0), [-3.0, 12.0, 17.0, 12.0, -3.0], 35.0);
        near(weights(2, 2, 1, 0), [-2.0, -1.0, 0.0, 1.0, 2.0], 10.0);
        near(weights(2, 2, 2, 0), [2.0, -1.0, -2.0, -1.0, 2.0], 7.0);
        // Gorry 1990, table I: the smoothed value at the first point.
        near(weights(2, 2, 0, -2), [31.0, 9.0, -3.0, -5.0, 3.0], 35.0);
    }

    #[test]
    fn polynomials_come_out_exactly_with_all_derivatives_and_at_the_ends() {
        let h = 0.25;
        let x: Vec<f64> = (0..30).map(|n| f64::from(n) * h - 3.0).collect();
        for degree in 0..=6 {
            let y: Vec<f64> = x.iter().map(|x| x.powi(degree as i32) - x).collect();
            for derivative in 0..=degree.max(1) {
                let found = savitzky_golay(&x, &y, &with(11, degree.max(1), derivative, Edges::Fit)).unwrap();
                let falling: f64 = (0..derivative).map(|j| degree as f64 - j as f64).product();
                for (x, found) in x.iter().zip(found) {
                    let power = if derivative > degree { 0.0 } else { x.powi(degree as i32 - derivative as i32) };
                    let line = [*x, 1.0].get(derivative).copied().unwrap_or(0.0);
                    let exact = falling * power - line;
                    assert!(
                        (found - exact).abs() < 1e-7 * exact.abs().max(1.0),
                        "{degree} {derivative} {x}: {found} {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn ends_and_gaps_may_be_missing() {
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let mut y = x.clone();
        let missing = |y: &[f64], edges| -> Vec<usize> {
            let found = savitzky_golay(&x, y, &with(5, 2, 0, edges)).unwrap();
            found.iter().enumerate().filter(|(_, value)| value.is_nan()).map(|(at, _)| at).collect()
        };
        assert_eq!(missing(&y, Edges::Missing), [0, 1, 10, 11]);
        y[6] = f64::NAN;
        assert_eq!(missing(&y, Edges::Fit), [4, 5, 6, 7, 8]);
    }

    #[test]
    fn uneven_grids_and_short_series_are_refused() {
        let wrong = savitzky_golay(&[0.0, 1.0, 3.0], &[0.0; 3], &with(3, 1, 0, Edges::Fit)).unwrap_err();
        assert!(wrong.what.ends_with("resample first"));
        let wrong = savitzky_golay(&[0.0, 1.0], &[0.0; 2], &with(3, 1, 0, Edges::Fit)).unwrap_err();
        assert_eq!(wrong.what, "2 rows are fewer than the window's 3");
    }
}
