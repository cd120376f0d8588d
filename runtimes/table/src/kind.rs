//! The types of columns, and how a column's type follows from its cells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The type of a column or of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// No cell has a value.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A floating-point number of 64 bits.
    Number,
    /// A day: `1958-03-29`.
    Date,
    /// A day and a time without a zone: `1958-03-29T12:00:00`.
    DateTime,
    /// An instant: `1958-03-29T12:00:00Z`.
    Timestamp,
    /// Text.
    String,
}

impl Kind {
    /// All that a cell can be.
    const CELLS: [Self; 7] =
        [Self::Boolean, Self::Integer, Self::Number, Self::Date, Self::DateTime, Self::Timestamp, Self::String];

    /// Whether cells of this type are quantities.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }

    /// Whether cells of this type say when.
    #[must_use]
    pub fn is_time(self) -> bool {
        matches!(self, Self::Date | Self::DateTime | Self::Timestamp)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Timestamp => "timestamp",
            Self::String => "string",
        })
    }
}

/// A set of types: those that the cells of a column have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Adds a type.
    pub fn insert(&mut self, kind: Kind) {
        self.0 |= bit(kind);
    }

    /// Whether this type was seen.
    #[must_use]
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// The types that were seen.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::CELLS.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// The narrowest type that all cells fit: integers are numbers, days are days and times, and all else is text.
    #[must_use]
    pub fn column(self) -> Kind {
        let only = |kinds: &[Kind]| self.iter().all(|kind| kinds.contains(&kind));
        if self.0 == 0 {
            return Kind::Null;
        }
        let candidates: [(Kind, &[Kind]); 6] = [
            (Kind::Boolean, &[Kind::Boolean]),
            (Kind::Integer, &[Kind::Integer]),
            (Kind::Number, &[Kind::Integer, Kind::Number]),
            (Kind::Date, &[Kind::Date]),
            (Kind::DateTime, &[Kind::Date, Kind::DateTime]),
            (Kind::Timestamp, &[Kind::Timestamp]),
        ];
        candidates.into_iter().find(|(_, kinds)| only(kinds)).map_or(Kind::String, |(kind, _)| kind)
    }
}

fn bit(kind: Kind) -> u8 {
    match kind {
        Kind::Null => 0,
        Kind::Boolean => 1,
        Kind::Integer => 2,
        Kind::Number => 4,
        Kind::Date => 8,
        Kind::DateTime => 16,
        Kind::Timestamp => 32,
        Kind::String => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_columns_type_is_the_narrowest_that_fits() {
        let column = |kinds: &[Kind]| {
            let mut all = Kinds::default();
            kinds.iter().for_each(|kind| all.insert(*kind));
            all.column()
        };
        assert_eq!(column(&[]), Kind::Null);
        assert_eq!(column(&[Kind::Null, Kind::Integer]), Kind::Integer);
        assert_eq!(column(&[Kind::Number, Kind::Integer]), Kind::Number);
        assert_eq!(column(&[Kind::Date, Kind::DateTime]), Kind::DateTime);
        assert_eq!(column(&[Kind::Timestamp, Kind::DateTime]), Kind::String);
        assert_eq!(column(&[Kind::Boolean, Kind::Integer]), Kind::String);
    }
}
