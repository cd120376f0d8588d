//! JSON lines: one object a line. Objects in objects become columns named `outer.inner`, lists stay JSON text.

use crate::{Batch, Cell, Limits, Source, batch::Content, source::add_column};
use hearth_runtime::Failure;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::{
    collections::HashMap,
    fmt,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// About how many bytes of lines a batch has.
const BATCH_BYTES: usize = 512 * 1024;

/// A cell; a string is a place in the batch's text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JsonCell {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    String {
        start: usize,
        end: usize,
    },
    /// JSON text of a list.
    List {
        start: usize,
        end: usize,
    },
}

impl JsonCell {
    pub(crate) fn of(self, text: &str) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Boolean(value) => Cell::Boolean(value),
            Self::Integer(value) => Cell::Integer(value),
            Self::Number(value) => Cell::Number(value),
            Self::String { start, end } => Cell::Quoted(text.get(start..end).unwrap_or_default()),
            Self::List { start, end } => Cell::Text(text.get(start..end).unwrap_or_default()),
        }
    }
}

/// A file of JSON lines.
pub(crate) struct JsonSource {
    name: String,
    file: BufReader<File>,
    limits: Limits,
    names: Vec<String>,
    places: HashMap<String, usize>,
    line: u64,
    rows: u64,
    buffer: Vec<u8>,
}

impl JsonSource {
    pub(crate) fn open(path: &Path, limits: Limits) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| Failure::io(format!("{name}: {error}")))?;
        Ok(Self {
            name,
            file: BufReader::with_capacity(256 * 1024, file),
            limits,
            names: Vec::new(),
            places: HashMap::new(),
            line: 0,
            rows: 0,
            buffer: Vec::new(),
        })
    }

    /// Reads the next line that is not blank; false at the end.
    fn read_line(&mut self) -> Result<bool, Failure> {
        loop {
            self.buffer.clear();
            let most = u64::try_from(self.limits.line_bytes).unwrap_or(u64::MAX).saturating_add(1);
            let read = self.file.by_ref().take(most).read_until(b'\n', &mut self.buffer);
            let read = read.map_err(|error| Failure::io(format!("{}: {error}", self.name)))?;
            if read == 0 {
                return Ok(false);
            }
            self.line += 1;
            if read > self.limits.line_bytes {
                return Err(Failure::data(format!(
                    "{}, line {}: longer than {} bytes: one object a line is read, or set limits.lineBytes",
                    self.name, self.line, self.limits.line_bytes
                )));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    fn read_row(&mut self, rows: &mut Rows) -> Result<(), Failure> {
        let place = format!("{}, line {} (row {})", self.name, self.line, self.rows + 1);
        let mut json = serde_json::Deserializer::from_slice(&self.buffer);
        let mut wrong = None;
        let row = Row {
            rows,
            names: &mut self.names,
            places: &mut self.places,
            limits: self.limits,
            place: &place,
            wrong: &mut wrong,
        };
        let read = Object { row: &mut { row }, prefix: "", depth: 1 }.deserialize(&mut json).and_then(|()| json.end());
        match (read, wrong) {
            (_, Some(failure)) => Err(failure),
            (Err(error), None) => Err(Failure::data(format!("{place}, {}", told(&error)))),
            (Ok(()), None) => Ok(()),
        }
    }
}

/// The error with its column; its line is always 1.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    format!("column {}: {what}", error.column())
}

/// Cells as they are read, column by column.
#[derive(Default)]
struct Rows {
    text: String,
    columns: Vec<Vec<JsonCell>>,
    count: usize,
}

impl Rows {
    /// Sets the cell of the row that is being read; false when it has one already.
    fn set(&mut self, column: usize, cell: JsonCell) -> bool {
        if self.columns.len() <= column {
            self.columns.resize_with(column + 1, Vec::new);
        }
        let Some(cells) = self.columns.get_mut(column) else { return false };
        if cells.len() > self.count {
            return false;
        }
        cells.resize(self.count, JsonCell::Null);
        cells.push(cell);
        true
    }

    fn keep(&mut self, text: &str) -> (usize, usize) {
        let start = self.text.len();
        self.text.push_str(text);
        (start, self.text.len())
    }
}

impl Source for JsonSource {
    fn columns(&self) -> &[String] {
        &self.names
    }

    fn next_batch(&mut self) -> Result<Option<Batch>, Failure> {
        let first_row = self.rows + 1;
        let mut rows = Rows::default();
        let mut bytes = 0;
        while bytes < BATCH_BYTES && self.read_line()? {
            bytes += self.buffer.len();
            self.read_row(&mut rows)?;
            rows.count += 1;
            self.rows += 1;
        }
        if rows.count == 0 {
            return Ok(None);
        }
        for cells in &mut rows.columns {
            cells.resize(rows.count, JsonCell::Null);
        }
        Ok(Some(Batch {
            first_row,
            rows: rows.count,
            content: Content::Json { text: rows.text, columns: rows.columns },
        }))
    }
}

/// The row that is being read.
struct Row<'a> {
    rows: &'a mut Rows,
    names: &'a mut Vec<String>,
    places: &'a mut HashMap<String, usize>,
    limits: Limits,
    place: &'a str,
    /// What went wrong other than JSON itself.
    wrong: &'a mut Option<Failure>,
}

impl Row<'_> {
    fn column(&mut self, name: &str) -> Result<usize, Failure> {
        if let Some(place) = self.places.get(name) {
            return Ok(*place);
        }
        let place = self.names.len();
        add_column(self.names, name, self.limits, self.place)?;
        self.places.insert(name.to_owned(), place);
        Ok(place)
    }

    fn set(&mut self, name: &str, cell: JsonCell) -> Result<(), Failure> {
        let column = self.column(name)?;
        if self.rows.set(column, cell) {
            return Ok(());
        }
        Err(Failure::data(format!("{}: {name:?} is there twice", self.place)))
    }
}

/// An object: the row itself, or one in it.
struct Object<'a, 'r> {
    row: &'a mut Row<'r>,
    /// What its columns' names begin with.
    prefix: &'a str,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let name = if self.prefix.is_empty() { key.into_owned() } else { format!("{}.{key}", self.prefix) };
            map.next_value_seed(Field { row: self.row, name: &name, depth: self.depth })?;
        }
        Ok(())
    }
}

/// The value of a key.
struct Field<'a, 'r> {
    row: &'a mut Row<'r>,
    name: &'a str,
    depth: usize,
}

impl Field<'_, '_> {
    fn set<E: Error>(self, cell: JsonCell) -> Result<(), E> {
        self.row.set(self.name, cell).map_err(|failure| {
            let text = failure.to_string();
            *self.row.wrong = Some(failure);
            E::custom(text)
        })
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set(JsonCell::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.set(JsonCell::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.set(JsonCell::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.set(JsonCell::Integer(value)),
            // As JSON has it, a number is a number, however many digits it has.
            Err(_) => self.set(JsonCell::Number(serde_json::Number::from(value).as_f64().unwrap_or(f64::NAN))),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.set(JsonCell::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let (start, end) = self.row.rows.keep(value);
        self.set(JsonCell::String { start, end })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<serde_json::Value>()? {
            values.push(value);
        }
        let (start, end) = self.row.rows.keep(&serde_json::Value::Array(values).to_string());
        self.set(JsonCell::List { start, end })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.depth >= self.row.limits.nesting {
            return Err(A::Error::custom(format!(
                "{:?} holds more than {} objects in each other: set limits.nesting if this is meant",
                self.name, self.row.limits.nesting
            )));
        }
        Object { row: self.row, prefix: self.name, depth: self.depth + 1 }.visit_map(map)
    }
}
