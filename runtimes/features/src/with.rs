//! What stands under `with:`.

use hearth_runtime::Failure;
use hearth_table::{CsvOptions, Format, Limits, Reading};
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::PathBuf;

/// What the runtime `features` does: it reads one table, adds columns to it, one operation after the other, and writes it
/// as the artifact `table`, Parquet or CSV by the ending of its path. An operation may use what an earlier one added.
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
    /// The most rows, of the input and of the output: the table is held in memory. Default: 10000000.
    #[serde(default = "rows")]
    #[schemars(range(min = 1))]
    pub max_rows: usize,
    /// The columns to read. Default: all.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// The column that the others depend on: a number, or a day or instant, which counts in seconds. It rises from row to
    /// row and has no gaps. Default: the row's number, 0, 1, 2 and so on.
    #[serde(default)]
    pub index: Option<String>,
    /// Columns that split the table into groups, each of which is a series of its own: rows with the same values, which
    /// have to stand together. Default: the table is one series.
    #[serde(default)]
    pub by: Vec<String>,
    /// What to do, in this order.
    #[schemars(length(min = 1, max = 1000))]
    pub operations: Vec<Operation>,
}

fn rows() -> usize {
    10_000_000
}

/// One operation. What has no value, and NaN, is missing; each operation says what it makes of that.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// A derivative by finite differences, also on uneven grids, one-sided at the ends. Where a value of the stencil is
    /// missing, so is the derivative.
    Derivative(Derivative),
    /// Savitzky–Golay: the value or a derivative of the polynomial that fits a window best. Needs an even grid. Where a
    /// value of the window is missing, so is the result.
    SavitzkyGolay(SavitzkyGolay),
    /// A derivative by Fourier transform, of a periodic series on an even grid without missing values: the point after
    /// the last row is the first row again.
    Spectral(Spectral),
    /// A mean weighted by a Gaussian of the distance. Missing values have no weight; they are filled where values are near.
    Gaussian(Gaussian),
    /// Whittaker's smoother, the discrete smoothing spline. Missing values have no weight and are filled.
    Whittaker(Whittaker),
    /// The value some rows before. Rows without such a row are missing.
    Lag(Lag),
    /// A figure of a window of rows. Missing values are left out of it; see `minCount`.
    Rolling(Rolling),
    /// Puts all columns onto a regular grid of the index. Missing values are left out. Columns that are neither numbers
    /// nor in `by` have to be left out with `columns`.
    Resample(Resample),
}

/// A derivative by finite differences.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Derivative {
    /// The column.
    pub column: String,
    /// Which derivative: 1 to 4. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 4))]
    pub order: usize,
    /// How fast the error falls with the distance h of points: as h to this, 1 to 8. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 8))]
    pub accuracy: usize,
    /// The new column's name. Default: the column's with `_d` and the order.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// Savitzky–Golay.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavitzkyGolay {
    /// The column.
    pub column: String,
    /// Rows of a window: odd, 3 to 1001.
    #[schemars(range(min = 3, max = 1001))]
    pub window: usize,
    /// The polynomial's degree: below `window`, 0 to 10. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 10))]
    pub degree: usize,
    /// Which derivative: 0 (the smoothed value) to `degree`. Default: 0.
    #[serde(default)]
    pub derivative: usize,
    /// What is done where a window would reach beyond an end. Default: fit.
    #[serde(default)]
    pub edges: Edges,
    /// The new column's name. Default: the column's with `_sg` and the derivative.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// What is done where a window would reach beyond an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Edges {
    /// The polynomial of the first or last whole window is taken there.
    #[default]
    Fit,
    /// The result is missing there.
    Missing,
}

/// A derivative by Fourier transform.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spectral {
    /// The column.
    pub column: String,
    /// Which derivative: 0 (for a low-pass alone) to 8. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 8))]
    pub order: usize,
    /// Which share of the frequencies is kept, the low ones: above 0, at most 1. Default: 1.
    #[serde(default = "all")]
    pub cutoff: f64,
    /// The new column's name. Default: the column's with `_s` and the order.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// A mean weighted by a Gaussian.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gaussian {
    /// The column.
    pub column: String,
    /// The Gaussian's standard deviation, in units of the index; seconds when that is a day or instant.
    pub sigma: f64,
    /// The new column's name. Default: the column's with `_gaussian`.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// Whittaker's smoother.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Whittaker {
    /// The column.
    pub column: String,
    /// The weight of smoothness against the data, above 0: often from 1 to 1e8.
    pub lambda: f64,
    /// Of which difference the squares shall be small: 1 to 4. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 4))]
    pub order: usize,
    /// The new column's name. Default: the column's with `_whittaker`.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// The value some rows before.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lag {
    /// The column, of numbers.
    pub column: String,
    /// How many rows before; below 0, how many rows after. Default: 1.
    #[serde(default = "one_back")]
    pub by: i64,
    /// The new column's name. Default: the column's with `_lag` and the number of rows.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// A figure of a window of rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rolling {
    /// The column.
    pub column: String,
    /// Rows of a window, 1 to 100000.
    #[schemars(range(min = 1, max = 100_000))]
    pub window: usize,
    /// Which figure.
    pub function: Function,
    /// Where the window lies. Default: trailing.
    #[serde(default)]
    pub align: Align,
    /// How many values a window needs, for its figure not to be missing: 1 to `window`. Default: `window`, so that windows
    /// which reach beyond an end give none.
    #[serde(default)]
    pub min_count: Option<usize>,
    /// The new column's name. Default: the column's with the function and the window.
    #[serde(default, rename = "as")]
    pub name: Option<String>,
}

/// A figure of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Function {
    /// The mean: centered, this is the moving average.
    Mean,
    /// The standard deviation of a sample (n − 1); missing for one value.
    Std,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The median: of an even number of values the mean of the two in the middle.
    Median,
}

/// Where a window lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Align {
    /// It ends with the row.
    #[default]
    Trailing,
    /// The row is in its middle; of an even window, the first of the latter half.
    Centered,
}

/// A regular grid of the index.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resample {
    /// The distance of the grid's points, above 0, in units of the index; seconds when that is a day or instant.
    pub step: f64,
    /// How values come onto the grid. Default: linear.
    #[serde(default)]
    pub method: Method,
}

/// How values come onto a grid that begins at the first row of each group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// On the line between the values before and after; before the first and after the last there is none.
    #[default]
    Linear,
    /// The mean of the values from a point to before the next one; none where there is no value.
    Mean,
}

fn one() -> usize {
    1
}

fn two() -> usize {
    2
}

fn all() -> f64 {
    1.0
}

fn one_back() -> i64 {
    1
}

impl With {
    /// Whether everything is in its range.
    ///
    /// # Errors
    ///
    /// 78 with the field.
    pub fn check(&self) -> Result<(), Failure> {
        self.reading().check()?;
        if self.operations.is_empty() {
            return Err(Failure::config("with.operations: give at least one"));
        }
        for (place, operation) in self.operations.iter().enumerate() {
            operation.check().map_err(|what| Failure::config(format!("with.operations[{place}].{what}")))?;
        }
        Ok(())
    }

    /// How the table is read.
    #[must_use]
    pub fn reading(&self) -> Reading {
        Reading { format: self.format, csv: self.csv.clone(), limits: self.limits }
    }
}

impl Operation {
    /// The column that it is of, and the name of the one that it makes; none for what changes the whole table.
    #[must_use]
    pub fn columns(&self) -> Option<(&str, String)> {
        let (column, name, default) = match self {
            Self::Derivative(one) => (&one.column, &one.name, format!("d{}", one.order)),
            Self::SavitzkyGolay(one) => (&one.column, &one.name, format!("sg{}", one.derivative)),
            Self::Spectral(one) => (&one.column, &one.name, format!("s{}", one.order)),
            Self::Gaussian(one) => (&one.column, &one.name, "gaussian".to_owned()),
            Self::Whittaker(one) => (&one.column, &one.name, "whittaker".to_owned()),
            Self::Lag(one) => (&one.column, &one.name, format!("lag{}", one.by)),
            Self::Rolling(one) => (&one.column, &one.name, format!("{}{}", one.function.word(), one.window)),
            Self::Resample(_) => return None,
        };
        Some((column, name.clone().unwrap_or_else(|| format!("{column}_{default}"))))
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Derivative(one) => {
                within("derivative.order", one.order, 1, 4)?;
                within("derivative.accuracy", one.accuracy, 1, 8)
            }
            Self::SavitzkyGolay(one) => {
                within("savitzkyGolay.window", one.window, 3, 1001)?;
                if one.window.is_multiple_of(2) {
                    return Err(format!("savitzkyGolay.window: {} is even, a window has a middle", one.window));
                }
                within("savitzkyGolay.degree", one.degree, 0, 10.min(one.window - 1))?;
                within("savitzkyGolay.derivative", one.derivative, 0, one.degree)
            }
            Self::Spectral(one) => {
                within("spectral.order", one.order, 0, 8)?;
                let good = one.cutoff > 0.0 && one.cutoff <= 1.0;
                if good { Ok(()) } else { Err(format!("spectral.cutoff: {} is not above 0 and at most 1", one.cutoff)) }
            }
            Self::Gaussian(one) => positive("gaussian.sigma", one.sigma),
            Self::Whittaker(one) => {
                positive("whittaker.lambda", one.lambda)?;
                within("whittaker.order", one.order, 1, 4)
            }
            Self::Lag(one) if one.by == 0 => Err("lag.by: 0 is the row itself".to_owned()),
            Self::Lag(_) => Ok(()),
            Self::Rolling(one) => {
                within("rolling.window", one.window, 1, 100_000)?;
                within("rolling.minCount", one.min_count.unwrap_or(one.window), 1, one.window)
            }
            Self::Resample(one) => positive("resample.step", one.step),
        }
    }
}

impl Function {
    fn word(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Std => "std",
            Self::Min => "min",
            Self::Max => "max",
            Self::Median => "median",
        }
    }
}

fn within(field: &str, value: usize, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(format!("{field}: {value} is not from {min} to {max}")) }
}

fn positive(field: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(format!("{field}: {value} is not above 0")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(operation: &str) -> String {
        serde_json::from_str::<Operation>(operation).unwrap().check().unwrap_err()
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        for (operation, expected) in [
            (r#"{"derivative": {"column": "u", "order": 5}}"#, "derivative.order: 5 is not from 1 to 4"),
            (r#"{"derivative": {"column": "u", "accuracy": 0}}"#, "derivative.accuracy: 0 is not from 1 to 8"),
            (
                r#"{"savitzkyGolay": {"column": "u", "window": 4}}"#,
                "savitzkyGolay.window: 4 is even, a window has a middle",
            ),
            (
                r#"{"savitzkyGolay": {"column": "u", "window": 3, "degree": 3}}"#,
                "savitzkyGolay.degree: 3 is not from 0 to 2",
            ),
            (
                r#"{"savitzkyGolay": {"column": "u", "window": 5, "derivative": 3}}"#,
                "savitzkyGolay.derivative: 3 is not from 0 to 2",
            ),
            (r#"{"spectral": {"column": "u", "cutoff": 0}}"#, "spectral.cutoff: 0 is not above 0 and at most 1"),
            (r#"{"gaussian": {"column": "u", "sigma": -1}}"#, "gaussian.sigma: -1 is not above 0"),
            (r#"{"whittaker": {"column": "u", "lambda": 0}}"#, "whittaker.lambda: 0 is not above 0"),
            (r#"{"lag": {"column": "u", "by": 0}}"#, "lag.by: 0 is the row itself"),
            (
                r#"{"rolling": {"column": "u", "window": 3, "function": "mean", "minCount": 4}}"#,
                "rolling.minCount: 4 is not from 1 to 3",
            ),
            (r#"{"resample": {"step": 0}}"#, "resample.step: 0 is not above 0"),
        ] {
            assert_eq!(says(operation), expected);
        }
    }

    #[test]
    fn unknown_words_are_refused() {
        let wrong = |text: &str| serde_json::from_str::<Operation>(text).unwrap_err().to_string();
        assert!(
            wrong(r#"{"derivate": {"column": "u"}}"#)
                .contains("unknown variant `derivate`, expected one of `derivative`")
        );
        assert!(wrong(r#"{"lag": {"column": "u", "rows": 1}}"#).contains("unknown field `rows`"));
    }

    #[test]
    fn the_catalog_is_that_of_the_sources() {
        hearth_runtime::catalog::check::<crate::run::Features>(include_str!("../catalog.json")).unwrap();
    }
}
