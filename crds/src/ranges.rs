//! Sets of numbers as people write them: `0-4,7,9-12`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};

/// The most ranges that a text may have.
const MAX_RANGES: usize = 10_000;

/// A set of numbers, kept and written as ranges in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many numbers are in it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.iter().map(|(from, to)| (to - from) as usize + 1).sum()
    }

    /// Whether `number` is in it.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        self.place(number).is_ok()
    }

    /// The numbers in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    /// Puts `number` in.
    pub fn insert(&mut self, number: u32) {
        let Err(at) = self.place(number) else { return };
        let joins_next = self.0.get(at).is_some_and(|(from, _)| number.checked_add(1) == Some(*from));
        let before = at.checked_sub(1);
        let joins_last = before.and_then(|b| self.0.get(b)).is_some_and(|(_, to)| to.checked_add(1) == Some(number));
        match (joins_last, joins_next) {
            (true, true) => {
                let (_, end) = self.0.remove(at);
                if let Some(range) = before.and_then(|b| self.0.get_mut(b)) {
                    range.1 = end;
                }
            }
            (true, false) => {
                if let Some(range) = before.and_then(|b| self.0.get_mut(b)) {
                    range.1 = number;
                }
            }
            (false, true) => {
                if let Some(range) = self.0.get_mut(at) {
                    range.0 = number;
                }
            }
            (false, false) => self.0.insert(at, (number, number)),
        }
    }

    /// Takes `number` out.
    pub fn remove(&mut self, number: u32) {
        let Ok(at) = self.place(number) else { return };
        let (from, to) = self.0.remove(at);
        if number < to {
            self.0.insert(at, (number + 1, to));
        }
        if from < number {
            self.0.insert(at, (from, number - 1));
        }
    }

    /// Where the range of `number` is, or would be.
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.0.binary_search_by(|(from, to)| {
            if *to < number {
                std::cmp::Ordering::Less
            } else if *from > number {
                std::cmp::Ordering::Greater
            } else {
                std::cmp::Ordering::Equal
            }
        })
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (from, to)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if from == to { write!(f, "{comma}{from}")? } else { write!(f, "{comma}{from}-{to}")? }
        }
        Ok(())
    }
}

impl FromStr for Ranges {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for part in text.split(',').filter(|p| !p.is_empty()) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| text.parse::<u32>().map_err(|e| format!("`{part}` is no range of numbers: {e}"));
            let (from, to) = (number(from)?, number(to)?);
            if from > to || ranges.last().is_some_and(|(_, last)| *last >= from) {
                return Err(format!("`{part}` is out of order"));
            }
            if ranges.len() >= MAX_RANGES {
                return Err(format!("more than {MAX_RANGES} ranges"));
            }
            ranges.push((from, to));
        }
        Ok(Self(ranges))
    }
}

impl Serialize for Ranges {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ranges {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(d)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Ranges {
    fn schema_name() -> Cow<'static, str> {
        "Ranges".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "maxLength": 65536})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every change is compared with a plain set; the sequence is fixed (xorshift from 1).
    #[test]
    fn it_is_a_set() {
        let (mut ranges, mut set, mut seed) = (Ranges::default(), BTreeSet::new(), 1u32);
        for _ in 0..4000 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let number = seed % 64;
            if seed & 0x100 == 0 {
                ranges.insert(number);
                set.insert(number);
            } else {
                ranges.remove(number);
                set.remove(&number);
            }
            assert_eq!(ranges.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            assert_eq!(ranges.count(), set.len());
            assert_eq!(ranges.contains(number), set.contains(&number));
            assert_eq!(ranges.to_string().parse::<Ranges>(), Ok(ranges.clone()));
            assert!(ranges.0.windows(2).all(|w| w[0].1 + 1 < w[1].0), "{ranges}");
        }
    }

    #[test]
    fn texts_out_of_order_are_refused() {
        for text in ["3-1", "1,1", "4,2", "a", "1-", "-1", "1--2", "99999999999"] {
            assert!(text.parse::<Ranges>().is_err(), "{text}");
        }
        assert_eq!("".parse(), Ok(Ranges::default()));
    }
}
