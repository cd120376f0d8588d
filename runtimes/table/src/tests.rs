//! Tables of each format, good ones and bad ones.

use crate::{Cell, ColumnBuilder, CsvOptions, Format, Kind, Limits, Reading, TableWriter, open};
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StructArray};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Schema};
use hearth_runtime::Failure;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// A file that goes with this value.
struct Temporary(PathBuf);

impl Temporary {
    fn new(ending: &str, content: &[u8]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("hearth-table-{}-{number}.{ending}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

type Table = (Vec<String>, Vec<Vec<String>>);

/// Names, and cells column by column; what has no value is `-`.
fn read(file: &Temporary, reading: &Reading) -> Result<Table, Failure> {
    let mut source = open(&file.0, reading)?;
    let (mut columns, mut rows): (Vec<Vec<String>>, usize) = (Vec::new(), 0);
    while let Some(batch) = source.next_batch()? {
        assert_eq!(batch.first_row, u64::try_from(rows).unwrap() + 1);
        rows += batch.rows;
        columns.resize_with(source.columns().len(), Vec::new);
        for (place, column) in columns.iter_mut().enumerate() {
            let mut next = batch.first_row;
            batch.visit(place, |row, cell| {
                assert_eq!(row, next);
                next += 1;
                column.resize(usize::try_from(row).unwrap() - 1, "-".into());
                column.push(if cell == Cell::Null { "-".into() } else { cell.text().into_owned() });
                Ok::<(), Failure>(())
            })?;
        }
    }
    columns.iter_mut().for_each(|column| column.resize(rows, "-".into()));
    Ok((source.columns().to_vec(), columns))
}

fn csv(text: &str) -> Result<Table, Failure> {
    read(&Temporary::new("csv", text.as_bytes()), &Reading::default())
}

fn json(text: &str) -> Result<Table, Failure> {
    read(&Temporary::new("jsonl", text.as_bytes()), &Reading::default())
}

/// The message without the path of the file.
fn says(result: Result<Table, Failure>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.code.number(), 65, "{failure}");
    let (_, rest) = failure.message.split_once("sv").or(failure.message.split_once("jsonl")).unwrap();
    rest.to_owned()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn csv_is_read_as_it_stands() {
    let (names, columns) = csv("\u{feff}a, b \r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n,é").unwrap();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(columns, [strings(&["1", "-"]), strings(&["x, \"y\"\nz", "é"])]);
    let reading = Reading {
        csv: CsvOptions {
            delimiter: Some(';'),
            comment: Some('#'),
            header: Some(strings(&["t", "v"])),
            nulls: strings(&["-99.9"]),
        },
        ..Reading::default()
    };
    let (names, columns) = read(&Temporary::new("txt.csv", b"# made\n1;-99.9\n2;3\n"), &reading).unwrap();
    assert_eq!((names, columns), (strings(&["t", "v"]), vec![strings(&["1", "2"]), strings(&["-", "3"])]));
    let (names, _) = read(&Temporary::new("tsv", b"a\tb\n"), &Reading::default()).unwrap();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn bad_csv_is_refused_by_line_row_and_column() {
    assert_eq!(says(csv("")), ": the table has no header line");
    assert_eq!(says(csv("a,a\n")), ", header: \"a\" is there twice");
    assert_eq!(says(csv("a,,b\n")), ", header: column 2 has no name");
    for newline in ["\n", "\r\n"] {
        let text = format!("a,b,c{newline}1,2,3{newline}4,5{newline}");
        let expected = ", line 3 (row 2): 2 cells of 3: column \"c\" and what follows are missing";
        assert_eq!(says(csv(&text)), expected);
        let text = format!("a,b{newline}1,2{newline}4,5,6,7{newline}8,9{newline}");
        assert!(says(csv(&text)).ends_with("(row 2): more than 2 cells, as many as there are columns"));
    }
    let latin = Temporary::new("csv", b"a,b\n1,2\n3,\xe9\n");
    assert_eq!(says(read(&latin, &Reading::default())), ", row 2, column \"b\": not UTF-8");
}

#[test]
fn limits_hold_for_csv() {
    let with = |limits, text: &str| {
        let reading = Reading { limits, ..Reading::default() };
        read(&Temporary::new("csv", text.as_bytes()), &reading)
    };
    let open_quote = format!("a\n\"{}", "x\n".repeat(100));
    let long = says(with(Limits { line_bytes: 64, ..Limits::default() }, &open_quote));
    assert!(long.contains(", row 1 (it ends near line ") && long.contains("longer than 64 bytes: look for a quote"));
    let wide = says(with(Limits { columns: 2, ..Limits::default() }, "a,b,c\n"));
    assert!(wide.starts_with(", header: there are more than 2 columns"), "{wide}");
    assert!(with(Limits { columns: 2, line_bytes: 4, ..Limits::default() }, "a,b\n1,23\n").is_ok());
}

#[test]
fn files_longer_than_a_batch_are_read_whole() {
    let rows = 200_000;
    let text: String = (0..rows).fold("n,text\n".to_owned(), |mut text, n| {
        text.push_str(&format!("{n},row number {n}\n"));
        text
    });
    let (_, columns) = csv(&text).unwrap();
    assert_eq!(columns[0], (0..rows).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(columns[1][rows - 1], format!("row number {}", rows - 1));
    let text: String = (0..rows).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    assert_eq!(json(&text).unwrap().1, [columns[0].clone()]);
}

#[test]
fn what_a_csv_writer_wrote_is_read() {
    let seed = [11; 32];
    println!("seed {seed:?}");
    let mut runner = TestRunner::new_with_rng(Config::with_cases(128), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let cell = "[a-z0-9\", \n\réß]{1,8}";
    let tables = (1usize..5)
        .prop_flat_map(move |width| proptest::collection::vec(proptest::collection::vec(cell, width..=width), 0..20));
    runner
        .run(&tables, |rows| {
            let width = rows.first().map_or(1, Vec::len);
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record((0..width).map(|n| format!("c{n}"))).unwrap();
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let file = Temporary::new("csv", &writer.into_inner().unwrap());
            let (_, columns) = read(&file, &Reading::default()).unwrap();
            let expected: Vec<Vec<String>> =
                (0..width).map(|column| rows.iter().map(|row| row[column].clone()).collect()).collect();
            // A table without rows has no batch, so no columns here.
            prop_assert_eq!(columns, if rows.is_empty() { Vec::new() } else { expected });
            Ok(())
        })
        .unwrap();
}

#[test]
fn json_lines_are_flattened() {
    let (names, columns) =
        json("{\"a\": 1, \"b\": {\"c\": \"x\", \"d\": {\"e\": true}}}\n\n{\"f\": [1, {\"g\": 2}], \"a\": null}\n")
            .unwrap();
    assert_eq!(names, ["a", "b.c", "b.d.e", "f"]);
    let expected = [["1", "-"], ["x", "-"], ["true", "-"], ["-", "[1,{\"g\":2}]"]];
    assert_eq!(columns, expected.map(|column| strings(&column)));
    let (_, columns) = json("{\"a\": 18446744073709551615}\n{\"a\": \"\\u00e9\"}\n").unwrap();
    assert_eq!(columns, [strings(&["1.8446744073709552e19", "é"])]);
}

#[test]
fn bad_json_is_refused_by_line_and_column() {
    assert_eq!(says(json("{\"a\": 1}\n{\"a\": x}\n")), ", line 2 (row 2), column 7: expected value");
    assert_eq!(says(json("\n[1]\n")), ", line 2 (row 1), column 0: invalid type: sequence, expected an object");
    assert!(says(json("{\"a\": 1} {}\n")).contains("trailing characters"));
    assert_eq!(says(json("{\"a\": 1, \"a\": 2}\n")), ", line 1 (row 1): \"a\" is there twice");
    assert_eq!(says(json("{\"a\": {\"b\": 1}, \"a.b\": 2}\n")), ", line 1 (row 1): \"a.b\" is there twice");
    let deep = format!("{}1{}\n", "{\"a\":".repeat(9), "}".repeat(9));
    assert!(says(json(&deep)).contains("holds more than 8 objects in each other"));
    assert!(says(json(&format!("{{\"a\":{}1{}}}\n", "[".repeat(500), "]".repeat(500)))).contains("recursion limit"));
    let reading = Reading { limits: Limits { line_bytes: 8, columns: 1, nesting: 1 }, ..Reading::default() };
    let limited = |text: &str| says(read(&Temporary::new("jsonl", text.as_bytes()), &reading));
    assert!(limited("{\"a\": 100}\n").contains("line 1: longer than 8 bytes"));
    assert!(limited("{\"a\":1}\n{\"b\":1}").contains("more than 1 columns"));
}

#[test]
fn what_is_written_is_read_again() {
    let kinds = [Kind::Integer, Kind::Number, Kind::Boolean, Kind::Date, Kind::DateTime, Kind::Timestamp, Kind::String];
    let cells = ["-3", "1e-300", "true", "1958-03-29", "1958-03-29T12:00:00", "1958-03-29T12:00:00.5Z", "a,\"b\""];
    let fields: Vec<Field> = kinds.iter().map(|kind| Field::new(kind.to_string(), kind.arrow(), true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays: Vec<ArrayRef> = kinds
        .iter()
        .zip(cells)
        .map(|(kind, text)| {
            let mut builder = ColumnBuilder::new(*kind);
            assert!(builder.push(Cell::Raw(text)) && builder.push(Cell::Null), "{kind}");
            assert_eq!(builder.push(Cell::Raw("x")), *kind == Kind::String, "{kind}");
            builder.finish().slice(0, 2)
        })
        .collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    for ending in ["parquet", "csv"] {
        let file = Temporary::new(ending, b"");
        let mut writer = TableWriter::create(&file.0, "table", &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        assert!(!crate::partial(&file.0).exists());
        let (names, columns) = read(&file, &Reading::default()).unwrap();
        assert_eq!(names, kinds.map(|kind| kind.to_string()));
        for (column, cell) in columns.iter().zip(cells) {
            assert_eq!(*column, strings(&[cell, "-"]), "{ending}");
        }
    }
    let failure = TableWriter::create(&PathBuf::from("/x/table.txt"), "table", &schema).err().unwrap();
    assert_eq!(failure.message, "artifacts: the path of table is /x/table.txt: let it end in .parquet or .csv");
}

#[test]
fn what_lies_in_a_null_struct_is_null() {
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let field = Field::new("n", DataType::Int64, false);
    let nulls = NullBuffer::from(vec![true, false]);
    let outer = StructArray::new(vec![field].into(), vec![inner], Some(nulls));
    let schema = Arc::new(Schema::new(vec![Field::new("s", outer.data_type().clone(), true)]));
    let file = Temporary::new("parquet", b"");
    let mut writer = TableWriter::create(&file.0, "table", &schema).unwrap();
    writer.write(&RecordBatch::try_new(schema, vec![Arc::new(outer)]).unwrap()).unwrap();
    writer.finish().unwrap();
    let table = read(&file, &Reading::default()).unwrap();
    assert_eq!(table, (strings(&["s.n"]), vec![strings(&["1", "-"])]));
}

#[test]
fn files_that_are_not_what_they_say_are_refused() {
    let file = Temporary::new("parquet", b"PAR1 and then nothing of the kind PAR1");
    let failure = open(&file.0, &Reading::default()).err().unwrap();
    assert!(failure.code.number() == 65 && failure.message.contains("not Parquet"), "{failure}");
    let file = Temporary::new("dat", b"");
    assert_eq!(open(&file.0, &Reading::default()).err().unwrap().code.number(), 78);
    let json = Reading { format: Some(Format::Json), ..Reading::default() };
    assert!(open(&file.0, &json).is_ok());
    assert_eq!(open(&PathBuf::from("/nowhere/a.csv"), &Reading::default()).err().unwrap().code.number(), 74);
}

#[test]
fn options_outside_of_their_range_are_refused() {
    let says = |reading: Reading| reading.check().unwrap_err().message;
    let limits = Limits { nesting: 0, ..Limits::default() };
    assert_eq!(says(Reading { limits, ..Reading::default() }), "with.limits.nesting: 0 is not from 1 to 64");
    let csv = CsvOptions { delimiter: Some('é'), ..CsvOptions::default() };
    assert!(says(Reading { csv, ..Reading::default() }).starts_with("with.csv.delimiter: 'é' can't be one"));
    Reading::default().check().unwrap();
}
