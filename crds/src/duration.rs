//! Durations as people write them: `90s`, `15m`, `2h`, `1h30m`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt, time::Duration};

/// A duration, kept as written; [`DurationText::parse`] gives its length.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DurationText(pub String);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write a number and a unit (ms, s, m, h, d), for example 90s, 15m, 2h or 1h30m")]
pub struct NotADuration(pub String);

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

impl DurationText {
    /// The length.
    ///
    /// # Errors
    /// The text is not a sequence of number and unit, or is longer than 10 years.
    pub fn parse(&self) -> Result<Duration, NotADuration> {
        parse_millis(&self.0).map(Duration::from_millis).ok_or_else(|| NotADuration(self.0.clone()))
    }
}

fn parse_millis(text: &str) -> Option<u64> {
    const TEN_YEARS: u64 = 10 * 366 * 86_400_000;
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at_checked(digits)?;
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at_checked(end)?;
        let factor = UNITS.iter().find(|(u, _)| *u == unit)?.1;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = next;
    }
    (total <= TEN_YEARS).then_some(total)
}

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 32, "pattern": "^([0-9]+(ms|s|m|h|d))+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, ms) in [
            ("90s", 90_000),
            ("15m", 900_000),
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1d", 86_400_000),
        ] {
            assert_eq!(DurationText(text.into()).parse(), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "5", "m", "5x", "-5s", "5 s", "99999999999999999999s", "5000000d", "1.5h"] {
            assert!(DurationText(text.into()).parse().is_err(), "{text}");
        }
    }
}
