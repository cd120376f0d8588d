//! Whether no value is there twice.

use hearth_table::Cell;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

/// How many values are held: 2^23 places of 25 bytes at the load that the map allows.
pub const MAX: usize = 7_000_000;

/// The values so far, by 128 bits of hash, and the row that each was in first.
#[derive(Debug, Default)]
pub struct Unique(HashMap<(u64, u64), u64>);

/// What a value says of uniqueness.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// For the first time.
    First,
    /// It is in this row already.
    Before(u64),
    /// There are too many values.
    TooMany,
}

impl Unique {
    /// Takes note of a typed cell.
    pub fn add(&mut self, row: u64, cell: Cell<'_>) -> Seen {
        if let Some(before) = self.0.get(&(hash(0, cell), hash(1, cell))) {
            return Seen::Before(*before);
        }
        if self.0.len() >= MAX {
            return Seen::TooMany;
        }
        self.0.insert((hash(0, cell), hash(1, cell)), row);
        Seen::First
    }
}

/// Values that are equal have the same hash, be they whole or not.
fn hash(salt: u8, cell: Cell<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    match cell {
        Cell::Null => {}
        Cell::Boolean(value) => value.hash(&mut hasher),
        Cell::Integer(value) => ('n', value).hash(&mut hasher),
        Cell::Number(value) if value == value.trunc() && value.abs() < 9_007_199_254_740_992.0 => {
            ('n', value as i64).hash(&mut hasher);
        }
        Cell::Number(value) => ('f', value.to_bits()).hash(&mut hasher),
        Cell::Date(days) => ('d', days).hash(&mut hasher),
        Cell::DateTime(micros) => ('l', micros).hash(&mut hasher),
        Cell::Timestamp(micros) => ('t', micros).hash(&mut hasher),
        Cell::Text(text) | Cell::Quoted(text) | Cell::Raw(text) => text.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_known_again() {
        let mut unique = Unique::default();
        assert_eq!(unique.add(1, Cell::Integer(3)), Seen::First);
        assert_eq!(unique.add(2, Cell::Text("3")), Seen::First);
        assert_eq!(unique.add(3, Cell::Number(3.5)), Seen::First);
        assert_eq!(unique.add(4, Cell::Number(3.0)), Seen::Before(1));
        assert_eq!(unique.add(5, Cell::Number(3.5)), Seen::Before(3));
        assert_eq!(unique.add(6, Cell::Date(3)), Seen::First);
    }
}
