//! Opening a table, whatever its format.

use crate::{Batch, csv::CsvSource, json::JsonSource, parquet::ParquetSource};
use hearth_runtime::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{fmt, path::Path};

/// A table that is read batch by batch.
pub trait Source {
    /// The names of the columns so far; those of JSON lines may grow with each batch.
    fn columns(&self) -> &[String];

    /// The next rows; none at the end.
    ///
    /// # Errors
    ///
    /// 65 with line or row and column for what is no table or beyond a limit, 74 when reading fails.
    fn next_batch(&mut self) -> Result<Option<Batch>, Failure>;
}

/// The format of a table's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Json,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format that a file's name ends with: .csv, .tsv, .json, .jsonl, .ndjson or .parquet.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Parquet => "parquet",
        })
    }
}

/// Limits of what is read, against files that would fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// The most bytes of a row of CSV or a line of JSON. Default: 1048576; at most 67108864.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub line_bytes: usize,
    /// The most columns. Default: 2048; at most 65536.
    #[schemars(range(min = 1, max = 65_536))]
    pub columns: usize,
    /// How many objects may lie in each other in a line of JSON or a column of Parquet; each becomes columns named
    /// `outer.inner`. Default: 8; at most 64.
    #[schemars(range(min = 1, max = 64))]
    pub nesting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line_bytes: 1 << 20, columns: 2048, nesting: 8 }
    }
}

/// How a CSV file is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CsvOptions {
    /// What stands between cells, one ASCII character. Default: a comma, or a tab for files that end in .tsv.
    pub delimiter: Option<char>,
    /// Lines that begin with this ASCII character are left out. Default: none are.
    pub comment: Option<char>,
    /// Names of the columns, for files without a header line. Default: the first line has them.
    pub header: Option<Vec<String>>,
    /// Texts that stand for no value, for example `NA` or `-99.99`. A cell without any text has no value either.
    /// Default: none.
    pub nulls: Vec<String>,
}

/// How a table is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The format; without one, the file's name says.
    pub format: Option<Format>,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// Limits.
    pub limits: Limits,
}

impl Reading {
    /// Whether the fields are in their ranges.
    ///
    /// # Errors
    ///
    /// 78 with the field as in `with:`.
    pub fn check(&self) -> Result<(), Failure> {
        let Limits { line_bytes, columns, nesting } = self.limits;
        let range = |field: &str, value: usize, max: usize| {
            let inside = (1..=max).contains(&value);
            let wrong = || Failure::config(format!("with.limits.{field}: {value} is not from 1 to {max}"));
            if inside { Ok(()) } else { Err(wrong()) }
        };
        range("lineBytes", line_bytes, 1 << 26)?;
        range("columns", columns, 1 << 16)?;
        range("nesting", nesting, 64)?;
        for (field, letter) in [("delimiter", self.csv.delimiter), ("comment", self.csv.comment)] {
            if let Some(letter) = letter.filter(|c| !c.is_ascii() || matches!(c, '"' | '\n' | '\r')) {
                return Err(Failure::config(format!(
                    "with.csv.{field}: {letter:?} can't be one, use one ASCII character but a quote or line break"
                )));
            }
        }
        Ok(())
    }
}

/// Opens a table.
///
/// # Errors
///
/// 78 when nothing says the format; 65 and 74 as [`Source::next_batch`], for what is read of the file to begin with.
pub fn open(path: &Path, reading: &Reading) -> Result<Box<dyn Source>, Failure> {
    let format = reading.format.or_else(|| Format::of(path)).ok_or_else(|| {
        Failure::config(format!(
            "with.format: the name of {} does not end with its format: say csv, json or parquet",
            path.display()
        ))
    })?;
    Ok(match format {
        Format::Csv => Box::new(CsvSource::open(path, reading)?),
        Format::Json => Box::new(JsonSource::open(path, reading.limits)?),
        Format::Parquet => Box::new(ParquetSource::open(path, reading.limits)?),
    })
}

/// Adds a column's name.
pub(crate) fn add_column(columns: &mut Vec<String>, name: &str, limits: Limits, place: &str) -> Result<(), Failure> {
    if columns.len() >= limits.columns {
        return Err(Failure::data(format!(
            "{place}: there are more than {} columns: set limits.columns if this is meant",
            limits.columns
        )));
    }
    columns.push(name.to_owned());
    Ok(())
}
