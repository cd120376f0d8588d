//! The program as a step runs it: a table in, a table with more columns out.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails shall fail loudly"
)]

use serde_json::{Value, json};
use std::{fs, path::PathBuf, process::Command};

/// A root as a pod has it, which goes with this value.
struct Root(PathBuf);

impl Root {
    fn new(name: &str, table: &str) -> Self {
        let root = std::env::temp_dir().join(format!("hearth-features-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("in")).unwrap();
        fs::create_dir_all(root.join("out")).unwrap();
        fs::write(root.join("in/table.csv"), table).unwrap();
        Self(root)
    }

    /// The exit code, what stands in the termination log, and the lines of the table that was written.
    fn run(&self, with: &Value) -> (i32, String, Vec<String>) {
        self.run_to(with, "table.csv", "in/table.csv")
    }

    fn run_to(&self, with: &Value, out: &str, input: &str) -> (i32, String, Vec<String>) {
        let mut with = with.clone();
        with["input"] = "table".into();
        let spec = json!({
            "version": "1", "run": {"id": "01937c5e", "number": 1}, "workflow": {"namespace": "climate", "name": "co2"},
            "step": "features", "attempt": 1, "with": with,
            "inputs": [{"name": "table", "path": self.0.join(input)}],
            "artifacts": [{"name": "table", "path": self.0.join("out").join(out)}],
            "outputs": [{"name": "rows", "type": "integer"}, {"name": "columnCount", "type": "integer"}],
        });
        fs::write(self.0.join("spec.json"), spec.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_features"));
        let ended = command.arg("--root").arg(&self.0).arg("--outputs").arg(self.0.join("log")).output().unwrap();
        let log = fs::read_to_string(self.0.join("log")).unwrap();
        let error = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() || error.contains(&log), "{error} {log}");
        let table = fs::read_to_string(self.0.join("out/table.csv")).unwrap_or_default();
        (ended.status.code().unwrap(), log, table.lines().map(str::to_owned).collect())
    }

    fn says(&self, with: Value) -> (i32, String) {
        let (code, log, _) = self.run(&with);
        (code, log)
    }
}

fn outputs(log: &str) -> Value {
    serde_json::from_str(log).unwrap()
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn columns_are_added_one_after_the_other() {
    let root = Root::new("add", "t,u,site\n0,0,a\n1,1,a\n2,4,a\n3,9,a\n4,16,a\n");
    let with = json!({"index": "t", "operations": [
        {"derivative": {"column": "u"}},
        {"lag": {"column": "u_d1", "by": 1, "as": "before"}},
        {"rolling": {"column": "u", "window": 3, "function": "max", "align": "centered", "minCount": 2}}]});
    let (code, log, lines) = root.run(&with);
    assert_eq!((code, outputs(&log)), (0, json!({"rows": 5, "columnCount": 6})));
    assert_eq!(
        lines,
        [
            "t,u,site,u_d1,before,u_max3",
            "0,0,a,0.0,,1.0",
            "1,1,a,2.0,0.0,4.0",
            "2,4,a,4.0,2.0,9.0",
            "3,9,a,6.0,4.0,16.0",
            "4,16,a,8.0,6.0,16.0",
        ]
    );
    // The same through Parquet.
    assert_eq!(root.run_to(&with, "table.parquet", "in/table.csv").0, 0);
    fs::copy(root.0.join("out/table.parquet"), root.0.join("in/again.parquet")).unwrap();
    let again = json!({"columns": ["t", "u", "site", "u_d1", "before"], "index": "t", "operations":
        [{"rolling": {"column": "u", "window": 3, "function": "max", "align": "centered", "minCount": 2}}]});
    let (code, _, from_parquet) = root.run_to(&again, "table.csv", "in/again.parquet");
    assert_eq!((code, from_parquet), (0, lines));
}

#[test]
fn groups_are_series_of_their_own() {
    let root = Root::new("by", "x,t,u\n0,1,0\n1,1,2\n2,1,4\n0,2,0\n1,2,3\n2,2,6\n");
    let with = json!({"index": "x", "by": ["t"], "operations": [{"derivative": {"column": "u", "as": "u_x"}}]});
    let (_, _, lines) = root.run(&with);
    assert_eq!(lines[1..], ["0,1,0,2.0", "1,1,2,2.0", "2,1,4,2.0", "0,2,0,3.0", "1,2,3,3.0", "2,2,6,3.0"]);
    let torn = Root::new("torn", "x,t,u\n0,1,0\n0,2,0\n1,1,2\n");
    let (code, log) = torn.says(with);
    assert_eq!((code, log.as_str()), (65, "with.by, row 3: rows of one group have to stand together"));
}

#[test]
fn instants_are_put_onto_a_grid_and_differentiated_by_seconds() {
    let root = Root::new("grid", "at,u,site\n2024-01-01,0,a\n2024-01-02,86400,a\n2024-01-04,,a\n2024-01-05,345600,a\n");
    let with = json!({"index": "at", "by": ["site"], "operations": [
        {"resample": {"step": 86400}}, {"derivative": {"column": "u", "accuracy": 1}}]});
    let (code, log, lines) = root.run(&with);
    assert_eq!((code, outputs(&log)), (0, json!({"rows": 5, "columnCount": 4})));
    assert_eq!(lines[3], "2024-01-03T00:00:00,172800.0,a,1.0");
}

#[test]
fn each_failure_has_the_contracts_code() {
    let root = Root::new("codes", "t,u,s\n0,1,a\n2,,b\n1,3,c\n");
    let derivative = json!([{"derivative": {"column": "u"}}]);
    for (with, code, expected) in [
        (json!({}), 78, "with: missing field `operations`"),
        (json!({"operations": []}), 78, "with.operations: give at least one"),
        (
            json!({"operations": [{"derivative": {"column": "u", "order": "x"}}]}),
            78,
            "with.operations[0].derivative.order: invalid type: string \"x\", expected usize",
        ),
        (
            json!({"operations": [{"derivative": {"column": "u", "order": 9}}]}),
            78,
            "with.operations[0].derivative.order: 9 is not from 1 to 4",
        ),
        (
            json!({"operations": [{"lag": {"column": "v"}}]}),
            78,
            "with.operations[0].column: there is no column \"v\", there are t, u, s",
        ),
        (
            json!({"operations": [{"lag": {"column": "s"}}]}),
            78,
            "with.operations[0].column: \"s\" is Utf8, not a number",
        ),
        (
            json!({"operations": [{"lag": {"column": "u", "as": "t"}}]}),
            78,
            "with.operations[0]: there is a column \"t\" already: name the new one with as",
        ),
        (
            json!({"columns": ["w"], "operations": derivative}),
            78,
            "with.columns: there is no column \"w\", there are t, u, s",
        ),
        (
            json!({"index": "s", "operations": derivative}),
            78,
            "with.index: \"s\" is Utf8, not a number, day or instant",
        ),
        (
            json!({"index": "t", "operations": derivative}),
            65,
            "with.index, row 3: the index is not above that of the row before",
        ),
        (
            json!({"operations": [{"spectral": {"column": "u"}}]}),
            65,
            "with.operations[0], row 2: a value is missing, which a Fourier transform can't bear: fill it first",
        ),
        (
            json!({"operations": [{"derivative": {"column": "t", "accuracy": 3}}]}),
            65,
            "with.operations[0], row 1: 3 rows are too few for derivative 1 of accuracy 3, which needs 5",
        ),
        (
            json!({"operations": [{"resample": {"step": 1}}]}),
            78,
            "with.operations[0]: \"s\" is Utf8, which has no means: leave it out with columns, or put it in by",
        ),
    ] {
        assert_eq!(root.says(with), (code, expected.to_owned()));
    }
    let (code, log) = root.says(json!({"maxRows": 2, "operations": derivative}));
    assert!(code == 65 && log.ends_with("more than 2 rows: set maxRows, and memory to hold them"), "{log}");
}
