//! A series: values that depend on an index, and what may be wrong with one.

/// What is wrong with a series, and at which of its points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The point, from 0.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl Wrong {
    /// Of the series as a whole.
    pub fn all(what: String) -> Self {
        Self { at: 0, what }
    }
}

/// How far the distances of an even grid may be apart, relative to the distance: instants are rounded to microseconds.
const EVEN: f64 = 1e-6;

/// Whether the index rises from point to point and has no gap.
pub fn rises(x: &[f64]) -> Result<(), Wrong> {
    if let Some(at) = x.iter().position(|x| !x.is_finite()) {
        return Err(Wrong { at, what: "the index has no value".to_owned() });
    }
    match x.iter().zip(x.iter().skip(1)).position(|(a, b)| a >= b) {
        Some(at) => Err(Wrong { at: at + 1, what: "the index is not above that of the row before".to_owned() }),
        None => Ok(()),
    }
}

/// The distance of an even grid; what is wrong with an uneven one.
pub fn even(x: &[f64]) -> Result<f64, Wrong> {
    let (Some(first), Some(last)) = (x.first(), x.last()) else { return Ok(1.0) };
    let h = if x.len() > 1 { (last - first) / (x.len() - 1) as f64 } else { 1.0 };
    let distances = x.iter().zip(x.iter().skip(1)).map(|(a, b)| b - a);
    match distances.enumerate().find(|(_, distance)| (distance - h).abs() > EVEN * h) {
        Some((at, distance)) => Err(Wrong {
            at: at + 1,
            what: format!(
                "the index is {distance} above that of the row before, on an even grid it would be {h}: resample first"
            ),
        }),
        None => Ok(h),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_rises() {
        rises(&[0.0, 0.5, 7.0]).unwrap();
        assert_eq!(rises(&[0.0, 1.0, 1.0]).unwrap_err().at, 2);
        assert_eq!(rises(&[0.0, f64::NAN]).unwrap_err().what, "the index has no value");
    }

    #[test]
    fn an_even_grid_has_one_distance() {
        let tenths: Vec<f64> = (0..1000).map(|n| f64::from(n) * 0.1).collect();
        assert!((even(&tenths).unwrap() - 0.1).abs() < 1e-12);
        assert_eq!(even(&[0.0, 1.0, 2.5, 3.5]).unwrap_err().at, 1);
    }
}
