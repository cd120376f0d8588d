//! Figures of a stream of strings.

use crate::profile::{Frequent, StringProfile};
use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use hearth_runtime::Failure;

/// The size of the map that counts frequent strings: what makes up less than 3.5 / this of the rows may be missed.
const MAP: usize = 256;
/// Longer strings are not counted as frequent ones, so that memory does not grow.
const FREQUENT_BYTES: usize = 256;
/// How many frequent values a profile has.
const FREQUENT: usize = 20;
/// How many characters of the first and last string a profile has.
const SHOWN: usize = 64;

/// Figures of a stream of strings, in memory that does not grow.
#[derive(Debug)]
pub struct Texts {
    count: u64,
    min: String,
    max: String,
    min_bytes: usize,
    max_bytes: usize,
    bytes: u64,
    frequent: FrequentItemsSketch<String>,
}

impl Texts {
    /// Of nothing yet.
    ///
    /// # Errors
    ///
    /// 70: the size of the map is no power of two.
    pub fn new() -> Result<Self, Failure> {
        Ok(Self {
            count: 0,
            min: String::new(),
            max: String::new(),
            min_bytes: usize::MAX,
            max_bytes: 0,
            bytes: 0,
            frequent: FrequentItemsSketch::new(MAP).map_err(Failure::defect)?,
        })
    }

    /// Adds a string.
    pub fn add(&mut self, text: &str) {
        if self.count == 0 || start(text) < self.min.as_str() {
            self.min = start(text).to_owned();
        }
        if self.count == 0 || start(text) > self.max.as_str() {
            self.max = start(text).to_owned();
        }
        self.count += 1;
        self.min_bytes = self.min_bytes.min(text.len());
        self.max_bytes = self.max_bytes.max(text.len());
        self.bytes += text.len() as u64;
        if text.len() <= FREQUENT_BYTES {
            self.frequent.update_ref(text);
        }
    }

    /// The figures and the frequent values.
    #[must_use]
    pub fn profile(self) -> (StringProfile, Vec<Frequent>) {
        let figures = StringProfile {
            min: self.min,
            max: self.max,
            min_bytes: self.min_bytes as u64,
            max_bytes: self.max_bytes as u64,
            mean_bytes: self.bytes as f64 / self.count.max(1) as f64,
        };
        let rows = self.frequent.frequent_items(ErrorType::NoFalsePositives);
        let mut frequent: Vec<Frequent> =
            rows.iter().map(|row| Frequent { value: row.item().clone(), count: row.estimate() }).collect();
        frequent.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        frequent.truncate(FREQUENT);
        (figures, frequent)
    }
}

fn start(text: &str) -> &str {
    if text.len() <= SHOWN {
        return text;
    }
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text.get(..end).unwrap_or(text),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_strings_are_found_among_many() {
        let mut texts = Texts::new().unwrap();
        for n in 0..50_000 {
            texts.add(if n % 4 == 0 { "often" } else { "" });
            texts.add(&format!("once {n}"));
        }
        let (figures, frequent) = texts.profile();
        assert_eq!((figures.min.as_str(), figures.max.as_str()), ("", "once 9999"));
        assert_eq!((figures.min_bytes, figures.max_bytes), (0, 10));
        let counts: Vec<(&str, u64)> = frequent.iter().map(|one| (one.value.as_str(), one.count)).collect();
        assert_eq!(counts[0].0, "");
        assert_eq!(counts[1].0, "often");
        let near = |found: u64, exact: u64| found.abs_diff(exact) < 100_000 * 35 / 2560;
        assert!(near(counts[0].1, 37_500) && near(counts[1].1, 12_500), "{counts:?}");
    }

    #[test]
    fn long_strings_are_cut() {
        let mut texts = Texts::new().unwrap();
        texts.add(&"é".repeat(1000));
        let (figures, frequent) = texts.profile();
        assert_eq!((figures.min.chars().count(), figures.max_bytes, frequent.len()), (64, 2000, 0));
    }
}
