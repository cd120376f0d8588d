//! A CSV table in memory, by column.

/// A table with a header; every row has as many cells as the header.
#[derive(Debug)]
pub(crate) struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Text that is not such a table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("not a CSV table: {0}")]
    Csv(#[from] csv::Error),
    #[error("the table has no header line")]
    Empty,
    #[error("the header names {0:?} twice")]
    Twice(String),
}

/// A cell and the line that it stands on, for messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell<'a> {
    pub(crate) row: usize,
    pub(crate) text: &'a str,
}

impl Cell<'_> {
    /// The cell as a finite number.
    pub(crate) fn number(self) -> Option<f64> {
        self.text.parse().ok().filter(|n: &f64| n.is_finite())
    }
}

impl Table {
    pub(crate) fn parse(text: &str) -> Result<Self, TableError> {
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        if names.is_empty() {
            return Err(TableError::Empty);
        }
        let mut sorted: Vec<&String> = names.iter().collect();
        sorted.sort();
        if let Some((twice, _)) = sorted.iter().zip(sorted.iter().skip(1)).find(|(a, b)| a == b) {
            return Err(TableError::Twice((*twice).clone()));
        }
        let rows = reader.deserialize().collect::<Result<_, _>>()?;
        Ok(Self { names, rows })
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The cells of a column, empty ones too; none when there is no such column.
    pub(crate) fn column(&self, name: &str) -> Option<Vec<Cell<'_>>> {
        let at = self.names.iter().position(|n| n == name)?;
        let cells = self.rows.iter().enumerate().filter_map(|(i, row)| {
            let text = row.get(at)?;
            Some(Cell { row: i + 1, text })
        });
        Some(cells.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_columns_and_keeps_empty_cells() {
        let table = Table::parse("a,b\n1, x \n,\"y,z\"\n").unwrap();
        assert_eq!((table.rows(), table.names()), (2, &["a".to_owned(), "b".to_owned()][..]));
        let text = |name| table.column(name).unwrap().iter().map(|c| c.text).collect::<Vec<_>>();
        assert_eq!((text("a"), text("b")), (vec!["1", ""], vec!["x", "y,z"]));
        assert_eq!(table.column("c"), None);
    }

    #[test]
    fn says_what_is_wrong() {
        let says = |text| Table::parse(text).unwrap_err().to_string();
        assert_eq!(says(""), "the table has no header line");
        assert_eq!(says("a,a\n1,2\n"), "the header names \"a\" twice");
        assert!(says("a,b\n1\n").starts_with("not a CSV table: CSV error: record 1 (line: 2"));
    }

    #[test]
    fn only_finite_numbers_are_numbers() {
        let number = |text| Cell { row: 1, text }.number();
        assert_eq!(number("-1.5e2"), Some(-150.0));
        for text in ["", "x", "NaN", "inf", "1e999"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
