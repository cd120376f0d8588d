//! The runtime: a table in, a table with more columns out.

use crate::{operate, table::Table, with::With};
use hearth_runtime::{Failure, Job, Output, OutputType, Outputs, Runtime};
use hearth_table::digest;

/// The runtime `features`.
pub struct Features;

impl Runtime for Features {
    const NAME: &'static str = "features";
    const ABOUT: &'static str = "Computes columns from columns: derivatives, smoothing, lags, windows, regular grids.";
    const OUTPUTS: &'static [Output] = &[
        Output { name: "rows", of: OutputType::Integer },
        Output { name: "columnCount", of: OutputType::Integer },
        Output { name: "bytes", of: OutputType::Integer },
        Output { name: "digest", of: OutputType::String },
    ];
    const ARTIFACTS: &'static [&'static str] = &["table"];
    type With = With;

    fn run(with: With, job: &Job) -> Result<Outputs, Failure> {
        with.check()?;
        let to = job.artifact("table").ok_or_else(|| {
            Failure::config("artifacts: the step does not ask for the artifact table, and there is nothing else to do")
        })?;
        let path = job.table(with.input.as_deref(), with.file.as_deref())?.path;
        let table = Table::read(&path, &with.reading(), with.columns.as_deref(), with.max_rows)?;
        let read = (table.rows, table.columns.len());
        let table = operate::all(table, &with)?;
        table.write(to)?;
        let (digest, bytes) = digest(to)?;
        let (rows, columns) = (table.rows, table.columns.len());
        println!("{} rows of {} columns read, {rows} of {columns} written, {bytes} bytes, {digest}", read.0, read.1);
        Ok(Outputs::new()
            .with("rows", rows as u64)
            .with("columnCount", columns as u64)
            .with("bytes", bytes)
            .with("digest", digest))
    }
}
