//! A regular grid of the index.

use crate::series::Wrong;

/// The points of a grid from the first to at most the last of x.
///
/// # Errors
///
/// More than `most` points.
pub fn grid(x: &[f64], step: f64, most: usize) -> Result<Vec<f64>, Wrong> {
    let (Some(first), Some(last)) = (x.first(), x.last()) else { return Ok(Vec::new()) };
    // Rounding shall not lose a last point that lies on the grid.
    let steps = ((last - first) / step + 1e-9).floor();
    if steps >= most as f64 {
        return Err(Wrong::all(format!("steps of {step} from {first} to {last} are more rows than maxRows, {most}")));
    }
    Ok((0..=steps as usize).map(|point| first + point as f64 * step).collect())
}

/// The values on the lines between the points that are there; missing before the first and after the last.
pub fn linear(x: &[f64], y: &[f64], grid: &[f64]) -> Vec<f64> {
    let mut known = x.iter().zip(y).filter(|(_, value)| !value.is_nan()).peekable();
    let mut before: Option<(&f64, &f64)> = None;
    let tolerance = grid.get(1).zip(grid.first()).map_or(0.0, |(b, a)| 1e-9 * (b - a));
    grid.iter()
        .map(|at| {
            while let Some(next) = known.next_if(|(x, _)| **x <= *at + tolerance) {
                before = Some(next);
            }
            match (before, known.peek()) {
                (Some((x0, y0)), _) if (at - x0).abs() <= tolerance => *y0,
                (Some((x0, y0)), Some((x1, y1))) => y0 + (*y1 - y0) * (at - x0) / (*x1 - x0),
                _ => f64::NAN,
            }
        })
        .collect()
}

/// The means of the values from each point to before the next; missing where there is none.
pub fn mean(x: &[f64], y: &[f64], grid: &[f64], step: f64) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); grid.len()];
    let first = grid.first().copied().unwrap_or(0.0);
    for (x, y) in x.iter().zip(y).filter(|(_, y)| !y.is_nan()) {
        // As above: rounding shall not put a point of the grid into the bin before.
        let bin = ((x - first) / step + 1e-9).floor();
        if let Some((sum, count)) = sums.get_mut(bin as usize) {
            *sum += y;
            *count += 1.0;
        }
    }
    // 0 / 0 is NaN: missing.
    sums.into_iter().map(|(sum, count)| sum / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-9 || (a.is_nan() && b.is_nan()), "{found:?} for {expected:?}");
        }
    }

    #[test]
    fn lines_come_out_exactly_from_uneven_points_and_across_gaps() {
        let x = [0.0, 0.3, 1.0, 1.7, 3.05];
        let mut y = x.map(|x| 2.0 * x - 1.0);
        y[2] = f64::NAN;
        let points = grid(&x, 0.5, 100).unwrap();
        assert_eq!(points, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]);
        same(&linear(&x, &y, &points), &points.iter().map(|x| 2.0 * x - 1.0).collect::<Vec<_>>());
    }

    #[test]
    fn the_error_of_lines_falls_with_the_square() {
        let worst = |n: u32| {
            let x: Vec<f64> = (0..=n).map(|i| f64::from(i) / f64::from(n)).collect();
            let y: Vec<f64> = x.iter().map(|x| x.exp()).collect();
            let points = grid(&x, 1.0 / 997.0, 10_000).unwrap();
            let found = linear(&x, &y, &points);
            points.iter().zip(found).map(|(x, y)| (x.exp() - y).abs()).fold(0.0, f64::max)
        };
        assert!(((worst(20) / worst(40)).log2() - 2.0).abs() < 0.1);
    }

    #[test]
    fn nothing_is_made_up_beyond_the_ends() {
        let x = [0.0, 1.0, 2.0, 3.0];
        let y = [f64::NAN, 1.0, 2.0, f64::NAN];
        same(&linear(&x, &y, &grid(&x, 1.0, 9).unwrap()), &[f64::NAN, 1.0, 2.0, f64::NAN]);
    }

    #[test]
    fn bins_have_their_means() {
        let x = [0.0, 0.1, 0.2, 0.30000000000000004, 0.7];
        let points = grid(&x, 0.1, 9).unwrap();
        assert_eq!(points.len(), 8);
        let found = mean(&x, &[1.0, 2.0, f64::NAN, 4.0, 5.0], &points, 0.1);
        same(&found, &[1.0, 2.0, f64::NAN, 4.0, f64::NAN, f64::NAN, f64::NAN, 5.0]);
        same(&mean(&x, &[1.0, 3.0, 5.0, 7.0, 9.0], &grid(&x, 0.5, 9).unwrap(), 0.5), &[4.0, 9.0]);
    }

    #[test]
    fn a_grid_has_an_end() {
        assert!(grid(&[0.0, 1e9], 1e-3, 1000).unwrap_err().what.ends_with("more rows than maxRows, 1000"));
    }
}
