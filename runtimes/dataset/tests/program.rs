//! The program as a step runs it: spec in, outputs, artifacts and exit codes out.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails shall fail loudly"
)]

use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A root as a pod has it, which goes with this value.
struct Root(PathBuf);

struct Ended {
    code: i32,
    error: String,
    /// What the termination log holds.
    log: String,
}

impl Root {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hearth-dataset-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("in")).unwrap();
        fs::create_dir_all(root.join("out")).unwrap();
        Self(root)
    }

    fn input(&self, name: &str, content: &[u8]) {
        fs::write(self.0.join("in").join(name), content).unwrap();
    }

    fn out(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.join("out").join(name)).unwrap()
    }

    fn spec(&self, with: &Value, inputs: &[&str], artifacts: &[&str], outputs: &Value) {
        let files = |folder: &str, names: &[&str]| -> Vec<Value> {
            let name = |file: &str| file.split('.').next().unwrap().to_owned();
            names.iter().map(|file| json!({"name": name(file), "path": self.0.join(folder).join(file)})).collect()
        };
        let spec = json!({
            "version": "1", "run": {"id": "01937c5e", "number": 1}, "workflow": {"namespace": "climate", "name": "co2"},
            "step": "ingest", "attempt": 1, "with": with, "inputs": files("in", inputs),
            "artifacts": files("out", artifacts), "outputs": outputs,
        });
        fs::write(self.0.join("spec.json"), spec.to_string()).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dataset"));
        command.arg("--root").arg(&self.0).arg("--outputs").arg(self.0.join("log"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn run(&self, with: &Value, inputs: &[&str], artifacts: &[&str], outputs: &Value) -> Ended {
        self.spec(with, inputs, artifacts, outputs);
        let output = self.command().output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
            log: fs::read_to_string(self.0.join("log")).unwrap_or_default(),
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const CO2: &str = "date,co2,site\n1958-03-29,316.1,mlo\n1958-04-05,317.3,mlo\n1958-04-12,,mlo\n1958-04-19,317.5,mlo\n";

#[test]
fn a_table_is_profiled_converted_and_reported() {
    let root = Root::new("good");
    root.input("raw.csv", CO2.as_bytes());
    let with = json!({"input": "raw", "expectations": [
        {"column": "co2", "min": 300, "max": 600}, {"column": "date", "unique": true, "notNull": true, "type": "date"},
        {"rows": {"min": 4}}]});
    let outputs = json!([{"name": "rows", "type": "integer"}, {"name": "digest", "type": "string"},
        {"name": "columns", "type": "array"}]);
    let ended = root.run(&with, &["raw.csv"], &["profile.json", "table.parquet"], &outputs);
    assert_eq!((ended.code, ended.error.as_str()), (0, ""));
    let log: Value = serde_json::from_str(&ended.log).unwrap();
    let columns = json!([{"name": "date", "type": "date"}, {"name": "co2", "type": "number"},
        {"name": "site", "type": "string"}]);
    assert_eq!((&log["rows"], &log["columns"]), (&json!(4), &columns));
    let profile: Value = serde_json::from_slice(&root.out("profile.json")).unwrap();
    assert_eq!(profile["digest"], log["digest"]);
    assert_eq!(profile["columns"][1]["nulls"], 1);
    assert_eq!(profile["columns"][1]["numbers"]["max"], 317.5);
    assert_eq!(profile["columns"][0]["times"]["min"], "1958-03-29");
    assert_eq!(profile["columns"][2]["frequent"][0], json!({"value": "mlo", "count": 4}));

    // The Parquet file is the same table: the same profile but for what is of the file.
    fs::copy(root.0.join("out/table.parquet"), root.0.join("in/table.parquet")).unwrap();
    let ended = root.run(&json!({"input": "table"}), &["table.parquet"], &["profile.json"], &json!([]));
    assert_eq!(ended.code, 0, "{}", ended.error);
    let again: Value = serde_json::from_slice(&root.out("profile.json")).unwrap();
    assert_eq!(again["columns"], profile["columns"]);
    assert_eq!(again["format"], "parquet");
    assert_ne!(again["digest"], profile["digest"]);
}

#[test]
fn broken_expectations_are_bad_data_with_row_and_value() {
    let root = Root::new("broken");
    root.input("raw.csv", CO2.as_bytes());
    let with = json!({"input": "raw", "expectations": [
        {"column": "co2", "max": 317}, {"column": "site", "unique": true}, {"column": "co2", "notNull": true},
        {"rows": {"max": 3}}, {"column": "CO2"}, {"column": "co2", "min": 300}]});
    let ended = root.run(&with, &["raw.csv"], &["profile.json"], &json!([]));
    assert_eq!(ended.code, 65);
    for part in [
        "5 of 6 expectations do not hold: ",
        "expectations[0] (co2): row 2: 317.3 is above 317, 2 rows in all",
        "expectations[1] (site): row 2: \"mlo\" is in row 1 already, 3 rows in all",
        "expectations[2] (co2): row 3: there is no value",
        "expectations[3]: 4 rows are above 3",
        "expectations[4] (CO2): there is no column \"CO2\", there are date, co2, site",
    ] {
        assert!(ended.error.contains(part) && ended.log.contains(part), "{part}: {}", ended.error);
    }
    assert!(!root.0.join("out/profile.json").exists());
}

#[test]
fn drift_is_measured_against_an_earlier_profile() {
    let root = Root::new("drift");
    let table = |shift: f64| -> String {
        (0..2000).fold("v\n".into(), |text, n| format!("{text}{}\n", f64::from(n * 7919 % 2000) / 2000.0 + shift))
    };
    root.input("raw.csv", table(0.0).as_bytes());
    assert_eq!(root.run(&json!({"input": "raw"}), &["raw.csv"], &["profile.json"], &json!([])).code, 0);
    root.input("previous.json", &root.out("profile.json"));
    let with = json!({"input": "raw", "expectations": [{"drift": {"column": "v", "psi": "0.2"}}]});
    let inputs = ["raw.csv", "previous.json"];
    let ended = root.run(&with, &inputs, &[], &json!([]));
    assert_eq!(ended.code, 0, "{}", ended.error);
    root.input("raw.csv", table(0.2).as_bytes());
    let ended = root.run(&with, &inputs, &[], &json!([]));
    assert_eq!(ended.code, 65);
    assert!(ended.error.contains("expectations[0] (v): the population stability index is 1."), "{}", ended.error);
    let ended = root.run(&with, &["raw.csv"], &[], &json!([]));
    assert_eq!(ended.code, 78);
    assert!(ended.error.contains("with.expectations[0].drift.against: the step has no input \"previous\""));
}

#[test]
fn each_failure_has_the_contracts_code() {
    let root = Root::new("codes");
    root.input("raw.csv", CO2.as_bytes());
    root.input("bad.csv", b"a,b\n1\n");
    for (with, code, part) in [
        (json!({"input": "raw", "expectation": []}), 78, "unknown field `expectation`, expected one of `input`"),
        (
            json!({"input": "raw", "expectations": [{"column": "a", "min": "x"}]}),
            78,
            "with.expectations[0].min: invalid",
        ),
        (json!({"input": "row"}), 78, "with.input: the step has no input \"row\", it has raw, bad"),
        (json!({}), 78, "with: give either input"),
        (json!({"file": "/nowhere/a.csv"}), 74, "/nowhere/a.csv: No such file"),
        (json!({"input": "bad"}), 65, "line 2 (row 1): 1 cells of 2: column \"b\" and what follows are missing"),
        (json!({"input": "raw", "limits": {"columns": 2}}), 65, "header: there are more than 2 columns"),
    ] {
        let ended = root.run(&with, &["raw.csv", "bad.csv"], &[], &json!([]));
        assert_eq!(ended.code, code, "{}", ended.error);
        assert!(ended.error.contains(part) && ended.log.contains(part), "{part}: {}", ended.error);
    }
    let ended = root.run(&json!({"input": "raw"}), &["raw.csv"], &[], &json!([{"name": "row", "type": "integer"}]));
    assert_eq!((ended.code, ended.log.contains("there is no output \"row\", there are rows, bytes")), (78, true));
    assert_eq!(root.command().arg("--nonsense").output().unwrap().status.code(), Some(64));
    let mut spec: Value = serde_json::from_slice(&fs::read(root.0.join("spec.json")).unwrap()).unwrap();
    spec["outputs"] = json!([]);
    spec["inputs"][0]["digest"] = "sha256:00".into();
    fs::write(root.0.join("spec.json"), spec.to_string()).unwrap();
    let output = root.command().output().unwrap();
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8(output.stderr).unwrap().contains("the input is sha256:00"));
}

#[test]
fn memory_does_not_grow_with_the_table() {
    let root = Root::new("memory");
    let path = root.0.join("in/raw.csv");
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    writeln!(file, "id,value,site,flag").unwrap();
    let mut bytes = 0;
    let mut state = 1_u64;
    let mut rows = 0_u64;
    while bytes < 200 << 20 {
        // The numbers of a linear congruential generator: D. Knuth, MMIX.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        rows += 1;
        let line =
            format!("{rows},{}.{},station {},{}\n", state >> 54, state >> 40 & 0xfff, state >> 61, state >> 63 == 0);
        bytes += line.len();
        file.write_all(line.as_bytes()).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    root.spec(&json!({"input": "raw"}), &["raw.csv"], &["profile.json"], &json!([]));
    // The kernel refuses more than this, in KiB, of stacks and heaps; what the program does then is no success.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -d 65536 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_dataset")]);
    let output = shell.args(root.command().get_args()).output().unwrap();
    println!("a table of {bytes} bytes, {}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success());
    let profile: Value = serde_json::from_slice(&root.out("profile.json")).unwrap();
    assert_eq!(profile["rows"], rows);
    assert_eq!(profile["columns"][2]["frequent"].as_array().unwrap().len(), 8);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let root = Root::new("stop");
    // Opening a pipe that nobody writes to waits for ever.
    let pipe = root.0.join("in/raw.csv");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    root.spec(&json!({"input": "raw"}), &["raw.csv"], &[], &json!([]));
    let mut child = root.command().spawn().unwrap();
    let caught = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask >> 14 & 1 == 1)
    };
    while !caught(&fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap()) {
        std::thread::yield_now();
    }
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(fs::read_to_string(root.0.join("log")).unwrap(), "was told to stop");
}
