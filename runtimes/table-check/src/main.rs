//! Checks a CSV table against expectations, and hands figures of it to later steps.
//!
//! The exit codes and the way outputs are written are those of `runtimes/CONTRACT.md`.
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

mod emit;
mod expect;
mod table;

use clap::Parser;
use emit::Emit;
use expect::Expectation;
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};
use table::Table;

/// The most bytes of outputs that a step may write.
const OUTPUTS_MAX: usize = 3072;

/// Checks a CSV table (with a header line) against expectations.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Args {
    /// The table as text.
    #[arg(long, required_unless_present = "file", conflicts_with = "file")]
    text: Option<String>,
    /// The table as a file.
    #[arg(long)]
    file: Option<PathBuf>,
    /// An expectation, as JSON: {"rows":{"min":1}} or {"column":"year","min":1958,"integer":true}.
    #[arg(long = "expect", value_name = "JSON")]
    expectations: Vec<String>,
    /// An output: NAME=FUNCTION(COLUMN), for example lastYear=max(year).
    #[arg(long = "emit", value_name = "NAME=FUNCTION(COLUMN)", value_parser = Emit::parse)]
    emits: Vec<Emit>,
    /// Where outputs are written.
    #[arg(long, value_name = "FILE", default_value = "/dev/termination-log")]
    outputs: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("--expect {text}: {source}")]
    Expectation { text: String, source: serde_json::Error },
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Table(#[from] table::TableError),
    #[error("{broken} of {all} expectations do not hold")]
    Broken { broken: usize, all: usize },
    #[error(transparent)]
    Emit(#[from] emit::EmitError),
    #[error("outputs of {0} bytes are longer than {OUTPUTS_MAX}")]
    TooLong(usize),
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Failure {
    /// The contract's exit code.
    fn code(&self) -> u8 {
        match self {
            Self::Table(_) | Self::Broken { .. } | Self::Emit(_) => 65,
            Self::Read { .. } | Self::TooLong(_) | Self::Write { .. } => 74,
            Self::Expectation { .. } => 78,
        }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Nothing is left to do when even this can't be printed.
            let _unprinted = error.print();
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let expectations = parse_expectations(&args.expectations)?;
    let table = Table::parse(&read(args)?)?;
    check(&table, &expectations)?;
    let outputs = emit::outputs(&table, &args.emits)?;
    if args.emits.is_empty() {
        return Ok(());
    }
    println!("{outputs}");
    write(&args.outputs, &outputs)
}

fn parse_expectations(texts: &[String]) -> Result<Vec<Expectation>, Failure> {
    let parse =
        |text: &String| Expectation::parse(text).map_err(|source| Failure::Expectation { text: text.clone(), source });
    texts.iter().map(parse).collect()
}

fn read(args: &Args) -> Result<String, Failure> {
    let Some(path) = &args.file else {
        return Ok(args.text.clone().unwrap_or_default());
    };
    fs::read_to_string(path).map_err(|source| Failure::Read { path: path.clone(), source })
}

fn check(table: &Table, expectations: &[Expectation]) -> Result<(), Failure> {
    println!("{} rows of {}", table.rows(), table.names().join(", "));
    let mut broken = 0;
    for expectation in expectations {
        let violations = expectation.violations(table);
        println!("{} {expectation}", if violations.is_empty() { "holds " } else { "broken" });
        for violation in &violations {
            println!("       {violation}");
        }
        broken += usize::from(!violations.is_empty());
    }
    if broken == 0 {
        return Ok(());
    }
    Err(Failure::Broken { broken, all: expectations.len() })
}

fn write(path: &Path, outputs: &str) -> Result<(), Failure> {
    if outputs.len() > OUTPUTS_MAX {
        return Err(Failure::TooLong(outputs.len()));
    }
    fs::write(path, outputs).map_err(|source| Failure::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(text: &str, expect: &[&str], emit: &[&str], outputs: &str) -> Result<(), Failure> {
        let mut line = vec!["table-check".to_owned(), format!("--text={text}"), format!("--outputs={outputs}")];
        line.extend(expect.iter().map(|e| format!("--expect={e}")));
        line.extend(emit.iter().map(|e| format!("--emit={e}")));
        run(&Args::try_parse_from(line).unwrap())
    }

    #[test]
    fn writes_what_was_asked_for_and_nothing_else() {
        let file = std::env::temp_dir().join(format!("table-check-{}.json", std::process::id()));
        let path = file.to_str().unwrap();
        ran("y,v\n1958,1.5\n1959,2.5\n", &[r#"{"rows":{"min":2}}"#], &["a=min(y)", "b=mean(v)"], path).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), r#"{"a":1958,"b":2.0}"#);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn each_failure_has_the_contracts_code() {
        let code = |result: Result<(), Failure>| result.unwrap_err().code();
        assert_eq!(code(ran("a\n1\n", &[r#"{"rows":{"min":2}}"#], &[], "/nowhere/x")), 65);
        assert_eq!(code(ran("a\n1,2\n", &[], &[], "/nowhere/x")), 65);
        assert_eq!(code(ran("a\n1\n", &[], &["x=max(b)"], "/nowhere/x")), 65);
        assert_eq!(code(ran("a\n1\n", &["{\"colum\":\"a\"}"], &[], "/nowhere/x")), 78);
        assert_eq!(code(ran("a\n1\n", &[], &["x=max(a)"], "/nowhere/x")), 74);
        let long: Vec<String> = (0..400).map(|i| format!("name{i}=max(a)")).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        assert_eq!(code(ran("a\n1\n", &[], &long, "/nowhere/x")), 74);
    }

    #[test]
    fn text_and_file_exclude_each_other() {
        assert!(Args::try_parse_from(["table-check"]).is_err());
        assert!(Args::try_parse_from(["table-check", "--text=a", "--file=b"]).is_err());
        assert!(Args::try_parse_from(["table-check", "--text=a", "--emit=x"]).is_err());
    }
}
