//! The runtime: profile, expectations, artifacts, outputs.

use crate::{
    check::{Broken, Check},
    column::Column,
    convert,
    drift::Drift,
    pass::{self, Pass},
    profile::{Profile, VERSION},
    with::{Expectation, Rows, With},
};
use hearth_runtime::{Failure, Input, Job, Output, OutputType, Outputs, Runtime};
use hearth_table::{Format, digest, open, partial};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, io::Write, path::Path, thread};

/// About how many bytes of outputs the list of columns may take: the rest is for the others.
const COLUMNS_BYTES: usize = 2000;

/// The runtime `dataset`.
pub struct Dataset;

impl Runtime for Dataset {
    const NAME: &'static str = "dataset";
    const ABOUT: &'static str = "Profiles a table, holds it against expectations and converts it.";
    const OUTPUTS: &'static [Output] = &[
        Output { name: "rows", of: OutputType::Integer },
        Output { name: "bytes", of: OutputType::Integer },
        Output { name: "digest", of: OutputType::String },
        Output { name: "format", of: OutputType::String },
        Output { name: "columnCount", of: OutputType::Integer },
        Output { name: "columns", of: OutputType::Array },
    ];
    const ARTIFACTS: &'static [&'static str] = &["profile", "table"];
    type With = With;

    fn run(with: With, job: &Job) -> Result<Outputs, Failure> {
        with.check()?;
        let table = job.table(with.input.as_deref(), with.file.as_deref())?;
        let profile = examine(&with, &table, &earlier(&with, job)?)?;
        if let Some(path) = job.artifact("table") {
            convert::convert(&table.path, &with.reading(), &profile.columns, path)?;
        }
        if let Some(path) = job.artifact("profile") {
            write(path, &profile)?;
        }
        println!(
            "{} rows of {} columns, {} bytes, {}",
            profile.rows,
            profile.columns.len(),
            profile.bytes,
            profile.digest
        );
        Ok(outputs(&profile))
    }
}

/// The earlier profiles that drift is measured against, by the names of their inputs.
fn earlier(with: &With, job: &Job) -> Result<BTreeMap<String, Profile>, Failure> {
    let mut profiles = BTreeMap::new();
    for (place, expectation) in with.expectations.iter().enumerate() {
        let Some(drift) = &expectation.drift else { continue };
        if !profiles.contains_key(&drift.against) {
            let input = job.input(&drift.against, &format!("expectations[{place}].drift.against"))?;
            profiles.insert(drift.against.clone(), Profile::read(&input.path)?);
        }
    }
    Ok(profiles)
}

/// Reads the table and its digest at once.
fn examine(with: &With, table: &Input, earlier: &BTreeMap<String, Profile>) -> Result<Profile, Failure> {
    let reading = with.reading();
    let mut source = open(&table.path, &reading)?;
    let (read, digest) = thread::scope(|scope| {
        let digest = scope.spawn(|| digest(&table.path));
        let read = pass::run(source.as_mut(), &|name: &str| begin(name, with, earlier));
        (read, digest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let (digest, bytes) = digest?;
    // What is wrong with a table that is not the one it should be is of no interest.
    if let Some(expected) = table.digest.as_ref().filter(|expected| **expected != digest) {
        let path = table.path.display();
        return Err(Failure::io(format!("{path}: its content has {digest}, the input is {expected}")));
    }
    let pass = read?;
    hold(with, &pass)?;
    let format = reading.format.or_else(|| Format::of(&table.path)).unwrap_or(Format::Csv);
    Ok(Profile { version: VERSION.into(), format, digest, bytes, rows: pass.rows, columns: pass.columns })
}

/// A column with all that is expected of it.
fn begin(name: &str, with: &With, earlier: &BTreeMap<String, Profile>) -> Result<Column, Failure> {
    let (mut checks, mut drifts) = (Vec::new(), Vec::new());
    for (place, expectation) in with.expectations.iter().enumerate() {
        if expectation.column.as_deref() == Some(name) {
            checks.push(Check::new(place, expectation));
        }
        let Some(drift) = expectation.drift.as_ref().filter(|drift| drift.column == name) else { continue };
        let known = earlier.get(&drift.against).and_then(|profile| profile.column(name));
        let made = known
            .ok_or_else(|| format!("the earlier profile has no column {name:?}"))
            .and_then(|known| Drift::new(place, drift.psi, known));
        drifts.push(made.map_err(|what| Failure::data(format!("expectations[{place}]: {what}")))?);
    }
    Column::new(name.to_owned(), checks, drifts)
}

/// Whether all that is expected holds.
fn hold(with: &With, pass: &Pass) -> Result<(), Failure> {
    let mut broken = pass.broken.clone();
    for (place, expectation) in with.expectations.iter().enumerate() {
        broken.extend(of_table(expectation, pass).map(|what| Broken { place, what, rows: 1 }));
    }
    if broken.is_empty() {
        println!("{} expectations, none is broken", with.expectations.len());
        return Ok(());
    }
    broken.sort_by_key(|broken| broken.place);
    let count = broken.len();
    let all = with.expectations.len();
    let lines: Vec<String> = broken.into_iter().map(|broken| told(&broken, with)).collect();
    Err(Failure::data(format!("{count} of {all} expectations do not hold: {}", lines.join(", "))))
}

fn of_table(expectation: &Expectation, pass: &Pass) -> Option<String> {
    if let Some(Rows { min, max }) = expectation.rows {
        let rows = pass.rows;
        let below = min.filter(|min| rows < *min).map(|min| format!("{rows} rows are below {min}"));
        return below.or_else(|| max.filter(|max| rows > *max).map(|max| format!("{rows} rows are above {max}")));
    }
    let name = expectation.column.as_ref().or(expectation.drift.as_ref().map(|drift| &drift.column))?;
    if pass.columns.iter().any(|column| column.name == *name) {
        return None;
    }
    let names: Vec<&str> = pass.columns.iter().take(20).map(|column| column.name.as_str()).collect();
    let more = if pass.columns.len() > names.len() { " and more" } else { "" };
    Some(format!("there is no column {name:?}, there are {}{more}", names.join(", ")))
}

fn told(broken: &Broken, with: &With) -> String {
    let expectation = with.expectations.get(broken.place);
    let column = expectation.and_then(|one| one.column.as_ref().or(one.drift.as_ref().map(|drift| &drift.column)));
    let of = column.map(|name| format!(" ({name})")).unwrap_or_default();
    let rows = if broken.rows > 1 { format!(", {} rows in all", broken.rows) } else { String::new() };
    format!("expectations[{}]{of}: {}{rows}", broken.place, broken.what)
}

fn write(path: &Path, profile: &Profile) -> Result<(), Failure> {
    let io = |error: std::io::Error| Failure::io(format!("{}: {error}", path.display()));
    let text = serde_json::to_string_pretty(profile).map_err(Failure::defect)?;
    let mut file = fs::File::create(partial(path)).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(partial(path), path).map_err(io)
}

fn outputs(profile: &Profile) -> Outputs {
    Outputs::new()
        .with("rows", profile.rows)
        .with("bytes", profile.bytes)
        .with("digest", profile.digest.clone())
        .with("format", profile.format.to_string())
        .with("columnCount", profile.columns.len() as u64)
        .with("columns", columns(profile))
}

/// The first columns, as many as fit.
fn columns(profile: &Profile) -> Value {
    let mut bytes = 0;
    let columns = profile.columns.iter().map(|column| json!({"name": column.name, "type": column.kind}));
    let fitting = columns.take_while(|column| {
        bytes += column.to_string().len() + 1;
        bytes <= COLUMNS_BYTES
    });
    fitting.collect()
}
