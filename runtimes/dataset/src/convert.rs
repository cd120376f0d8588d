//! The second pass, for the artifact `table`: the same rows with the types that the first one found.

use crate::profile::ColumnProfile;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use hearth_runtime::Failure;
use hearth_table::{Batch, ColumnBuilder, Reading, TableWriter, open};
use std::{path::Path, sync::Arc};

/// Writes the table at `from` to `to`, as Parquet or CSV.
///
/// # Errors
///
/// 65 when a cell is not as in the first pass, 74 when reading or writing fails, 78 for another ending of `to`.
pub fn convert(from: &Path, reading: &Reading, columns: &[ColumnProfile], to: &Path) -> Result<(), Failure> {
    let fields: Vec<Field> =
        columns.iter().map(|column| Field::new(column.name.clone(), column.kind.arrow(), column.nulls > 0)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = TableWriter::create(to, "table", &schema)?;
    let mut source = open(from, reading)?;
    while let Some(batch) = source.next_batch()? {
        let arrays = columns.iter().enumerate().map(|(place, column)| array(&batch, place, column));
        let arrays = arrays.collect::<Result<Vec<ArrayRef>, _>>()?;
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(Failure::defect)?;
        writer.write(&batch)?;
    }
    writer.finish()
}

fn array(batch: &Batch, place: usize, column: &ColumnProfile) -> Result<ArrayRef, Failure> {
    let mut builder = ColumnBuilder::new(column.kind);
    let mut visited = 0;
    batch.visit(place, |row, cell| {
        visited += 1;
        if builder.push(cell) {
            return Ok(());
        }
        Err(Failure::data(format!(
            "row {row}: {} is no {}, so {:?} has changed since it was profiled",
            cell.text(),
            column.kind,
            column.name
        )))
    })?;
    // Batches of JSON lines lack columns that come later.
    (visited..batch.rows).for_each(|_| builder.push_null());
    Ok(builder.finish())
}
