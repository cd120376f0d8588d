//! A few thousand rows of a table.

use crate::{Cell, json::JsonCell, parquet::Leaf};

/// A few thousand rows of a table.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The number of its first row, from 1; a header is no row.
    pub first_row: u64,
    /// How many rows it has.
    pub rows: usize,
    pub(crate) content: Content,
}

/// The rows in the form that is cheapest to read from each format.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// All cells row by row, and where each ends.
    Csv { text: String, ends: Vec<usize>, columns: usize, nulls: Vec<String> },
    /// Column by column; strings lie in one text.
    Json { text: String, columns: Vec<Vec<JsonCell>> },
    /// Column by column.
    Parquet(Vec<Leaf>),
}

impl Batch {
    /// Visits each cell of a column with its row. A batch that lacks the column visits none.
    ///
    /// # Errors
    ///
    /// Those of `visit`.
    pub fn visit<E>(&self, column: usize, mut visit: impl FnMut(u64, Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        match &self.content {
            Content::Csv { text, ends, columns, nulls } => {
                if column >= *columns {
                    return Ok(());
                }
                let starts = (0..self.rows).map(|row| {
                    let place = row * columns + column;
                    place.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0)
                });
                let ends = ends.iter().skip(column).step_by(*columns);
                for ((row, start), end) in (self.first_row..).zip(starts).zip(ends) {
                    let cell = text.get(start..*end).unwrap_or_default();
                    let null = cell.is_empty() || (!nulls.is_empty() && nulls.iter().any(|null| null == cell));
                    visit(row, if null { Cell::Null } else { Cell::Raw(cell) })?;
                }
                Ok(())
            }
            Content::Json { text, columns } => {
                let cells = columns.get(column).map(Vec::as_slice).unwrap_or_default();
                for (row, cell) in (self.first_row..).zip(cells) {
                    visit(row, cell.of(text))?;
                }
                Ok(())
            }
            Content::Parquet(columns) => match columns.get(column) {
                Some(leaf) => leaf.visit(self.first_row, visit),
                None => Ok(()),
            },
        }
    }
}
