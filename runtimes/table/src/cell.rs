//! One cell of a table.

use crate::{Kind, moment};
use std::borrow::Cow;

/// One cell of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number, perhaps NaN or infinite.
    Number(f64),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00 of an unknown zone.
    DateTime(i64),
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
    /// Text that is nothing else.
    Text(&'a str),
    /// A string of a format that has types of its own but no dates: it may be one.
    Quoted(&'a str),
    /// Text of a format without types: it may be anything.
    Raw(&'a str),
}

impl<'a> Cell<'a> {
    /// The cell by its content: neither [`Cell::Raw`] nor [`Cell::Quoted`].
    ///
    /// Raw text is a number, a boolean or says when, if it reads as such without surrounding blanks. Whole numbers with
    /// leading zeros, and those beyond 64 bits, stay text: they are names, and would be changed.
    #[must_use]
    pub fn typed(self) -> Self {
        match self {
            Self::Raw(text) => typed(text.trim_ascii()).unwrap_or(Self::Text(text)),
            Self::Quoted(text) => moment::parse(text).unwrap_or(Self::Text(text)),
            other => other,
        }
    }

    /// The type of a typed cell; raw and quoted ones are strings.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Null,
            Self::Boolean(_) => Kind::Boolean,
            Self::Integer(_) => Kind::Integer,
            Self::Number(_) => Kind::Number,
            Self::Date(_) => Kind::Date,
            Self::DateTime(_) => Kind::DateTime,
            Self::Timestamp(_) => Kind::Timestamp,
            Self::Text(_) | Self::Quoted(_) | Self::Raw(_) => Kind::String,
        }
    }

    /// The cell as text: raw text as it stands.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        Cow::Owned(match self {
            Self::Text(text) | Self::Quoted(text) | Self::Raw(text) => return Cow::Borrowed(text),
            Self::Null => return Cow::Borrowed(""),
            Self::Boolean(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => number_text(*value),
            Self::Date(days) => moment::date_text(*days),
            Self::DateTime(micros) => moment::datetime_text(*micros),
            Self::Timestamp(micros) => moment::timestamp_text(*micros),
        })
    }
}

/// The shortest text that reads back as the same number; large and small ones with an exponent.
pub(crate) fn number_text(value: f64) -> String {
    format!("{value:?}")
}

fn typed(text: &str) -> Option<Cell<'static>> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'0'..=b'9' => {
            if bytes.get(4) == Some(&b'-') && bytes.len() >= 10 {
                return moment::parse(text);
            }
            number(text)
        }
        b'-' | b'+' | b'.' => number(text),
        b'n' | b'N' | b'i' | b'I' => text.parse().ok().map(Cell::Number),
        b't' | b'T' => text.eq_ignore_ascii_case("true").then_some(Cell::Boolean(true)),
        b'f' | b'F' => text.eq_ignore_ascii_case("false").then_some(Cell::Boolean(false)),
        _ => None,
    }
}

fn number(text: &str) -> Option<Cell<'static>> {
    let bytes = text.as_bytes();
    let digits = match bytes {
        [b'-' | b'+', rest @ ..] => rest,
        all => all,
    };
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return text.parse().ok().map(Cell::Number);
        }
        match value.checked_mul(10).and_then(|value| value.checked_add(i64::from(digit))) {
            Some(next) => value = next,
            None if digits.iter().all(u8::is_ascii_digit) => return None,
            None => return text.parse().ok().map(Cell::Number),
        }
    }
    match digits {
        [] | [b'0', _, ..] => None,
        _ => Some(Cell::Integer(if bytes.first() == Some(&b'-') { -value } else { value })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_text_is_what_it_reads_as() {
        for (text, cell) in [
            ("12", Cell::Integer(12)),
            (" -7 ", Cell::Integer(-7)),
            ("+5", Cell::Integer(5)),
            ("0", Cell::Integer(0)),
            ("9223372036854775807", Cell::Integer(i64::MAX)),
            ("1.5", Cell::Number(1.5)),
            (".5", Cell::Number(0.5)),
            ("0.5", Cell::Number(0.5)),
            ("-1e-3", Cell::Number(-0.001)),
            ("12345678901234567890.5", Cell::Number(12_345_678_901_234_567_890.5)),
            ("inf", Cell::Number(f64::INFINITY)),
            ("-Infinity", Cell::Number(f64::NEG_INFINITY)),
            ("True", Cell::Boolean(true)),
            ("false", Cell::Boolean(false)),
            ("1958-03-29", Cell::Date(-4296)),
        ] {
            assert_eq!(Cell::Raw(text).typed(), cell, "{text}");
        }
        assert!(matches!(Cell::Raw("NaN").typed(), Cell::Number(n) if n.is_nan()));
        for text in
            ["007", "9223372036854775808", "-", "+", ".", "1e", "1 2", "0x1f", "nano", "trueish", "1958-3-29", "é"]
        {
            assert_eq!(Cell::Raw(text).typed(), Cell::Text(text), "{text}");
        }
        assert_eq!(Cell::Quoted("12").typed(), Cell::Text("12"));
        assert_eq!(Cell::Quoted("1970-01-01").typed(), Cell::Date(0));
    }

    #[test]
    fn text_reads_back() {
        for value in [0.1, 1e300, -1e-300, 3.0, f64::MIN_POSITIVE] {
            assert_eq!(number_text(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(number_text(1e-300), "1e-300");
        assert_eq!(Cell::Raw(" 7").text(), " 7");
    }
}
