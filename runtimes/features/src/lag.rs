//! Values of other rows.

/// The value `by` rows before; below 0, after.
pub fn lag(y: &[f64], by: i64) -> Vec<f64> {
    let shift = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX).min(y.len());
    let missing = std::iter::repeat_n(f64::NAN, shift);
    if by > 0 {
        missing.chain(y.iter().copied()).take(y.len()).collect()
    } else {
        y.iter().copied().skip(shift).chain(missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_before_and_after() {
        let texts = |by| -> Vec<String> { lag(&[1.0, 2.0, 3.0], by).iter().map(f64::to_string).collect() };
        assert_eq!(texts(1), ["NaN", "1", "2"]);
        assert_eq!(texts(-2), ["3", "NaN", "NaN"]);
        assert_eq!(texts(i64::MIN), ["NaN", "NaN", "NaN"]);
    }
}
