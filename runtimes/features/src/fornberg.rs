//! Weights of finite differences on any points.

/// The weights by which values at the points `x` add up to the `order`-th derivative at `at`.
///
/// The recursion of B. Fornberg, Generation of finite difference formulas on arbitrarily spaced grids, Mathematics of
/// Computation 51 (1988) 699–706. With n points it is exact for polynomials of a degree below n. `x` has to have more than
/// `order` points, no two alike.
pub fn weights(at: f64, x: &[f64], order: usize) -> Vec<f64> {
    // c[k] are the weights of the k-th derivative over the points so far.
    let mut c = vec![vec![0.0; x.len()]; order + 1];
    set(&mut c, 0, 0, 1.0);
    let mut c1 = 1.0;
    let mut c4 = x.first().copied().unwrap_or(at) - at;
    for (i, xi) in x.iter().enumerate().skip(1) {
        let most = i.min(order);
        let (mut c2, c5) = (1.0, c4);
        c4 = xi - at;
        for (j, xj) in x.iter().enumerate().take(i) {
            let c3 = xi - xj;
            c2 *= c3;
            if j + 1 == i {
                for k in (1..=most).rev() {
                    let value = c1 * (k as f64 * get(&c, k - 1, j) - c5 * get(&c, k, j)) / c2;
                    set(&mut c, k, i, value);
                }
                let value = -c1 * c5 * get(&c, 0, j) / c2;
                set(&mut c, 0, i, value);
            }
            for k in (1..=most).rev() {
                let value = (c4 * get(&c, k, j) - k as f64 * get(&c, k - 1, j)) / c3;
                set(&mut c, k, j, value);
            }
            let value = c4 * get(&c, 0, j) / c3;
            set(&mut c, 0, j, value);
        }
        c1 = c2;
    }
    c.pop().unwrap_or_default()
}

fn get(c: &[Vec<f64>], k: usize, j: usize) -> f64 {
    c.get(k).and_then(|row| row.get(j)).copied().unwrap_or(0.0)
}

fn set(c: &mut [Vec<f64>], k: usize, j: usize, value: f64) {
    if let Some(place) = c.get_mut(k).and_then(|row| row.get_mut(j)) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{found:?} for {expected:?}");
        }
    }

    #[test]
    fn they_are_those_of_the_tables() {
        // Tables 1 and 3 of the paper.
        near(&weights(0.0, &[-1.0, 0.0, 1.0], 1), &[-0.5, 0.0, 0.5]);
        near(&weights(0.0, &[-1.0, 0.0, 1.0], 2), &[1.0, -2.0, 1.0]);
        near(&weights(0.0, &[-2.0, -1.0, 0.0, 1.0, 2.0], 1), &[1.0 / 12.0, -2.0 / 3.0, 0.0, 2.0 / 3.0, -1.0 / 12.0]);
        near(&weights(0.0, &[-2.0, -1.0, 0.0, 1.0, 2.0], 4), &[1.0, -4.0, 6.0, -4.0, 1.0]);
        near(&weights(0.0, &[0.0, 1.0, 2.0], 1), &[-1.5, 2.0, -0.5]);
        near(&weights(0.0, &[0.0, 1.0, 2.0, 3.0], 2), &[2.0, -5.0, 4.0, -1.0]);
        near(&weights(0.25, &[0.0, 1.0], 0), &[0.75, 0.25]);
    }

    #[test]
    fn polynomials_come_out_exactly_on_uneven_points() {
        let x = [0.0, 0.3, 1.0, 1.1, 2.0];
        let at = 0.7;
        let sum = |order: usize| weights(at, &x, order).iter().zip(x).map(|(w, x)| w * x.powi(4)).sum::<f64>();
        for (order, exact) in [(0, at.powi(4)), (1, 4.0 * at.powi(3)), (2, 12.0 * at * at), (3, 24.0 * at), (4, 24.0)] {
            assert!((sum(order) - exact).abs() < 1e-10, "{order}");
        }
    }
}
