//! From the command line to the exit code.

use crate::{Code, Failure, Job, Runtime, Spec, catalog, outputs, termination};
use clap::{Args, Command, FromArgMatches};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    any::Any,
    io::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    process::ExitCode,
    thread,
};

/// The arguments of every runtime.
#[derive(Args, Debug)]
struct Arguments {
    /// The spec; without it, spec.json in the root.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The folder that in/ and out/ lie in.
    #[arg(long, value_name = "DIR", default_value = "/hearth")]
    root: PathBuf,
    /// Where outputs are written, or why there are none.
    #[arg(long, value_name = "FILE", default_value = termination::PATH)]
    outputs: PathBuf,
    /// Print what the operator's catalog says of this program, but for its image, and end.
    #[arg(long)]
    catalog: bool,
}

/// Runs a runtime: what its `main` returns.
///
/// A panic is a defect and ends with 70. SIGTERM and SIGINT end the process at once with 143: a runtime writes its
/// artifacts under another name until they are whole, so nothing half-done is left.
#[must_use]
pub fn main<R: Runtime>() -> ExitCode {
    let command = Arguments::augment_args(Command::new(R::NAME).about(R::ABOUT).version(env!("CARGO_PKG_VERSION")));
    let arguments = match command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to do when even this can't be printed.
            let _unprinted = error.print();
            return ExitCode::from(if error.use_stderr() { Code::Arguments.number() } else { 0 });
        }
    };
    if arguments.catalog {
        let printed = std::io::stdout().write_all(catalog::entry::<R>().as_bytes());
        return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(Code::Io.number()) };
    }
    let log = termination::Log(arguments.outputs.clone());
    let ended = stop_on_signal(log.clone())
        .and_then(|()| catch_unwind(AssertUnwindSafe(|| run::<R>(&arguments, &log))).unwrap_or_else(defect));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            log.explain(&failure.message);
            ExitCode::from(failure.code.number())
        }
    }
}

fn run<R: Runtime>(arguments: &Arguments, log: &termination::Log) -> Result<(), Failure> {
    let path = arguments.spec.clone().unwrap_or_else(|| arguments.root.join("spec.json"));
    let mut spec = Spec::read(&path)?;
    let with = with::<R>(spec.with.take())?;
    let declared = spec.outputs.clone();
    outputs::check(&declared, R::OUTPUTS)?;
    let job = Job::new(spec, &arguments.root, R::ARTIFACTS)?;
    match R::run(with, &job)?.text(&declared)? {
        Some(text) => log.outputs(&text),
        None => Ok(()),
    }
}

/// `with:` as the runtime's type; nothing is the same as `{}`.
fn with<R: Runtime>(value: Option<serde_json::Value>) -> Result<R::With, Failure> {
    let value = value.unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()));
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!(".{path}") };
        Failure::config(format!("with{place}: {}", error.inner()))
    })
}

/// As process 1 of a container a program would not even notice SIGTERM without this.
fn stop_on_signal(log: termination::Log) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|e| Failure::io(format!("wait for signals: {e}")))?;
    let wait = move || {
        if signals.forever().next().is_some() {
            eprintln!("error: was told to stop");
            log.explain("was told to stop");
            std::process::exit(i32::from(Code::Stopped.number()));
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(wait)
        .map(drop)
        .map_err(|error| Failure::io(format!("start the thread that waits for signals: {error}")))
}

fn defect(panic: Box<dyn Any + Send>) -> Result<(), Failure> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Err(Failure::defect(format!("a defect in the runtime, please report it: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Output, OutputType, Outputs};
    use schemars::JsonSchema;
    use serde::Deserialize;

    struct Doubler;

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct With {
        values: Vec<i64>,
    }

    impl Runtime for Doubler {
        const NAME: &'static str = "doubler";
        const ABOUT: &'static str = "Doubles.";
        const OUTPUTS: &'static [Output] = &[Output { name: "sum", of: OutputType::Integer }];
        const ARTIFACTS: &'static [&'static str] = &[];
        type With = With;

        fn run(with: With, _job: &Job) -> Result<Outputs, Failure> {
            Ok(Outputs::new().with("sum", 2 * with.values.iter().sum::<i64>()))
        }
    }

    fn ran(name: &str, with: &str, output: &str) -> Result<String, Failure> {
        let root = std::env::temp_dir().join(format!("hearth-runtime-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();
        let spec = format!(
            r#"{{"version": "1", "run": {{"id": "r", "number": 1}}, "workflow": {{"namespace": "n", "name": "w"}},
            "step": "s", "attempt": 1, "with": {with}, "outputs": [{{"name": "{output}", "type": "integer"}}]}}"#
        );
        std::fs::write(root.join("spec.json"), spec).unwrap();
        let outputs = root.join("outputs");
        let arguments = Arguments { spec: None, root: root.clone(), outputs: outputs.clone(), catalog: false };
        let ended = run::<Doubler>(&arguments, &termination::Log(outputs.clone()));
        let text = ended.map(|()| std::fs::read_to_string(outputs).unwrap());
        std::fs::remove_dir_all(root).unwrap();
        text
    }

    #[test]
    fn with_goes_in_and_outputs_come_out() {
        assert_eq!(ran("good", r#"{"values": [1, 2]}"#, "sum").unwrap(), r#"{"sum":6}"#);
    }

    #[test]
    fn a_bad_with_is_refused_by_its_path() {
        let says = |with| {
            let failure = ran("bad", with, "sum").unwrap_err();
            assert_eq!(failure.code, Code::Config);
            failure.message
        };
        assert_eq!(says(r#"{"values": [1, "x"]}"#), "with.values[1]: invalid type: string \"x\", expected i64");
        assert!(says(r#"{"values": [], "more": 1}"#).contains("unknown field `more`, expected `values`"));
        assert_eq!(says("null"), "with: missing field `values`");
    }

    #[test]
    fn an_output_that_there_is_not_is_refused() {
        let failure = ran("output", r#"{"values": []}"#, "total").unwrap_err();
        assert_eq!(failure.message, "outputs: there is no output \"total\", there are sum");
    }

    #[test]
    fn a_panic_is_a_defect() {
        let failure = catch_unwind(|| -> Result<(), Failure> { panic!("at the {}", "disco") }).unwrap_or_else(defect);
        let failure = failure.unwrap_err();
        assert_eq!((failure.code.number(), failure.message.ends_with("report it: at the disco")), (70, true));
    }

    #[test]
    fn the_catalog_says_what_the_type_takes_and_what_is_written() {
        let entry: serde_json::Value = serde_json::from_str(&catalog::entry::<Doubler>()).unwrap();
        assert_eq!(entry.pointer("/schema/additionalProperties"), Some(&false.into()));
        assert_eq!(entry.pointer("/outputs/sum"), Some(&"integer".into()));
        assert_eq!(entry.pointer("/command/0"), Some(&"/doubler".into()));
        assert!(catalog::check::<Doubler>("{}").unwrap_err().contains("--catalog > runtimes/doubler/"));
    }
}
