//! Figures of a table as outputs of the step.

use crate::table::{Cell, Table};
use serde_json::{Map, Number, Value};

/// An output: its name and the figure that it carries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Emit {
    name: String,
    function: Function,
    column: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Min,
    Max,
    Mean,
    Sum,
    First,
    Last,
    Count,
    Missing,
}

/// A figure that the table does not have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmitError {
    #[error("--emit {name}: there is no column {column:?}")]
    NoColumn { name: String, column: String },
    #[error("--emit {name}: row {row} of {column} is not a number")]
    NotANumber { name: String, column: String, row: usize },
    #[error("--emit {name}: {column} has no value")]
    NoValue { name: String, column: String },
}

impl Emit {
    /// Reads `NAME=FUNCTION(COLUMN)`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = || {
            let (name, call) = text.split_once('=')?;
            let (function, column) = call.strip_suffix(')')?.split_once('(')?;
            (!name.is_empty() && !column.is_empty()).then_some((name, function, column))
        };
        let (name, function, column) = parts().ok_or("expected NAME=FUNCTION(COLUMN)")?;
        let function = match function {
            "min" => Function::Min,
            "max" => Function::Max,
            "mean" => Function::Mean,
            "sum" => Function::Sum,
            "first" => Function::First,
            "last" => Function::Last,
            "count" => Function::Count,
            "missing" => Function::Missing,
            other => {
                return Err(format!("{other:?} is not a function: min, max, mean, sum, first, last, count, missing"));
            }
        };
        Ok(Self { name: name.to_owned(), function, column: column.to_owned() })
    }

    fn value(&self, table: &Table) -> Result<Value, EmitError> {
        let (name, column) = (self.name.clone(), self.column.clone());
        let Some(cells) = table.column(&column) else {
            return Err(EmitError::NoColumn { name, column });
        };
        let known: Vec<Cell<'_>> = cells.iter().copied().filter(|c| !c.text.is_empty()).collect();
        let found = match self.function {
            Function::Count => Some(Value::from(known.len())),
            Function::Missing => Some(Value::from(cells.len() - known.len())),
            Function::First => known.first().map(|c| plain(*c)),
            Function::Last => known.last().map(|c| plain(*c)),
            Function::Min => self.numbers(&known)?.into_iter().reduce(f64::min).and_then(whole),
            Function::Max => self.numbers(&known)?.into_iter().reduce(f64::max).and_then(whole),
            Function::Sum => self.numbers(&known)?.into_iter().reduce(|a, b| a + b).and_then(whole),
            Function::Mean => mean(&self.numbers(&known)?),
        };
        found.ok_or(EmitError::NoValue { name, column })
    }

    fn numbers(&self, known: &[Cell<'_>]) -> Result<Vec<f64>, EmitError> {
        let number = |cell: &Cell<'_>| {
            cell.number().ok_or_else(|| EmitError::NotANumber {
                name: self.name.clone(),
                column: self.column.clone(),
                row: cell.row,
            })
        };
        known.iter().map(number).collect()
    }
}

/// All outputs as one JSON object, as short as can be.
pub(crate) fn outputs(table: &Table, emits: &[Emit]) -> Result<String, EmitError> {
    let mut object = Map::new();
    for emit in emits {
        object.insert(emit.name.clone(), emit.value(table)?);
    }
    Ok(Value::Object(object).to_string())
}

fn mean(numbers: &[f64]) -> Option<Value> {
    let count = u32::try_from(numbers.len()).ok().filter(|n| *n > 0)?;
    Number::from_f64(numbers.iter().sum::<f64>() / f64::from(count)).map(Value::Number)
}

/// A number, as an integer when it is whole and exact.
fn whole(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < EXACT {
        // Formatting a whole f64 gives its digits alone, and below 2^53 they are exact.
        return format!("{number:.0}").parse::<i64>().ok().map(Value::from);
    }
    Number::from_f64(number).map(Value::Number)
}

/// A cell as it stands: a number when it is one, text otherwise.
fn plain(cell: Cell<'_>) -> Value {
    cell.number().and_then(whole).unwrap_or_else(|| Value::from(cell.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "y,v,s\n1958,1.25,a\n1959,,\n1960,3,c\n";

    fn emitted(text: &str) -> Result<String, String> {
        let emit = Emit::parse(text)?;
        outputs(&Table::parse(TABLE).unwrap(), &[emit]).map_err(|e| e.to_string())
    }

    #[test]
    fn each_function_gives_its_figure() {
        for (text, expected) in [
            ("a=min(y)", r#"{"a":1958}"#),
            ("a=max(v)", r#"{"a":3}"#),
            ("a=min(v)", r#"{"a":1.25}"#),
            ("a=mean(y)", r#"{"a":1959.0}"#),
            ("a=sum(v)", r#"{"a":4.25}"#),
            ("a=first(s)", r#"{"a":"a"}"#),
            ("a=last(y)", r#"{"a":1960}"#),
            ("a=count(v)", r#"{"a":2}"#),
            ("a=missing(s)", r#"{"a":1}"#),
        ] {
            assert_eq!(emitted(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (text, expected) in [
            ("a=min(z)", "--emit a: there is no column \"z\""),
            ("a=min(s)", "--emit a: row 1 of s is not a number"),
            ("a=median(y)", "\"median\" is not a function: min, max, mean, sum, first, last, count, missing"),
            ("a", "expected NAME=FUNCTION(COLUMN)"),
            ("=min(y)", "expected NAME=FUNCTION(COLUMN)"),
            ("a=min()", "expected NAME=FUNCTION(COLUMN)"),
        ] {
            assert_eq!(emitted(text).unwrap_err(), expected, "{text}");
        }
        let empty = Table::parse("y\n").unwrap();
        let emit = Emit::parse("a=max(y)").unwrap();
        assert_eq!(outputs(&empty, &[emit]).unwrap_err().to_string(), "--emit a: y has no value");
    }

    #[test]
    fn whole_numbers_stay_whole_as_long_as_they_are_exact() {
        assert_eq!(whole(-3.0), Some(Value::from(-3)));
        assert_eq!(whole(-0.0), Some(Value::from(0)));
        assert!(whole(1e300).unwrap().is_f64());
        assert_eq!(whole(f64::NAN), None);
    }
}
