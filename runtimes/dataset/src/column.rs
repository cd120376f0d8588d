//! The profile of one column as its cells pass by.

use crate::{
    check::{Broken, Check},
    drift::Drift,
    numbers::Numbers,
    profile::{ColumnProfile, Frequent, TimeProfile, Values},
    texts::Texts,
};
use datasketches::hll::{HllSketch, HllType};
use hearth_runtime::Failure;
use hearth_table::{Batch, Cell, Kind, Kinds};
use std::{collections::BTreeMap, convert::Infallible};

/// 2 to this are the registers of the sketch that counts distinct values: off by 1.6 % or so, in 4 KiB.
const REGISTERS: u8 = 12;
/// How many types a cell has, none included.
const KINDS: usize = 8;

/// A column as its cells pass by, in memory that does not grow but for `unique`.
#[derive(Debug)]
pub struct Column {
    name: String,
    values: [Values; KINDS],
    /// Rows that have passed by.
    rows: u64,
    trues: u64,
    numbers: Numbers,
    times: [Option<(i64, i64)>; KINDS],
    texts: Texts,
    distinct: HllSketch,
    checks: Vec<Check>,
    drifts: Vec<Drift>,
}

impl Column {
    /// A column without rows.
    ///
    /// # Errors
    ///
    /// 70: a sketch can't be made.
    pub fn new(name: String, checks: Vec<Check>, drifts: Vec<Drift>) -> Result<Self, Failure> {
        Ok(Self {
            name,
            values: [Values { count: 0, first_row: 0 }; KINDS],
            rows: 0,
            trues: 0,
            numbers: Numbers::new()?,
            times: [None; KINDS],
            texts: Texts::new()?,
            distinct: HllSketch::new(REGISTERS, HllType::Hll8).map_err(Failure::defect)?,
            checks,
            drifts,
        })
    }

    /// Adds all cells of this column in a batch.
    pub fn add_batch(&mut self, batch: &Batch, place: usize) {
        self.skip_to(batch.first_row);
        let visited = batch.visit(place, |row, cell| {
            self.add(row, cell);
            Ok::<(), Infallible>(())
        });
        match visited {
            Ok(()) => self.skip_to(batch.first_row + batch.rows as u64),
            Err(never) => match never {},
        }
    }

    /// Adds a cell.
    pub fn add(&mut self, row: u64, cell: Cell<'_>) {
        self.rows = row;
        let cell = cell.typed();
        let kind = cell.kind();
        if let Some(values) = self.values.get_mut(kind as usize) {
            if values.count == 0 {
                values.first_row = row;
            }
            values.count += 1;
        }
        match cell {
            Cell::Null => {}
            Cell::Boolean(value) => {
                self.trues += u64::from(value);
                self.distinct.update(value);
            }
            Cell::Integer(value) => self.add_number(value as f64),
            Cell::Number(value) => self.add_number(value),
            Cell::Date(days) => self.add_time(kind, days.into()),
            Cell::DateTime(micros) | Cell::Timestamp(micros) => self.add_time(kind, micros),
            Cell::Text(text) | Cell::Quoted(text) | Cell::Raw(text) => {
                self.texts.add(text);
                self.distinct.update(text);
            }
        }
        self.checks.iter_mut().for_each(|check| check.look(row, cell));
        self.drifts.iter_mut().for_each(|drift| drift.add(cell));
    }

    fn add_number(&mut self, value: f64) {
        self.numbers.add(value);
        self.distinct.update(value.to_bits());
    }

    fn add_time(&mut self, kind: Kind, value: i64) {
        if let Some(range) = self.times.get_mut(kind as usize) {
            let (min, max) = range.get_or_insert((value, value));
            (*min, *max) = ((*min).min(value), (*max).max(value));
        }
        self.distinct.update(value);
    }

    /// Rows that were not visited have no value: only JSON lines have such, so this is no loop that matters.
    fn skip_to(&mut self, row: u64) {
        while self.rows + 1 < row {
            self.add(self.rows + 1, Cell::Null);
        }
    }

    /// The column's profile, given how many rows the table has, and what does not hold.
    ///
    /// # Errors
    ///
    /// 70: a sketch can't be read.
    pub fn profile(mut self, rows: u64) -> Result<(ColumnProfile, Vec<Broken>), Failure> {
        self.skip_to(rows + 1);
        let values = self.values();
        let mut kinds = Kinds::default();
        values.keys().for_each(|kind| kinds.insert(*kind));
        let kind = kinds.column();
        let nulls = self.values.first().map_or(0, |nulls| nulls.count);
        let distinct = self.distinct.estimate().round() as u64;
        let times = self.times(kind);
        let broken = broken(self.checks, &self.drifts);
        let (strings, mut frequent) = self.texts.profile();
        if kind == Kind::Boolean {
            frequent = booleans(self.trues, rows - nulls - self.trues);
        }
        let profile = ColumnProfile {
            name: self.name,
            kind,
            nulls,
            values,
            distinct,
            numbers: if kind.is_numeric() { self.numbers.profile()? } else { None },
            times,
            strings: (kind == Kind::String).then_some(strings),
            frequent: if matches!(kind, Kind::String | Kind::Boolean) { frequent } else { Vec::new() },
        };
        Ok((profile, broken))
    }

    fn values(&self) -> BTreeMap<Kind, Values> {
        let kinds =
            [Kind::Boolean, Kind::Integer, Kind::Number, Kind::Date, Kind::DateTime, Kind::Timestamp, Kind::String];
        let of = |kind: Kind| self.values.get(kind as usize).copied().filter(|values| values.count > 0);
        kinds.into_iter().filter_map(|kind| Some((kind, of(kind)?))).collect()
    }

    /// The first and the last; days are midnights where there are times too.
    fn times(&self, kind: Kind) -> Option<TimeProfile> {
        const DAY: i64 = 86_400_000_000;
        let range = |kind: Kind| self.times.get(kind as usize).copied().flatten();
        let cell: fn(i64) -> Cell<'static> = match kind {
            Kind::Date => |days| i32::try_from(days).map_or(Cell::Null, Cell::Date),
            Kind::DateTime => Cell::DateTime,
            Kind::Timestamp => Cell::Timestamp,
            _ => return None,
        };
        let days = range(Kind::Date).filter(|_| kind == Kind::DateTime).map(|(min, max)| (min * DAY, max * DAY));
        let both = range(kind).into_iter().chain(days);
        let (min, max) = both.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        Some(TimeProfile { min: cell(min).text().into_owned(), max: cell(max).text().into_owned() })
    }
}

fn booleans(trues: u64, falses: u64) -> Vec<Frequent> {
    let both = [("true", trues), ("false", falses)];
    let there = both.into_iter().filter(|(_, count)| *count > 0);
    let mut frequent: Vec<Frequent> = there.map(|(value, count)| Frequent { value: value.to_owned(), count }).collect();
    frequent.sort_by_key(|one| std::cmp::Reverse(one.count));
    frequent
}

fn broken(checks: Vec<Check>, drifts: &[Drift]) -> Vec<Broken> {
    let drifted =
        drifts.iter().filter_map(|drift| drift.broken().map(|what| Broken { place: drift.place, what, rows: 1 }));
    checks.into_iter().filter_map(Check::broken).chain(drifted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> ColumnProfile {
        let mut column = Column::new("a".into(), Vec::new(), Vec::new()).unwrap();
        for (row, cell) in (1..).zip(cells) {
            column.add(row, if cell.is_empty() { Cell::Null } else { Cell::Raw(cell) });
        }
        column.profile(cells.len() as u64).unwrap().0
    }

    #[test]
    fn each_type_has_its_figures() {
        let numbers = of(&["1", "2.5", "", "2.5"]);
        assert_eq!((numbers.kind, numbers.nulls, numbers.distinct), (Kind::Number, 1, 2));
        assert_eq!(numbers.values[&Kind::Number], Values { count: 2, first_row: 2 });
        assert_eq!(numbers.numbers.unwrap().max, 2.5);
        let times = of(&["1958-03-29", "1958-03-29T12:00:00"]);
        let expected = TimeProfile { min: "1958-03-29T00:00:00".into(), max: "1958-03-29T12:00:00".into() };
        assert_eq!((times.kind, times.times), (Kind::DateTime, Some(expected)));
        let dates = of(&["1958-04-29", "1958-03-29"]).times.unwrap();
        assert_eq!((dates.min.as_str(), dates.max.as_str()), ("1958-03-29", "1958-04-29"));
        let booleans = of(&["true", "false", "true", ""]);
        assert_eq!((booleans.kind, booleans.frequent[0].count, booleans.frequent[1].count), (Kind::Boolean, 2, 1));
        let mixed = of(&["1", "x"]);
        assert_eq!((mixed.kind, mixed.numbers.is_none()), (Kind::String, true));
        assert_eq!(mixed.values[&Kind::String].first_row, 2);
        assert_eq!(of(&["", ""]).kind, Kind::Null);
    }

    #[test]
    fn distinct_values_are_about_right() {
        let cells: Vec<String> = (0..60_000).map(|n| (n % 20_000).to_string()).collect();
        let found = of(&cells.iter().map(String::as_str).collect::<Vec<_>>()).distinct;
        assert!(found.abs_diff(20_000) < 1000, "{found}");
    }
}
