//! What may be expected of a table.

use crate::table::{Cell, Table};
use serde::Deserialize;
use std::{collections::HashMap, fmt};

/// One expectation.
#[derive(Debug)]
pub(crate) enum Expectation {
    Rows(Rows),
    Column(Column),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rows {
    rows: Range,
}

/// A range whose bounds belong to it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    column: String,
    min: Option<f64>,
    max: Option<f64>,
    #[serde(default)]
    integer: bool,
    #[serde(default)]
    unique: bool,
    step: Option<f64>,
    #[serde(default)]
    missing: usize,
}

impl Expectation {
    /// Reads an expectation; what names no rows speaks of a column.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let value: serde_json::Value = serde_json::from_str(text)?;
        if value.get("rows").is_some() {
            return serde_json::from_value(value).map(Self::Rows);
        }
        serde_json::from_value(value).map(Self::Column)
    }

    /// What breaks it; nothing when it holds. Each kind of breach is told once, with its first row.
    pub(crate) fn violations(&self, table: &Table) -> Vec<String> {
        match self {
            Self::Rows(rows) => {
                rows.rows.refuses(count(table.rows())).map(|why| format!("rows: {why}")).into_iter().collect()
            }
            Self::Column(column) => column.violations(table),
        }
    }
}

/// A count as a number; tables that fit in memory are far below 2^52 rows.
fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

impl Range {
    fn refuses(&self, number: f64) -> Option<String> {
        if let Some(min) = self.min.filter(|min| number < *min) {
            return Some(format!("{number} is below {min}"));
        }
        self.max.filter(|max| number > *max).map(|max| format!("{number} is above {max}"))
    }
}

impl Column {
    fn violations(&self, table: &Table) -> Vec<String> {
        let Some(cells) = table.column(&self.column) else {
            return vec![format!("there is no column {:?}; the table has {}", self.column, table.names().join(", "))];
        };
        let (missing, known): (Vec<Cell<'_>>, Vec<Cell<'_>>) = cells.iter().partition(|c| c.text.is_empty());
        let absent = (missing.len() > self.missing).then(|| {
            let first = missing.first().map_or(0, |c| c.row);
            format!("{} cells are empty, {} may be (the first is in row {first})", missing.len(), self.missing)
        });
        let numbers = if self.wants_numbers() { self.number_violations(&known) } else { Vec::new() };
        let twice = if self.unique { twice(&known) } else { None };
        absent.into_iter().chain(numbers).chain(twice).collect()
    }

    fn wants_numbers(&self) -> bool {
        self.min.is_some() || self.max.is_some() || self.integer || self.step.is_some()
    }

    fn number_violations(&self, known: &[Cell<'_>]) -> Vec<String> {
        let mut numbers = Vec::new();
        for cell in known {
            match cell.number() {
                Some(number) => numbers.push((cell.row, number)),
                None => return vec![format!("row {}: {:?} is not a number", cell.row, cell.text)],
            }
        }
        let range = Range { min: self.min, max: self.max };
        let outside = numbers.iter().find_map(|(row, n)| range.refuses(*n).map(|why| format!("row {row}: {why}")));
        let broken = numbers.iter().find(|(_, n)| self.integer && n.fract() != 0.0);
        let broken = broken.map(|(row, n)| format!("row {row}: {n} is not a whole number"));
        let stepped = self.step.and_then(|step| wrong_step(&numbers, step));
        [outside, broken, stepped].into_iter().flatten().collect()
    }
}

/// The first number that is not the one before it plus `step`, but for rounding.
fn wrong_step(numbers: &[(usize, f64)], step: f64) -> Option<String> {
    numbers.iter().zip(numbers.iter().skip(1)).find_map(|((_, a), (row, b))| {
        let slack = 1e-9 * (1.0 + a.abs().max(b.abs()));
        ((b - a - step).abs() > slack).then(|| format!("row {row}: {b} follows {a}, expected {}", a + step))
    })
}

fn twice(known: &[Cell<'_>]) -> Option<String> {
    let mut seen = HashMap::new();
    known.iter().find_map(|cell| {
        let before = seen.insert(cell.text, cell.row)?;
        Some(format!("row {}: {:?} is in row {before} already", cell.row, cell.text))
    })
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "rows{}", rows.rows),
            Self::Column(column) => column.fmt(f),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(min) = self.min {
            write!(f, ", at least {min}")?;
        }
        if let Some(max) = self.max {
            write!(f, ", at most {max}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.column, Range { min: self.min, max: self.max })?;
        if self.integer {
            f.write_str(", whole")?;
        }
        if self.unique {
            f.write_str(", unique")?;
        }
        if let Some(step) = self.step {
            write!(f, ", in steps of {step}")?;
        }
        match self.missing {
            0 => f.write_str(", none missing"),
            n => write!(f, ", at most {n} missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{
        prelude::*,
        test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
    };

    fn violations(table: &str, expectation: &str) -> Vec<String> {
        let expectation = Expectation::parse(expectation).unwrap();
        expectation.violations(&Table::parse(table).unwrap())
    }

    #[test]
    fn what_holds_is_silent() {
        let table = "year,mean,note\n1958,315.2,a\n1959,315.9,\n1960,316.9,b\n";
        for expectation in [
            r#"{"rows":{"min":3,"max":3}}"#,
            r#"{"column":"year","integer":true,"step":1,"unique":true,"min":1958,"max":1960}"#,
            r#"{"column":"mean","min":300}"#,
            r#"{"column":"note","missing":1,"unique":true}"#,
        ] {
            assert_eq!(violations(table, expectation), Vec::<String>::new(), "{expectation}");
        }
    }

    #[test]
    fn each_breach_names_its_first_row() {
        let table = "n,s\n1,a\n2.5,a\n,\n9,b\n";
        for (expectation, expected) in [
            (r#"{"rows":{"min":5}}"#, vec!["rows: 4 is below 5"]),
            (r#"{"rows":{"max":3}}"#, vec!["rows: 4 is above 3"]),
            (r#"{"column":"n"}"#, vec!["1 cells are empty, 0 may be (the first is in row 3)"]),
            (r#"{"column":"n","missing":1,"min":2}"#, vec!["row 1: 1 is below 2"]),
            (r#"{"column":"n","missing":1,"max":2}"#, vec!["row 2: 2.5 is above 2"]),
            (r#"{"column":"n","missing":1,"integer":true}"#, vec!["row 2: 2.5 is not a whole number"]),
            (r#"{"column":"n","missing":1,"step":1.5}"#, vec!["row 4: 9 follows 2.5, expected 4"]),
            (r#"{"column":"s","missing":1,"min":0}"#, vec!["row 1: \"a\" is not a number"]),
            (r#"{"column":"s","missing":1,"unique":true}"#, vec!["row 2: \"a\" is in row 1 already"]),
            (r#"{"column":"z"}"#, vec!["there is no column \"z\"; the table has n, s"]),
        ] {
            assert_eq!(violations(table, expectation), expected, "{expectation}");
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        for (text, expected) in [
            ("{}", "missing field `column`"),
            (r#"{"rows":{"least":1}}"#, "unknown field `least`, expected `min` or `max`"),
            (r#"{"rows":{},"column":"a"}"#, "unknown field `column`, expected `rows`"),
            (
                r#"{"column":"a","minimum":1}"#,
                "unknown field `minimum`, expected one of `column`, `min`, `max`, `integer`, `unique`, `step`, `missing`",
            ),
        ] {
            assert_eq!(Expectation::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_range_holds_exactly_for_what_is_inside() {
        let seed = [7; 32];
        println!("seed {seed:?}");
        let mut runner =
            TestRunner::new_with_rng(Config::with_cases(256), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let cases = (proptest::collection::vec(-50i32..50, 1..20), -50i32..50, -50i32..50);
        runner
            .run(&cases, |(values, min, max)| {
                let rows: String = values.iter().map(|v| format!("{v}\n")).collect();
                let expectation = format!(r#"{{"column":"v","min":{min},"max":{max}}}"#);
                let inside = values.iter().all(|v| (min..=max).contains(v));
                prop_assert_eq!(violations(&format!("v\n{rows}"), &expectation).is_empty(), inside);
                Ok(())
            })
            .unwrap();
    }
}
