//! Tables out: Parquet with zstd, or CSV. A file has its name only when it is whole.

use crate::{Cell, Format};
use arrow_array::{
    Array, RecordBatch,
    cast::AsArray,
    types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType},
};
use arrow_schema::{DataType, Schema, SchemaRef};
use hearth_runtime::Failure;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
};

/// A row group, which is held in memory until it is written, ends at so many rows or cells or bytes.
const GROUP_ROWS: usize = 128 * 1024;
const GROUP_CELLS: usize = 8 * 1024 * 1024;
const GROUP_BYTES: usize = 64 * 1024 * 1024;

/// Writes a table.
pub struct TableWriter {
    path: PathBuf,
    form: Form,
}

enum Form {
    Parquet(Box<ArrowWriter<File>>),
    Csv(Box<csv::Writer<BufWriter<File>>>),
}

/// Where a file is until it is whole.
#[must_use]
pub fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

impl TableWriter {
    /// Begins a table in the format that the file's name ends with.
    ///
    /// # Errors
    ///
    /// 78 when that is neither .csv nor .parquet, 74 when the file can't be made.
    pub fn create(path: &Path, artifact: &str, schema: &SchemaRef) -> Result<Self, Failure> {
        let file = || File::create(partial(path)).map_err(|error| Failure::io(format!("{}: {error}", path.display())));
        let form = match Format::of(path) {
            Some(Format::Parquet) => {
                let rows = (GROUP_CELLS / schema.fields().len().max(1)).clamp(1024, GROUP_ROWS);
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .set_max_row_group_row_count(Some(rows))
                    .set_created_by("hearth".into())
                    .build();
                let writer = ArrowWriter::try_new(file()?, schema.clone(), Some(properties));
                Form::Parquet(Box::new(writer.map_err(|error| failed(path, &error))?))
            }
            Some(Format::Csv) => {
                let mut writer = csv::Writer::from_writer(BufWriter::with_capacity(128 * 1024, file()?));
                writer.write_record(names(schema)).map_err(|error| failed(path, &error))?;
                Form::Csv(Box::new(writer))
            }
            Some(Format::Json) | None => {
                return Err(Failure::config(format!(
                    "artifacts: the path of {artifact} is {}: let it end in .parquet or .csv",
                    path.display()
                )));
            }
        };
        Ok(Self { path: path.to_owned(), form })
    }

    /// Adds rows.
    ///
    /// # Errors
    ///
    /// 74 when writing fails.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match &mut self.form {
            Form::Parquet(writer) => {
                write_parquet(writer, batch).map_err(|error: ParquetError| failed(&self.path, &error))
            }
            Form::Csv(writer) => write_csv(writer, batch).map_err(|error| failed(&self.path, &error)),
        }
    }

    /// Ends the table: from now on the file has its name.
    ///
    /// # Errors
    ///
    /// 74 when writing fails.
    pub fn finish(self) -> Result<(), Failure> {
        let path = self.path;
        let file = match self.form {
            Form::Parquet(writer) => writer.into_inner().map_err(|error| failed(&path, &error))?,
            Form::Csv(writer) => {
                let buffer = writer.into_inner().map_err(|error| failed(&path, &error.into_error()))?;
                buffer.into_inner().map_err(|error| failed(&path, &error.into_error()))?
            }
        };
        file.sync_all().and_then(|()| fs::rename(partial(&path), &path)).map_err(|error| failed(&path, &error))
    }
}

fn names(schema: &Schema) -> impl Iterator<Item = &String> {
    schema.fields().iter().map(|field| field.name())
}

fn failed(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::io(format!("{}: {error}", path.display()))
}

fn write_parquet(writer: &mut ArrowWriter<File>, batch: &RecordBatch) -> Result<(), ParquetError> {
    writer.write(batch)?;
    if writer.in_progress_size() > GROUP_BYTES { writer.flush() } else { Ok(()) }
}

fn write_csv(writer: &mut csv::Writer<BufWriter<File>>, batch: &RecordBatch) -> Result<(), csv::Error> {
    for row in 0..batch.num_rows() {
        for array in batch.columns() {
            writer.write_field(cell(array.as_ref(), row).text().as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    Ok(())
}

/// The cell of a column as [`crate::ColumnBuilder`] makes them.
#[must_use]
pub fn cell(array: &dyn Array, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Null;
    }
    match array.data_type() {
        DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Cell::Date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(_, zone) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            if zone.is_some() { Cell::Timestamp(micros) } else { Cell::DateTime(micros) }
        }
        _ => Cell::Text(array.as_string_opt::<i32>().map_or("", |strings| strings.value(row))),
    }
}
