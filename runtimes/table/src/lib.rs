//! Tables for runtimes: CSV, JSON lines and Parquet in, batch by batch and with limits; Parquet and CSV out.
//!
//! A [`Source`] gives [`Batch`]es of a few thousand rows, so a file of any size is read in bounded memory. A column is
//! visited cell by cell; a [`Cell`] of a CSV file is raw text until [`Cell::typed`] says what it is.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "a test that fails shall fail loudly"
    )
)]

mod batch;
mod build;
mod cell;
mod csv;
mod digest;
mod json;
mod kind;
mod moment;
mod parquet;
mod source;
#[cfg(test)]
mod tests;
mod write;

pub use batch::Batch;
pub use build::ColumnBuilder;
pub use cell::Cell;
pub use digest::digest;
pub use kind::{Kind, Kinds};
pub use source::{CsvOptions, Format, Limits, Reading, Source, open};
pub use write::{TableWriter, cell, partial};
