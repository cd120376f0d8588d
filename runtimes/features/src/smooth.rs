//! A mean weighted by a Gaussian of the distance.

/// Beyond so many standard deviations a weight is nothing: below 2e-8 of the greatest.
const REACH: f64 = 6.0;

/// The kernel smoother of E. Nadaraya (Theory of Probability and its Applications 9 (1964) 141–142) and G. Watson
/// (Sankhyā A 26 (1964) 359–372): the sum of w y over the sum of w, with w = exp(−(distance / sigma)² / 2), over values that
/// are there. Without one near, the result is missing.
pub fn gaussian(x: &[f64], y: &[f64], sigma: f64) -> Vec<f64> {
    let reach = REACH * sigma;
    let mut from = 0;
    x.iter()
        .map(|here| {
            from += x.iter().skip(from).take_while(|there| here - **there > reach).count();
            let near = x.iter().zip(y).skip(from).take_while(|(there, _)| **there - here <= reach);
            let (mut sum, mut weights) = (0.0, 0.0);
            for (there, value) in near.filter(|(_, value)| !value.is_nan()) {
                let weight = (-0.5 * ((there - here) / sigma).powi(2)).exp();
                sum += weight * value;
                weights += weight;
            }
            // 0 / 0 is NaN: missing.
            sum / weights
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_and_a_wave_is_damped_as_it_should() {
        let x: Vec<f64> = (0..400).map(|n| f64::from(n) * 0.05).collect();
        let line: Vec<f64> = x.iter().map(|x| 2.0 * x + 1.0).collect();
        let middle = 100..300;
        let found = gaussian(&x, &line, 0.3);
        assert!(middle.clone().all(|n| (found[n] - line[n]).abs() < 1e-7));
        // A Gaussian damps sin(k x) by exp(−(k sigma)² / 2).
        let wave: Vec<f64> = x.iter().map(|x| (2.0 * x).sin()).collect();
        let found = gaussian(&x, &wave, 0.3);
        let damping = (-0.5f64 * 0.6 * 0.6).exp();
        assert!(middle.clone().all(|n| (found[n] - damping * wave[n]).abs() < 1e-7));
    }

    #[test]
    fn gaps_are_filled_from_what_is_near() {
        let found = gaussian(&[0.0, 1.0, 2.0, 100.0], &[3.0, f64::NAN, 3.0, f64::NAN], 1.0);
        assert!(found[..3].iter().all(|value| (value - 3.0).abs() < 1e-12) && found[3].is_nan());
    }
}
