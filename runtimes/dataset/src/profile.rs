//! The profile as it is written: JSON, described in README.md.

use hearth_runtime::Failure;
use hearth_table::{Format, Kind};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

/// The version of the format.
pub const VERSION: &str = "1";
/// The most bytes of an earlier profile.
const PROFILE_MAX: u64 = 64 << 20;

/// What a table is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The version of this format.
    pub version: String,
    /// The table's format.
    pub format: Format,
    /// SHA-256 of its file, `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its rows.
    pub rows: u64,
    /// Its columns, in the file's order.
    pub columns: Vec<ColumnProfile>,
}

/// What a column is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// The narrowest type that all its values fit.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Rows without a value.
    pub nulls: u64,
    /// How many values are of each type, and the first row that has one.
    pub values: BTreeMap<Kind, Values>,
    /// About how many values differ; exact when it is small.
    pub distinct: u64,
    /// Of a column of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberProfile>,
    /// Of a column of days or instants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<TimeProfile>,
    /// Of a column of strings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strings: Option<StringProfile>,
    /// The values that are there most often, of columns of strings and booleans, the most frequent first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frequent: Vec<Frequent>,
}

/// Values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Values {
    /// How many.
    pub count: u64,
    /// The first row that has one, from 1.
    pub first_row: u64,
}

/// What numbers are like. NaN and infinite ones are counted and are in nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberProfile {
    /// Finite ones.
    pub finite: u64,
    /// NaN and infinite ones.
    pub non_finite: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The standard deviation of a sample (n − 1); none for one value.
    pub std: Option<f64>,
    /// Approximate quantiles, by a t-digest.
    pub quantiles: Vec<Quantile>,
    /// Exact counts in bins of equal width.
    pub histogram: HistogramProfile,
    /// The values cut at their tenths: what drift is measured against.
    pub tenths: Tenths,
}

/// A quantile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The share of values at or below it.
    pub p: f64,
    /// The value.
    pub value: f64,
}

/// Counts in bins of equal width: bin i has the values from `start + i · width`, and below the next one's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramProfile {
    /// Where the first bin begins.
    pub start: f64,
    /// The bins' width, a power of two.
    pub width: f64,
    /// How many values each bin has.
    pub counts: Vec<u64>,
}

/// Bins between approximate tenths: bin i has what is above `edges[i - 1]` and at most `edges[i]`, the last bin all above
/// the last edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tenths {
    /// Rising, none twice.
    pub edges: Vec<f64>,
    /// The share of values in each bin: one more than there are edges.
    pub shares: Vec<f64>,
}

/// What days or instants are like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeProfile {
    /// The first.
    pub min: String,
    /// The last.
    pub max: String,
}

/// What strings are like: of the values that are nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StringProfile {
    /// The first in order of bytes, its first 64 characters.
    pub min: String,
    /// The last in order of bytes, its first 64 characters.
    pub max: String,
    /// Bytes of the shortest.
    pub min_bytes: u64,
    /// Bytes of the longest.
    pub max_bytes: u64,
    /// Mean bytes.
    pub mean_bytes: f64,
}

/// A value that is there often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frequent {
    /// The value.
    pub value: String,
    /// About how often; exact while few values differ.
    pub count: u64,
}

impl Profile {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Reads an earlier profile.
    ///
    /// # Errors
    ///
    /// 74 when the file can't be read, 65 when it is no profile of a version that this program knows.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let io = |error: std::io::Error| Failure::io(format!("{}: {error}", path.display()));
        let mut text = Vec::new();
        File::open(path).map_err(io)?.take(PROFILE_MAX).read_to_end(&mut text).map_err(io)?;
        let profile: Self = serde_json::from_slice(&text)
            .map_err(|error| Failure::data(format!("{}: not a profile: {error}", path.display())))?;
        if profile.version != VERSION {
            let (path, version) = (path.display(), profile.version);
            return Err(Failure::data(format!("{path}: a profile of version {version:?}, only {VERSION:?} is known")));
        }
        Ok(profile)
    }
}
