//! Expectations of one column, looked at cell by cell.

use crate::{
    unique::{self, Seen, Unique},
    with::Expectation,
};
use hearth_table::{Cell, Kind};

/// How many characters of a value a message has.
const SHOWN: usize = 64;

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which expectation, by its place in `with.expectations`.
    pub place: usize,
    /// What was found, with the row.
    pub what: String,
    /// In how many rows.
    pub rows: u64,
}

/// An expectation of a column.
#[derive(Debug)]
pub struct Check {
    place: usize,
    min: Option<f64>,
    max: Option<f64>,
    not_null: bool,
    kind: Option<Kind>,
    unique: Option<Unique>,
    broken: Option<Broken>,
}

impl Check {
    /// That of this expectation, which is about a column.
    #[must_use]
    pub fn new(place: usize, expectation: &Expectation) -> Self {
        Self {
            place,
            min: expectation.min,
            max: expectation.max,
            not_null: expectation.not_null,
            kind: expectation.kind,
            unique: expectation.unique.then(Unique::default),
            broken: None,
        }
    }

    /// Looks at a typed cell.
    pub fn look(&mut self, row: u64, cell: Cell<'_>) {
        if let Some(what) = self.wrong(row, cell) {
            let broken = self.broken.get_or_insert_with(|| Broken {
                place: self.place,
                what: format!("row {row}: {what}"),
                rows: 0,
            });
            broken.rows += 1;
        }
    }

    /// What did not hold.
    #[must_use]
    pub fn broken(self) -> Option<Broken> {
        self.broken
    }

    fn wrong(&mut self, row: u64, cell: Cell<'_>) -> Option<String> {
        if cell == Cell::Null {
            return self.not_null.then(|| "there is no value".to_owned());
        }
        if let Some(kind) = self.kind.filter(|kind| !admits(*kind, cell.kind())) {
            return Some(format!("{} is of type {}, not {kind}", shown(cell), cell.kind()));
        }
        self.out_of_range(cell).or_else(|| self.repeated(row, cell))
    }

    fn out_of_range(&self, cell: Cell<'_>) -> Option<String> {
        if self.min.is_none() && self.max.is_none() {
            return None;
        }
        let number = match cell {
            Cell::Integer(value) => value as f64,
            Cell::Number(value) if !value.is_nan() => value,
            _ => return Some(format!("{} is not a number", shown(cell))),
        };
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Some(format!("{} is below {min}", shown(cell)));
        }
        self.max.filter(|max| number > *max).map(|max| format!("{} is above {max}", shown(cell)))
    }

    fn repeated(&mut self, row: u64, cell: Cell<'_>) -> Option<String> {
        match self.unique.as_mut()?.add(row, cell) {
            Seen::First => None,
            Seen::Before(before) => Some(format!("{} is in row {before} already", shown(cell))),
            Seen::TooMany => {
                // What can't be known is not taken for granted, and not looked at again.
                self.unique = None;
                Some(format!("unique is checked for at most {} values of a column", unique::MAX))
            }
        }
    }
}

fn admits(kind: Kind, found: Kind) -> bool {
    found == kind
        || match kind {
            Kind::Number => found == Kind::Integer,
            Kind::DateTime => found == Kind::Date,
            Kind::String => true,
            _ => false,
        }
}

fn shown(cell: Cell<'_>) -> String {
    let text = cell.text();
    let short: String = text.chars().take(SHOWN).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    if matches!(cell, Cell::Text(_)) { format!("{short:?}{more}") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(expectation: &str, cells: &[&str]) -> Option<(String, u64)> {
        let expectation: Expectation = serde_json::from_str(expectation).unwrap();
        let mut check = Check::new(0, &expectation);
        for (row, cell) in (1..).zip(cells) {
            check.look(row, if cell.is_empty() { Cell::Null } else { Cell::Raw(cell).typed() });
        }
        check.broken().map(|broken| (broken.what, broken.rows))
    }

    #[test]
    fn each_breach_has_its_first_row_and_value() {
        for (expectation, cells, expected) in [
            (r#"{"column": "a", "min": 3}"#, vec!["3", "2.5", "-inf"], Some(("row 2: 2.5 is below 3", 2))),
            (r#"{"column": "a", "max": 3}"#, vec!["", "3", "4"], Some(("row 3: 4 is above 3", 1))),
            (r#"{"column": "a", "max": 3}"#, vec!["NaN"], Some(("row 1: NaN is not a number", 1))),
            (r#"{"column": "a", "min": 3, "max": 3}"#, vec!["3", "x"], Some(("row 2: \"x\" is not a number", 1))),
            (r#"{"column": "a", "min": 3}"#, vec!["3", "", "1e9"], None),
            (r#"{"column": "a", "notNull": true}"#, vec!["3", ""], Some(("row 2: there is no value", 1))),
            (r#"{"column": "a", "unique": true}"#, vec!["3", "", "", "3"], Some(("row 4: 3 is in row 1 already", 1))),
            (
                r#"{"column": "a", "type": "integer"}"#,
                vec!["3", "3.5"],
                Some(("row 2: 3.5 is of type number, not integer", 1)),
            ),
            (r#"{"column": "a", "type": "number"}"#, vec!["3", "3.5"], None),
            (r#"{"column": "a", "type": "datetime"}"#, vec!["1958-03-29"], None),
            (r#"{"column": "a", "type": "string"}"#, vec!["3", "x"], None),
            (r#"{"column": "a"}"#, vec!["3", "x", ""], None),
        ] {
            let expected = expected.map(|(what, rows): (&str, u64)| (what.to_owned(), rows));
            assert_eq!(broken(expectation, &cells), expected, "{expectation}");
        }
    }
}
