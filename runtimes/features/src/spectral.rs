//! Derivatives of periodic series by Fourier transform.

use crate::series::{Wrong, even};
use realfft::{RealFftPlanner, num_complex::Complex};

/// The `order`-th derivative: each mode k is multiplied by (i k)^order, k = 2π n / L with the period L of all points and the
/// distance to the first one again. For an even number of points the highest mode has no odd derivative on the grid.
/// L. N. Trefethen, Spectral Methods in MATLAB (2000), chapter 3. Modes above `cutoff` of the highest are left out.
///
/// # Errors
///
/// An uneven grid, or a missing value.
pub fn derivative(x: &[f64], y: &[f64], order: usize, cutoff: f64) -> Result<Vec<f64>, Wrong> {
    let h = even(x)?;
    if let Some(at) = y.iter().position(|y| !y.is_finite()) {
        return Err(Wrong {
            at,
            what: "a value is missing, which a Fourier transform can't bear: fill it first".into(),
        });
    }
    let n = y.len();
    let failed = |error: realfft::FftError| Wrong::all(format!("the Fourier transform failed: {error}"));
    let mut planner = RealFftPlanner::<f64>::new();
    let forward = planner.plan_fft_forward(n);
    let mut values = y.to_vec();
    let mut modes = forward.make_output_vec();
    forward.process(&mut values, &mut modes).map_err(failed)?;
    let highest = n as f64 / 2.0;
    for (number, mode) in modes.iter_mut().enumerate() {
        let number = number as f64;
        let wave = std::f64::consts::TAU * number / (n as f64 * h);
        let lost = number > cutoff * highest || (order % 2 == 1 && number == highest);
        *mode *= if lost { Complex::new(0.0, 0.0) } else { turned(order) * wave.powi(order as i32) / n as f64 };
    }
    // What the inverse of a real series has to have: the ends are real, but for rounding.
    for mode in modes.first_mut().into_iter() {
        mode.im = 0.0;
    }
    if n.is_multiple_of(2)
        && let Some(mode) = modes.last_mut()
    {
        mode.im = 0.0;
    }
    planner.plan_fft_inverse(n).process(&mut modes, &mut values).map_err(failed)?;
    Ok(values)
}

/// i to the power of the order.
fn turned(order: usize) -> Complex<f64> {
    match order % 4 {
        0 => Complex::new(1.0, 0.0),
        1 => Complex::new(0.0, 1.0),
        2 => Complex::new(-1.0, 0.0),
        _ => Complex::new(0.0, -1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn worst(found: &[f64], exact: impl Iterator<Item = f64>) -> f64 {
        found.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn smooth_periodic_series_have_exact_derivatives() {
        // exp(sin x): the error falls faster than any power of the distance; 64 points are enough for rounding.
        for n in [64, 65] {
            let x: Vec<f64> = (0..n).map(|i| TAU * f64::from(i) / f64::from(n)).collect();
            let y: Vec<f64> = x.iter().map(|x| x.sin().exp()).collect();
            let first = derivative(&x, &y, 1, 1.0).unwrap();
            assert!(worst(&first, x.iter().map(|x| x.cos() * x.sin().exp())) < 1e-12);
            let second = derivative(&x, &y, 2, 1.0).unwrap();
            assert!(worst(&second, x.iter().map(|x| (x.cos().powi(2) - x.sin()) * x.sin().exp())) < 1e-10);
        }
    }

    #[test]
    fn other_periods_and_higher_orders() {
        let x: Vec<f64> = (0..32).map(|i| f64::from(i) * 0.5 + 3.0).collect();
        let wave = TAU / 16.0;
        let y: Vec<f64> = x.iter().map(|x| (wave * x).sin()).collect();
        for order in 0..=8 {
            let quarter = TAU / 4.0 * f64::from(order);
            let exact = x.iter().map(|x| wave.powi(order) * (wave * x + quarter).sin());
            assert!(worst(&derivative(&x, &y, order as usize, 1.0).unwrap(), exact) < 1e-9, "{order}");
        }
    }

    #[test]
    fn the_cutoff_keeps_low_modes_alone() {
        let x: Vec<f64> = (0..64).map(f64::from).collect();
        let low = |x: &f64| (TAU * x / 64.0).sin();
        let y: Vec<f64> = x.iter().map(|x| low(x) + (TAU * x * 30.0 / 64.0).cos()).collect();
        assert!(worst(&derivative(&x, &y, 0, 0.5).unwrap(), x.iter().map(low)) < 1e-12);
        assert!(worst(&derivative(&x, &y, 0, 1.0).unwrap(), y.iter().copied()) < 1e-12);
    }

    #[test]
    fn gaps_are_refused() {
        assert_eq!(derivative(&[0.0, 1.0, 2.0], &[1.0, f64::NAN, 1.0], 1, 1.0).unwrap_err().at, 1);
        assert_eq!(derivative(&[0.0, 1.0, 3.0], &[1.0; 3], 1, 1.0).unwrap_err().at, 1);
    }
}
