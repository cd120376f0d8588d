//! CSV, with an end to how long a row may be.
//!
//! csv-core splits bytes into cells and needs no memory of its own; the buffers that it fills are the limits. An opening
//! quote that is never closed makes one endless row, so the limit is on rows, not on lines.

use crate::{Batch, Limits, Reading, Source, batch::Content, source::add_column};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use hearth_runtime::Failure;
use std::{collections::BTreeSet, fs::File, io::Read, path::Path};

/// About how many bytes of text a batch has.
const BATCH_BYTES: usize = 512 * 1024;
/// How many bytes are read at once.
const READ_BYTES: usize = 256 * 1024;

/// A CSV file.
pub(crate) struct CsvSource {
    name: String,
    file: File,
    reader: Reader,
    input: Vec<u8>,
    /// The part of `input` that is not read yet.
    unread: (usize, usize),
    limits: Limits,
    nulls: Vec<String>,
    columns: Vec<String>,
    rows: u64,
    ended: bool,
}

/// Cells as they are split, row by row.
struct Rows {
    bytes: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
}

impl Rows {
    /// Room for a batch and for one row more, be it as long as it may.
    fn new(limits: Limits) -> Self {
        Self { bytes: vec![0; BATCH_BYTES + limits.line_bytes], filled: 0, ends: Vec::new() }
    }
}

impl CsvSource {
    pub(crate) fn open(path: &Path, reading: &Reading) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::io(format!("{name}: {error}")))?;
        let tabs = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("tsv"));
        let byte = |letter: char| u8::try_from(letter).ok();
        let delimiter = reading.csv.delimiter.and_then(byte).unwrap_or(if tabs { b'\t' } else { b',' });
        let reader = ReaderBuilder::new().delimiter(delimiter).comment(reading.csv.comment.and_then(byte)).build();
        let mut source = Self {
            name,
            file,
            reader,
            input: vec![0; READ_BYTES],
            unread: (0, 0),
            limits: reading.limits,
            nulls: reading.csv.nulls.clone(),
            columns: Vec::new(),
            rows: 0,
            ended: false,
        };
        source.skip_mark()?;
        match &reading.csv.header {
            Some(names) => source.name_columns(names.iter().map(String::as_str))?,
            None => source.read_header()?,
        }
        Ok(source)
    }

    /// A byte order mark is no part of the first name.
    fn skip_mark(&mut self) -> Result<(), Failure> {
        while self.unread.1 < 3 && self.fill()? {}
        if self.input.get(..self.unread.1).is_some_and(|start| start.starts_with(b"\xef\xbb\xbf")) {
            self.unread.0 = 3;
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<(), Failure> {
        let mut rows = Rows::new(self.limits);
        let Some(cells) = self.read_row(&mut rows)? else {
            return Err(Failure::data(format!("{}: the table has no header line", self.name)));
        };
        let text = self.text(rows.bytes.get(..rows.filled).unwrap_or_default().to_vec(), &rows.ends, cells)?;
        let starts = std::iter::once(0).chain(rows.ends.iter().copied());
        let names: Vec<&str> =
            starts.zip(&rows.ends).map(|(a, b)| text.get(a..*b).unwrap_or_default().trim()).collect();
        self.name_columns(names.into_iter())
    }

    fn name_columns<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let place = format!("{}, header", self.name);
        let mut seen = BTreeSet::new();
        for name in names {
            if name.is_empty() {
                return Err(Failure::data(format!("{place}: column {} has no name", self.columns.len() + 1)));
            }
            if !seen.insert(name) {
                return Err(Failure::data(format!("{place}: {name:?} is there twice")));
            }
            add_column(&mut self.columns, name, self.limits, &place)?;
        }
        Ok(())
    }

    /// Reads more input after what is there; false at the end of the file.
    fn fill(&mut self) -> Result<bool, Failure> {
        if self.unread.0 == self.unread.1 {
            self.unread = (0, 0);
        }
        let free = self.input.get_mut(self.unread.1..).unwrap_or_default();
        let read = self.file.read(free).map_err(|error| Failure::io(format!("{}: {error}", self.name)))?;
        self.unread.1 += read;
        Ok(read > 0)
    }

    /// Reads one row behind those that are there, and gives how many cells it has; none at the end.
    fn read_row(&mut self, rows: &mut Rows) -> Result<Option<usize>, Failure> {
        let (start, first) = (rows.filled, rows.ends.len());
        let most = start + self.limits.line_bytes;
        let width = if self.columns.is_empty() { self.limits.columns } else { self.columns.len() } + 1;
        rows.ends.resize(first + width, 0);
        let mut cells = 0;
        loop {
            if self.unread.0 == self.unread.1 {
                self.fill()?;
            }
            let input = self.input.get(self.unread.0..self.unread.1).unwrap_or_default();
            let output = rows.bytes.get_mut(rows.filled..most).unwrap_or_default();
            let ends = rows.ends.get_mut(first + cells..).unwrap_or_default();
            let (result, read, written, ended) = self.reader.read_record(input, output, ends);
            self.unread.0 += read;
            rows.filled += written;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    return Err(Failure::data(format!(
                        "{}, row {} (it ends near line {}): longer than {} bytes: look for a quote that is not closed, \
                         or set limits.lineBytes",
                        self.name,
                        self.rows + 1,
                        self.reader.line(),
                        self.limits.line_bytes
                    )));
                }
                // One more than the row may have: what there is of it is enough to say so.
                ReadRecordResult::OutputEndsFull => break,
                ReadRecordResult::Record => break,
                ReadRecordResult::End => {
                    rows.ends.truncate(first);
                    return Ok(None);
                }
            }
        }
        rows.ends.truncate(first + cells);
        for end in rows.ends.iter_mut().skip(first) {
            *end += start;
        }
        Ok(Some(cells))
    }

    fn check_width(&self, cells: usize) -> Result<(), Failure> {
        let wanted = self.columns.len();
        if cells == wanted {
            return Ok(());
        }
        let what = match self.columns.get(cells) {
            Some(missing) => format!("{cells} cells of {wanted}: column {missing:?} and what follows are missing"),
            None => format!("more than {wanted} cells, as many as there are columns"),
        };
        Err(Failure::data(format!("{}, line {} (row {}): {what}", self.name, self.line(), self.rows)))
    }

    /// The last line of the row that was just read. The reader has counted its line break if it was read already: that
    /// of a file with CR LF has an LF yet to come.
    fn line(&self) -> u64 {
        let last = self.unread.0.checked_sub(1).and_then(|at| self.input.get(at));
        self.reader.line() - u64::from(last == Some(&b'\n'))
    }

    /// The text of rows; `rows` is how many cells each row has.
    fn text(&self, bytes: Vec<u8>, ends: &[usize], width: usize) -> Result<String, Failure> {
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let cell = ends.iter().position(|end| *end > at).unwrap_or_default();
            let (row, column) = (cell / width.max(1), cell % width.max(1));
            let before = u64::try_from(ends.len() / width.max(1)).unwrap_or_default();
            let row = (self.rows + 1).saturating_sub(before) + u64::try_from(row).unwrap_or_default();
            let named = self.columns.get(column).map_or_else(|| (column + 1).to_string(), |name| format!("{name:?}"));
            Failure::data(format!("{}, row {row}, column {named}: not UTF-8", self.name))
        })
    }
}

impl Source for CsvSource {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, Failure> {
        let first_row = self.rows + 1;
        let mut rows = Rows::new(self.limits);
        while !self.ended && rows.filled < BATCH_BYTES {
            match self.read_row(&mut rows)? {
                Some(cells) => {
                    self.rows += 1;
                    self.check_width(cells)?;
                }
                None => self.ended = true,
            }
        }
        if self.rows < first_row {
            return Ok(None);
        }
        let width = self.columns.len();
        rows.bytes.truncate(rows.filled);
        let text = self.text(rows.bytes, &rows.ends, width)?;
        let content = Content::Csv { text, ends: rows.ends, columns: width, nulls: self.nulls.clone() };
        let count = usize::try_from(self.rows + 1 - first_row).unwrap_or_default();
        Ok(Some(Batch { first_row, rows: count, content }))
    }
}
