//! Columns of cells as arrays of Arrow.

use crate::{Cell, Kind};
use arrow_array::{
    ArrayRef,
    builder::{
        BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
    },
};
use arrow_schema::{DataType, TimeUnit};
use std::sync::Arc;

/// The zone of instants.
const UTC: &str = "UTC";

/// Collects the cells of one column.
#[derive(Debug)]
pub enum ColumnBuilder {
    /// Of [`Kind::Boolean`].
    Boolean(BooleanBuilder),
    /// Of [`Kind::Integer`].
    Integer(Int64Builder),
    /// Of [`Kind::Number`].
    Number(Float64Builder),
    /// Of [`Kind::Date`].
    Date(Date32Builder),
    /// Of [`Kind::DateTime`].
    DateTime(TimestampMicrosecondBuilder),
    /// Of [`Kind::Timestamp`].
    Timestamp(TimestampMicrosecondBuilder),
    /// Of [`Kind::String`], and of [`Kind::Null`].
    String(StringBuilder),
}

impl Kind {
    /// Arrow's type for a column of this one. A column without values is one of strings.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
            Self::Null | Self::String => DataType::Utf8,
        }
    }
}

impl ColumnBuilder {
    /// An empty column.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Integer => Self::Integer(Int64Builder::new()),
            Kind::Number => Self::Number(Float64Builder::new()),
            Kind::Date => Self::Date(Date32Builder::new()),
            Kind::DateTime => Self::DateTime(TimestampMicrosecondBuilder::new()),
            Kind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::new().with_timezone(UTC)),
            Kind::Null | Kind::String => Self::String(StringBuilder::new()),
        }
    }

    /// Adds a cell. False when it is not of the column's type: nothing is added then.
    #[must_use]
    pub fn push(&mut self, cell: Cell<'_>) -> bool {
        if let Self::String(builder) = self {
            match cell {
                Cell::Null => builder.append_null(),
                cell => builder.append_value(cell.text()),
            }
            return true;
        }
        match (self, cell.typed()) {
            (builder, Cell::Null) => builder.push_null(),
            (Self::Boolean(builder), Cell::Boolean(value)) => builder.append_value(value),
            (Self::Integer(builder), Cell::Integer(value)) => builder.append_value(value),
            (Self::Number(builder), Cell::Number(value)) => builder.append_value(value),
            (Self::Number(builder), Cell::Integer(value)) => builder.append_value(float(value)),
            (Self::Date(builder), Cell::Date(days)) => builder.append_value(days),
            (Self::DateTime(builder), Cell::DateTime(micros)) => builder.append_value(micros),
            (Self::DateTime(builder), Cell::Date(days)) => builder.append_value(midnight(days)),
            (Self::Timestamp(builder), Cell::Timestamp(micros)) => builder.append_value(micros),
            _ => return false,
        }
        true
    }

    /// Adds a cell without value.
    pub fn push_null(&mut self) {
        match self {
            Self::Boolean(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
            Self::Number(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::DateTime(builder) | Self::Timestamp(builder) => builder.append_null(),
            Self::String(builder) => builder.append_null(),
        }
    }

    /// The cells so far as an array; the builder is empty after it.
    pub fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::DateTime(builder) | Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::String(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A whole number as a floating-point one: the nearest.
#[expect(clippy::cast_precision_loss, reason = "a column of numbers holds 53 bits")]
fn float(value: i64) -> f64 {
    value as f64
}

/// Microseconds at the beginning of a day.
fn midnight(days: i32) -> i64 {
    i64::from(days) * 86_400_000_000
}
