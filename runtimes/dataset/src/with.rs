//! What stands under `with:`.

use hearth_runtime::Failure;
use hearth_table::{CsvOptions, Format, Kind, Limits, Reading};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use std::path::PathBuf;

/// What the runtime `dataset` does: it reads one table, profiles it and holds it against expectations. The artifact
/// `profile` is the profile; the artifact `table` is the table as Parquet or CSV, by the ending of its path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct With {
    /// The name of the input artifact that is the table. Either this or `file`.
    #[serde(default)]
    pub input: Option<String>,
    /// The path of the table in the container, for example on a volume: `/data/co2.csv`. Either this or `input`.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The table's format. Default: what the name of the file ends with (.csv, .tsv, .json, .jsonl, .ndjson, .parquet).
    #[serde(default)]
    pub format: Option<Format>,
    /// How CSV is written.
    #[serde(default)]
    pub csv: CsvOptions,
    /// Limits of what is read.
    #[serde(default)]
    pub limits: Limits,
    /// What has to hold. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    pub expectations: Vec<Expectation>,
}

/// One thing that has to hold: of a `column`, of the `rows`, or of the `drift` of a column; exactly one of the three.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expectation {
    /// The column that `min`, `max`, `unique`, `notNull` and `type` are about. It has to be there.
    #[serde(default)]
    pub column: Option<String>,
    /// Every value is a number, and this is the least. Default: none.
    #[serde(default)]
    pub min: Option<f64>,
    /// Every value is a number, and this is the greatest. Default: none.
    #[serde(default)]
    pub max: Option<f64>,
    /// No value is there twice; for tables of at most 7000000 values in the column. Default: false.
    #[serde(default)]
    pub unique: bool,
    /// Every row has a value. Default: false.
    #[serde(default)]
    pub not_null: bool,
    /// Every value is of this type: an integer is a number too, a date a datetime, and all are strings. Default: any.
    #[serde(default, rename = "type")]
    pub kind: Option<Kind>,
    /// How many rows there are.
    #[serde(default)]
    pub rows: Option<Rows>,
    /// How far the values have moved since an earlier profile.
    #[serde(default)]
    pub drift: Option<Drift>,
}

/// How many rows there are.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rows {
    /// The least. Default: none.
    #[serde(default)]
    pub min: Option<u64>,
    /// The most. Default: none.
    #[serde(default)]
    pub max: Option<u64>,
}

/// How far the values of a column have moved since an earlier profile.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drift {
    /// The column.
    pub column: String,
    /// The greatest population stability index: below 0.1 nothing has changed to speak of, above 0.25 much has. A
    /// number, also as a string: `"0.2"`.
    #[serde(deserialize_with = "number_or_text")]
    #[schemars(with = "NumberOrText")]
    pub psi: f64,
    /// The name of the input artifact that is the earlier profile. Default: previous.
    #[serde(default = "previous")]
    pub against: String,
}

/// A number, also as a string.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum NumberOrText {
    /// A number.
    Number(f64),
    /// A number as a string.
    Text(String),
}

fn previous() -> String {
    "previous".to_owned()
}

fn number_or_text<'de, D: Deserializer<'de>>(json: D) -> Result<f64, D::Error> {
    let number = match NumberOrText::deserialize(json)? {
        NumberOrText::Number(number) => number,
        NumberOrText::Text(text) => text.parse().map_err(|_| D::Error::custom(format!("{text:?} is not a number")))?,
    };
    if number >= 0.0 { Ok(number) } else { Err(D::Error::custom(format!("{number} is below 0"))) }
}

impl With {
    /// Whether everything fits together.
    ///
    /// # Errors
    ///
    /// 78 with the field.
    pub fn check(&self) -> Result<(), Failure> {
        self.reading().check()?;
        for (place, expectation) in self.expectations.iter().enumerate() {
            expectation.check().map_err(|what| Failure::config(format!("with.expectations[{place}]: {what}")))?;
        }
        Ok(())
    }

    /// How the table is read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading { format: self.format, csv: self.csv.clone(), limits: self.limits }
    }
}

impl Expectation {
    fn check(&self) -> Result<(), String> {
        let of_column = self.min.is_some() || self.max.is_some() || self.unique || self.not_null || self.kind.is_some();
        let subjects = [self.column.is_some(), self.rows.is_some(), self.drift.is_some()];
        if subjects.into_iter().filter(|there| *there).count() != 1 {
            return Err("give exactly one of column, rows and drift".into());
        }
        if of_column && self.column.is_none() {
            return Err("min, max, unique, notNull and type are about a column: name it with column".into());
        }
        let upside_down = matches!((self.min, self.max), (Some(min), Some(max)) if min > max)
            || matches!(self.rows, Some(Rows { min: Some(min), max: Some(max) }) if min > max);
        if upside_down {
            return Err("min is above max".into());
        }
        if self.rows.is_some_and(|rows| rows.min.is_none() && rows.max.is_none()) {
            return Err("rows needs min or max".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(json: &str) -> String {
        let expectation: Expectation = serde_json::from_str(json).unwrap();
        expectation.check().unwrap_err()
    }

    #[test]
    fn an_expectation_has_one_subject() {
        for good in [
            r#"{"column": "co2"}"#,
            r#"{"column": "co2", "min": 1, "max": 1, "unique": true, "notNull": true, "type": "number"}"#,
            r#"{"rows": {"min": 100}}"#,
            r#"{"drift": {"column": "co2", "psi": "0.2", "against": "previous"}}"#,
        ] {
            serde_json::from_str::<Expectation>(good).unwrap().check().unwrap();
        }
        assert_eq!(says("{}"), "give exactly one of column, rows and drift");
        assert_eq!(says(r#"{"column": "a", "rows": {"min": 1}}"#), "give exactly one of column, rows and drift");
        assert!(says(r#"{"rows": {"min": 1}, "unique": true}"#).ends_with("are about a column: name it with column"));
        assert_eq!(says(r#"{"column": "a", "min": 2, "max": 1}"#), "min is above max");
        assert_eq!(says(r#"{"rows": {"min": 2, "max": 1}}"#), "min is above max");
        assert_eq!(says(r#"{"rows": {}}"#), "rows needs min or max");
    }

    #[test]
    fn psi_is_a_number_also_as_a_string() {
        let psi = |json: &str| serde_json::from_str::<Drift>(&format!(r#"{{"column": "a", "psi": {json}}}"#));
        assert_eq!((psi("0.2").unwrap().psi, psi("\"0.2\"").unwrap().psi), (0.2, 0.2));
        assert_eq!(psi("0.2").unwrap().against, "previous");
        assert!(psi("\"x\"").unwrap_err().to_string().contains("\"x\" is not a number"));
        assert!(psi("-1").unwrap_err().to_string().contains("-1 is below 0"));
    }

    #[test]
    fn the_catalog_is_that_of_the_sources() {
        hearth_runtime::catalog::check::<crate::run::Dataset>(include_str!("../catalog.json")).unwrap();
    }
}
