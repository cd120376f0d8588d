//! Derivatives by finite differences.

use crate::{
    fornberg::weights,
    series::{Wrong, even},
};

/// The `order`-th derivative of y by x, with an error that falls as the distance of points to the power of `accuracy`.
///
/// Each point has the stencil of nearest points around it, at the ends the first or last ones. On any grid n points give
/// accuracy n − `order`; on an even one a stencil with its point in the middle gives one order more when that is of use
/// (B. Fornberg 1988, see [`weights`]), so it is shorter there.
///
/// # Errors
///
/// Too few points.
pub fn derivative(x: &[f64], y: &[f64], order: usize, accuracy: usize) -> Result<Vec<f64>, Wrong> {
    let any = order + accuracy;
    let middle = if even(x).is_ok() {
        2 * order.div_ceil(2) - 1 + accuracy.next_multiple_of(2)
    } else {
        // A stencil has a middle when its points are odd in number.
        any | 1
    };
    let ends = any.max(middle);
    if x.len() < ends {
        return Err(Wrong::all(format!(
            "{} rows are too few for derivative {order} of accuracy {accuracy}, which needs {ends}",
            x.len()
        )));
    }
    let half = middle / 2;
    let at = |(i, here): (usize, &f64)| {
        let (from, to) = if i < half {
            (0, ends)
        } else if i + half >= x.len() {
            (x.len() - ends, x.len())
        } else {
            (i - half, i + half + 1)
        };
        let points = x.get(from..to).unwrap_or_default();
        let values = y.get(from..to).unwrap_or_default();
        weights(*here, points, order).iter().zip(values).map(|(weight, value)| weight * value).sum()
    };
    Ok(x.iter().enumerate().map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The greatest error of a derivative of sin(3x) on n points of this grid.
    fn error(n: usize, order: usize, accuracy: usize, grid: impl Fn(f64) -> f64) -> f64 {
        let x: Vec<f64> = (0..n).map(|i| grid(i as f64 / (n - 1) as f64)).collect();
        let y: Vec<f64> = x.iter().map(|x| (3.0 * x).sin()).collect();
        let found = derivative(&x, &y, order, accuracy).unwrap();
        let quarter = std::f64::consts::FRAC_PI_2 * order as f64;
        let exact = x.iter().map(|x| 3f64.powi(order as i32) * (3.0 * x + quarter).sin());
        found.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn the_error_falls_as_it_should_on_even_and_uneven_grids() {
        let grids: [fn(f64) -> f64; 2] = [|s| s, |s| s + 0.2 * (2.0 * s).sin()];
        for grid in grids {
            for order in 1..=4 {
                for accuracy in [1, 2, 3, 4, 6] {
                    // Where errors are small, coarser grids keep them above rounding.
                    let n = if order + accuracy < 8 { 40 } else { 20 };
                    let (coarse, fine) = (error(n + 1, order, accuracy, grid), error(2 * n + 1, order, accuracy, grid));
                    let fall = (coarse / fine).log2();
                    assert!(fall > accuracy as f64 - 0.5, "{order}, {accuracy}: {coarse} {fine} {fall}");
                }
            }
        }
    }

    #[test]
    fn even_grids_have_the_short_stencils() {
        let x = [0.0, 1.0, 2.0, 3.0, 4.0];
        let mut y = [0.0; 5];
        y[4] = 1.0;
        // [1 −2 1] in the middle, [−1 4 −5 2] at the end.
        assert_eq!(derivative(&x, &y, 2, 2).unwrap()[1..], [0.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn what_is_missing_stays_missing_where_it_is_needed() {
        let x: Vec<f64> = (0..8).map(f64::from).collect();
        let mut y = x.clone();
        y[3] = f64::NAN;
        let missing: Vec<bool> = derivative(&x, &y, 1, 2).unwrap().iter().map(|d| d.is_nan()).collect();
        assert_eq!(missing, [false, false, true, true, true, false, false, false]);
        let few = derivative(&x[..2], &y[..2], 1, 2).unwrap_err();
        assert_eq!(few.what, "2 rows are too few for derivative 1 of accuracy 2, which needs 3");
    }
}
