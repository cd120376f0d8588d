//! Days and instants as numbers and as text.

use crate::Cell;
use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// The first day.
const EPOCH: Date = Date::constant(1970, 1, 1);

/// A cell that says when, if this text does: RFC 3339, also with a blank for the T and without a zone.
pub(crate) fn parse(text: &str) -> Option<Cell<'static>> {
    let bytes = text.as_bytes();
    if bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') || !bytes.first()?.is_ascii_digit() {
        return None;
    }
    match bytes.get(10) {
        None => text.parse().ok().and_then(days).map(Cell::Date),
        Some(b'T' | b' ') if bytes.iter().skip(11).any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-')) => {
            text.parse::<Timestamp>().ok().map(|at| Cell::Timestamp(at.as_microsecond()))
        }
        Some(b'T' | b' ') => text.parse().ok().and_then(micros).map(Cell::DateTime),
        Some(_) => None,
    }
}

fn days(date: Date) -> Option<i32> {
    date.since((jiff::Unit::Day, EPOCH)).ok().map(|span| span.get_days())
}

fn micros(at: DateTime) -> Option<i64> {
    TimeZone::UTC.to_timestamp(at).ok().map(Timestamp::as_microsecond)
}

/// A day as text.
pub(crate) fn date_text(days: i32) -> String {
    let date = jiff::Span::new().try_days(days).and_then(|span| EPOCH.checked_add(span));
    date.map_or_else(|_| format!("day {days}"), |date| date.to_string())
}

/// A day and a time as text.
pub(crate) fn datetime_text(micros: i64) -> String {
    let at = Timestamp::from_microsecond(micros);
    at.map_or_else(|_| format!("microsecond {micros}"), |at| TimeZone::UTC.to_datetime(at).to_string())
}

/// An instant as text.
pub(crate) fn timestamp_text(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| format!("microsecond {micros}"), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_instants_come_back_as_they_were() {
        assert_eq!(parse("1970-01-02"), Some(Cell::Date(1)));
        assert_eq!(parse("1969-12-31"), Some(Cell::Date(-1)));
        assert_eq!(parse("1970-01-01T00:00:01"), Some(Cell::DateTime(1_000_000)));
        assert_eq!(parse("1970-01-01 00:00"), Some(Cell::DateTime(0)));
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Some(Cell::Timestamp(0)));
        assert_eq!(parse("1970-01-01T00:00:00.25Z"), Some(Cell::Timestamp(250_000)));
        for text in ["1970-13-01", "1970-01-01x", "12-34-56", "1970-01-01T", "abcd-ef-gh"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(date_text(-1), "1969-12-31");
        assert_eq!(datetime_text(1_000_000), "1970-01-01T00:00:01");
        assert_eq!(timestamp_text(250_000), "1970-01-01T00:00:00.25Z");
    }
}
