//! Apache Parquet. Structs become columns named `outer.inner`; lists, maps and bytes are refused.

use crate::{Batch, Cell, Limits, Source, batch::Content, source::add_column};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, StructArray,
    cast::AsArray,
    types::{
        Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Fields, TimeUnit};
use hearth_runtime::Failure;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::{fs::File, path::Path};

const BATCH_ROWS: usize = 8192;
const DAY_MILLIS: i64 = 86_400_000;

/// A Parquet file.
pub(crate) struct ParquetSource {
    name: String,
    reader: ParquetRecordBatchReader,
    columns: Vec<String>,
    rows: u64,
}

impl ParquetSource {
    pub(crate) fn open(path: &Path, limits: Limits) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::io(format!("{name}: {error}")))?;
        let data = |error: parquet::errors::ParquetError| Failure::data(format!("{name}: not Parquet: {error}"));
        // A schema of Arrow's own may ask for dictionaries and views: the plain types are enough.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(data)?;
        let mut columns = Vec::new();
        name_columns(builder.schema().fields(), "", 1, limits, &name, &mut columns)?;
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(data)?;
        Ok(Self { name, reader, columns, rows: 0 })
    }
}

impl Source for ParquetSource {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, Failure> {
        let Some(read) = self.reader.next() else { return Ok(None) };
        let first_row = self.rows + 1;
        let read =
            read.map_err(|error| Failure::data(format!("{}, at row {first_row} or later: {error}", self.name)))?;
        let rows = read.num_rows();
        self.rows += u64::try_from(rows).unwrap_or_default();
        let mut leaves = Vec::with_capacity(self.columns.len());
        flatten(&StructArray::from(read), None, &mut leaves);
        Ok(Some(Batch { first_row, rows, content: Content::Parquet(leaves) }))
    }
}

fn name_columns(
    fields: &Fields,
    prefix: &str,
    depth: usize,
    limits: Limits,
    place: &str,
    columns: &mut Vec<String>,
) -> Result<(), Failure> {
    for field in fields {
        let name = if prefix.is_empty() { field.name().clone() } else { format!("{prefix}.{}", field.name()) };
        match field.data_type() {
            DataType::Struct(inner) if depth < limits.nesting => {
                name_columns(inner, &name, depth + 1, limits, place, columns)?;
            }
            of if readable(of) => {
                if columns.contains(&name) {
                    return Err(Failure::data(format!("{place}: column {name:?} is there twice")));
                }
                add_column(columns, &name, limits, place)?;
            }
            of => {
                return Err(Failure::data(format!(
                    "{place}, column {name:?}: {of} is not read: numbers, booleans, strings, days, instants and structs are"
                )));
            }
        }
    }
    Ok(())
}

/// A column without structs around it, and which of its cells are null by itself or by them.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    array: ArrayRef,
    nulls: Option<NullBuffer>,
}

/// Leaves in the order of [`name_columns`].
fn flatten(parent: &StructArray, outer: Option<&NullBuffer>, leaves: &mut Vec<Leaf>) {
    for array in parent.columns() {
        let nulls = NullBuffer::union(outer, array.logical_nulls().as_ref());
        match array.as_struct_opt() {
            Some(inner) => flatten(inner, nulls.as_ref(), leaves),
            None => leaves.push(Leaf { array: array.clone(), nulls }),
        }
    }
}

fn readable(of: &DataType) -> bool {
    matches!(
        of,
        DataType::Null
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Date32
            | DataType::Date64
            | DataType::Timestamp(..)
    )
}

impl Leaf {
    /// Visits each cell with its row.
    pub(crate) fn visit<E>(
        &self,
        first_row: u64,
        mut visit: impl FnMut(u64, Cell<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut each = |place: usize, cell: Cell<'_>| {
            let null = self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(place));
            let row = first_row + u64::try_from(place).unwrap_or_default();
            visit(row, if null { Cell::Null } else { cell })
        };
        let array = self.array.as_ref();
        match array.data_type() {
            DataType::Boolean => {
                (0..array.len()).try_for_each(|at| each(at, Cell::Boolean(array.as_boolean().value(at))))
            }
            DataType::Utf8 => {
                (0..array.len()).try_for_each(|at| each(at, Cell::Quoted(array.as_string::<i32>().value(at))))
            }
            DataType::LargeUtf8 => {
                (0..array.len()).try_for_each(|at| each(at, Cell::Quoted(array.as_string::<i64>().value(at))))
            }
            DataType::Int8 => numbers::<Int8Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::Int16 => numbers::<Int16Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::Int32 => numbers::<Int32Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::Int64 => numbers::<Int64Type, E>(array, Cell::Integer, each),
            DataType::UInt8 => numbers::<UInt8Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::UInt16 => numbers::<UInt16Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::UInt32 => numbers::<UInt32Type, E>(array, |value| Cell::Integer(value.into()), each),
            DataType::UInt64 => numbers::<UInt64Type, E>(array, unsigned, each),
            DataType::Float32 => numbers::<Float32Type, E>(array, |value| Cell::Number(value.into()), each),
            DataType::Float64 => numbers::<Float64Type, E>(array, Cell::Number, each),
            DataType::Decimal128(_, scale) => {
                let unit = 10f64.powi((*scale).into());
                numbers::<Decimal128Type, E>(array, |value| Cell::Number(wide(value) / unit), each)
            }
            DataType::Date32 => numbers::<Date32Type, E>(array, Cell::Date, each),
            DataType::Date64 => numbers::<Date64Type, E>(array, day, each),
            DataType::Timestamp(unit, zone) => {
                let cell: fn(i64) -> Cell<'static> = if zone.is_some() { Cell::Timestamp } else { Cell::DateTime };
                match unit {
                    TimeUnit::Second => {
                        numbers::<TimestampSecondType, E>(array, |at| cell(at.saturating_mul(1_000_000)), each)
                    }
                    TimeUnit::Millisecond => {
                        numbers::<TimestampMillisecondType, E>(array, |at| cell(at.saturating_mul(1000)), each)
                    }
                    TimeUnit::Microsecond => numbers::<TimestampMicrosecondType, E>(array, cell, each),
                    TimeUnit::Nanosecond => {
                        numbers::<TimestampNanosecondType, E>(array, |at| cell(at.div_euclid(1000)), each)
                    }
                }
            }
            // What is left is of type Null: name_columns let nothing else pass.
            _ => (0..array.len()).try_for_each(|at| each(at, Cell::Null)),
        }
    }
}

fn numbers<T: ArrowPrimitiveType, E>(
    array: &dyn Array,
    cell: impl Fn(T::Native) -> Cell<'static>,
    mut each: impl FnMut(usize, Cell<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let values = array.as_primitive::<T>().values();
    values.iter().enumerate().try_for_each(|(place, value)| each(place, cell(*value)))
}

fn unsigned(value: u64) -> Cell<'static> {
    i64::try_from(value).map_or_else(|_| Cell::Number(wide(value.into())), Cell::Integer)
}

#[expect(clippy::cast_precision_loss, reason = "a number of 64 bits is what such a column becomes")]
fn wide(value: i128) -> f64 {
    value as f64
}

fn day(millis: i64) -> Cell<'static> {
    i32::try_from(millis.div_euclid(DAY_MILLIS)).map_or(Cell::Null, Cell::Date)
}
