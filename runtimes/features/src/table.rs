//! The table in memory.

use arrow_array::{
    Array, ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray,
    cast::AsArray,
    types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Field, Schema};
use hearth_runtime::Failure;
use hearth_table::{ColumnBuilder, Kind, Kinds, Reading, TableWriter, open};
use std::{convert::Infallible, path::Path, sync::Arc};

/// Rows that are written at once.
const ROWS: usize = 64 * 1024;
/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Microseconds of a second.
const SECOND: f64 = 1e6;

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: usize,
}

/// A column in memory.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its cells.
    pub cells: ArrayRef,
}

impl Table {
    /// Reads a table: once for the types of its columns, and once for its cells.
    ///
    /// # Errors
    ///
    /// As [`open`], 65 for more rows than `most`, 78 for a column that there is not.
    pub fn read(path: &Path, reading: &Reading, only: Option<&[String]>, most: usize) -> Result<Self, Failure> {
        let chosen = choose(path, reading, only, most)?;
        let mut builders: Vec<ColumnBuilder> = chosen.iter().map(|(_, _, kind)| ColumnBuilder::new(*kind)).collect();
        let mut source = open(path, reading)?;
        let mut rows = 0;
        while let Some(batch) = source.next_batch()? {
            rows += batch.rows;
            for ((place, name, kind), builder) in chosen.iter().zip(&mut builders) {
                let mut visited = 0;
                batch.visit(*place, |row, cell| {
                    visited += 1;
                    let changed = || Failure::data(format!("row {row}: {name:?} has changed, it was {kind}"));
                    if builder.push(cell) { Ok(()) } else { Err(changed()) }
                })?;
                (visited..batch.rows).for_each(|_| builder.push_null());
            }
        }
        let columns = chosen.into_iter().zip(&mut builders);
        let columns = columns.map(|((_, name, _), builder)| Column { name, cells: builder.finish() }).collect();
        Ok(Self { columns, rows })
    }

    /// The column of this name.
    ///
    /// # Errors
    ///
    /// 78 when there is none; `field` is where the name stands.
    pub fn column(&self, name: &str, field: &str) -> Result<&Column, Failure> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.columns.iter().take(50).map(|column| column.name.as_str()).collect();
            Failure::config(format!("{field}: there is no column {name:?}, there are {}", names.join(", ")))
        })
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// As [`TableWriter`].
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let field = |column: &Column| Field::new(&column.name, column.cells.data_type().clone(), true);
        let schema = Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()));
        let cells = self.columns.iter().map(|column| column.cells.clone()).collect();
        let all = RecordBatch::try_new(schema.clone(), cells).map_err(Failure::defect)?;
        let mut writer = TableWriter::create(path, "table", &schema)?;
        for from in (0..self.rows).step_by(ROWS) {
            writer.write(&all.slice(from, ROWS.min(self.rows - from)))?;
        }
        writer.finish()
    }
}

/// The chosen columns: place, name and type.
fn choose(
    path: &Path,
    reading: &Reading,
    only: Option<&[String]>,
    most: usize,
) -> Result<Vec<(usize, String, Kind)>, Failure> {
    let mut source = open(path, reading)?;
    let (mut kinds, mut rows): (Vec<Kinds>, usize) = (Vec::new(), 0);
    while let Some(batch) = source.next_batch()? {
        rows += batch.rows;
        if rows > most {
            let path = path.display();
            return Err(Failure::data(format!("{path}: more than {most} rows: set maxRows, and memory to hold them")));
        }
        kinds.resize(source.columns().len(), Kinds::default());
        for (place, kinds) in kinds.iter_mut().enumerate() {
            let seen = batch.visit(place, |_, cell| {
                kinds.insert(cell.typed().kind());
                Ok::<(), Infallible>(())
            });
            match seen {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }
    kinds.resize(source.columns().len(), Kinds::default());
    let names = source.columns();
    if let Some(missing) = only.and_then(|only| only.iter().find(|name| !names.contains(name))) {
        return Err(Failure::config(format!(
            "with.columns: there is no column {missing:?}, there are {}",
            names.join(", ")
        )));
    }
    let wanted = |name: &String| only.is_none_or(|only| only.contains(name));
    let all = names.iter().zip(kinds).enumerate();
    Ok(all
        .filter(|(_, (name, _))| wanted(name))
        .map(|(at, (name, kinds))| (at, name.clone(), kinds.column()))
        .collect())
}

impl Column {
    /// A column of numbers; NaN is no value.
    #[must_use]
    pub fn of_numbers(name: String, values: Vec<f64>) -> Self {
        let cells: Float64Array = values.into_iter().map(|value| (!value.is_nan()).then_some(value)).collect();
        Self { name, cells: Arc::new(cells) }
    }

    /// A column of what this one is, days becoming days and times, from numbers as [`Column::numbers`] gives them.
    #[must_use]
    pub fn like(&self, values: Vec<f64>) -> Self {
        let name = self.name.clone();
        let zone = match self.cells.data_type() {
            DataType::Timestamp(_, zone) => zone.clone(),
            DataType::Date32 => None,
            _ => return Self::of_numbers(name, values),
        };
        let micros = values.into_iter().map(|value| (!value.is_nan()).then(|| (value * SECOND).round() as i64));
        let cells = micros.collect::<TimestampMicrosecondArray>().with_timezone_opt(zone);
        Self { name, cells: Arc::new(cells) }
    }

    /// Whether its cells are numbers.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        matches!(self.cells.data_type(), DataType::Int64 | DataType::Float64)
    }

    /// Its cells as numbers, days and instants in seconds since 1970; what has no value is NaN. None for other cells.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let missing = f64::NAN;
        let cells = &self.cells;
        Some(match cells.data_type() {
            DataType::Float64 => cells.as_primitive::<Float64Type>().iter().map(|c| c.unwrap_or(missing)).collect(),
            DataType::Int64 => {
                cells.as_primitive::<Int64Type>().iter().map(|c| c.map_or(missing, |c| c as f64)).collect()
            }
            DataType::Date32 => {
                cells.as_primitive::<Date32Type>().iter().map(|c| c.map_or(missing, |c| f64::from(c) * DAY)).collect()
            }
            DataType::Timestamp(..) => {
                let cells = cells.as_primitive::<TimestampMicrosecondType>();
                cells.iter().map(|c| c.map_or(missing, |c| c as f64 / SECOND)).collect()
            }
            _ => return None,
        })
    }
}
