//! Rows compared: with the status, with what the API gives, and with those of another run.

use crate::{
    Scene, plugin,
    status::{items, number, text},
    store,
};
use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The last run of a Workflow is one row, equal to its status, in Postgres and through the API. Gives the run's id.
///
/// # Errors
/// It is not.
pub fn equal_status(scene: &Scene, object: &Value) -> Result<String> {
    let run = object.pointer("/status/run").context("no run")?;
    let id = text(run, "/id").to_owned();
    let row = store::run(&id)?.with_context(|| format!("run {id} has no row"))?;
    let same = |what: &str, status: &Value, row: &Value| {
        // 2 and 2.0 are one number: the API server writes the shorter one.
        let equal = status.as_f64().zip(row.as_f64()).map_or_else(|| status == row, |(a, b)| a.total_cmp(&b).is_eq());
        ensure!(equal, "{what} of run {id}: status says {status}, the row says {row}");
        Ok(())
    };
    let or = |value: Option<&Value>, default: Value| value.cloned().unwrap_or(default);
    same("phase", &or(object.pointer("/status/phase"), Value::Null), &row["phase"])?;
    same("number", &run["number"], &row["number"])?;
    same("revision", &run["revision"], &row["revision"])?;
    same("digest", &run["digest"], &row["digest"])?;
    same("trigger", &run["trigger"], &row["trigger"])?;
    same("params", &or(run.get("params"), json!({})), &row["params"])?;
    same("results", &or(run.get("results"), json!({})), &row["results"])?;
    same("uid", &object["metadata"]["uid"], &row["uid"])?;
    ensure!(row["terminal"] == json!(true) && row["minimal"] == json!(false), "run {id} is not final: {row}");
    let rows = store::steps(&id)?;
    for step in items(run, "/steps") {
        let (name, attempt) = (text(step, "/name"), number(step, "/attempt"));
        if number(step, "/fanOut/started") > 0 {
            equal_items(step, &rows)?;
            continue;
        }
        let found = rows
            .iter()
            .find(|r| text(r, "/step") == name && number(r, "/attempt") == attempt)
            .with_context(|| format!("step {name}, attempt {attempt} has no row"))?;
        same(&format!("phase of step {name}"), &step["phase"], &found["phase"])?;
        ensure!(found["terminal"] == json!(true), "the row of step {name} is not final: {found}");
        for (output, value) in step.get("outputs").and_then(Value::as_object).into_iter().flatten() {
            same(&format!("output {output} of step {name}"), value, &found["outputs"][output])?;
        }
    }
    for row in rows.iter().chain([&row]) {
        in_order(row)?;
    }
    through_api(scene, &id, &row, &rows)?;
    Ok(id)
}

/// The items of a step that is over have one row each of their last attempt, final, as the sets of the status say.
fn equal_items(step: &Value, rows: &[Value]) -> Result<()> {
    for index in 0..number(step, "/fanOut/started") {
        let of_item = rows.iter().filter(|r| r["step"] == step["name"] && r["item"] == json!(index));
        let last = of_item.max_by_key(|r| number(r, "/attempt")).with_context(|| format!("item {index} has no row"))?;
        let is_in = |set: &str| is_in(text(step, set), index);
        let phase = match (is_in("/fanOut/failed"), is_in("/fanOut/cancelled")) {
            (true, _) => "Failed",
            (_, true) => "Cancelled",
            _ => "Succeeded",
        };
        ensure!(last["terminal"] == json!(true) && last["phase"] == json!(phase), "item {index} is {phase}: {last}");
    }
    Ok(())
}

/// Whether a number is in ranges as the status writes them: `0-4,7`.
fn is_in(ranges: &str, number: i64) -> bool {
    let parse = |text: &str| text.parse::<i64>().unwrap_or(-1);
    ranges.split(',').filter(|p| !p.is_empty()).any(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        (parse(from)..=parse(to)).contains(&number)
    })
}

/// Nothing ends before it began.
fn in_order(row: &Value) -> Result<()> {
    let time = |column: &str| row[column].as_str().map(str::parse::<Timestamp>).transpose();
    let (started, finished) = (time("started_at")?, time("finished_at")?);
    ensure!(started.zip(finished).is_none_or(|(s, f)| s <= f), "it ended before it began: {row}");
    Ok(())
}

/// The API gives what Postgres holds.
///
/// # Errors
/// It does not.
pub fn through_api(scene: &Scene, id: &str, row: &Value, rows: &[Value]) -> Result<()> {
    let said = plugin::json(&scene.cluster, &["describe", id, "-n", &scene.namespace])?;
    let run = said.get("run").with_context(|| format!("describe gives no run: {said}"))?;
    for (api, column) in [
        ("id", "id"),
        ("namespace", "namespace"),
        ("name", "name"),
        ("uid", "uid"),
        ("number", "number"),
        ("phase", "phase"),
        ("terminal", "terminal"),
        ("seq", "seq"),
        ("trigger", "trigger"),
        ("revision", "revision"),
        ("digest", "digest"),
        ("spec", "spec"),
        ("params", "params"),
        ("results", "results"),
    ] {
        ensure!(run[api] == row[column], "{api} of run {id}: the API says {}, the row says {}", run[api], row[column]);
    }
    let steps = items(&said, "/steps");
    ensure!(steps.len() == rows.len(), "run {id}: the API gives {} steps, Postgres {}", steps.len(), rows.len());
    for row in rows {
        let found = steps
            .iter()
            .find(|s| s["step"] == row["step"] && s["attempt"] == row["attempt"] && s["item"] == row["item"])
            .with_context(|| format!("the API does not give {row}"))?;
        for (api, column) in [("phase", "phase"), ("terminal", "terminal"), ("outputs", "outputs")] {
            ensure!(found[api] == row[column], "{api}: the API says {found}, the row says {row}");
        }
        ensure!(found.get("exitCode").unwrap_or(&Value::Null) == &row["exit_code"], "exit code: {found}, {row}");
    }
    Ok(())
}

/// Rows of a run and its steps without what differs between two runs of the same spec: ids, names, times, seq,
/// and attempts that never ran. Attempts are counted anew without those.
///
/// # Errors
/// Postgres does not answer.
pub fn comparable(id: &str) -> Result<Value> {
    let run = store::run(id)?.with_context(|| format!("run {id} has no row"))?;
    let run = only(
        &run,
        &[
            "kind", "number", "phase", "terminal", "reason", "message", "trigger", "digest", "spec", "params",
            "results", "labels", "owner", "minimal",
        ],
    );
    let mut steps: Vec<Value> = Vec::new();
    for row in store::steps(id)?.iter().filter(|r| text(r, "/phase") != "Void") {
        let mut step = only(
            row,
            &[
                "step",
                "item",
                "phase",
                "terminal",
                "class",
                "reason",
                "message",
                "exit_code",
                "node",
                "image",
                "image_id",
                "outputs",
            ],
        );
        let before = steps.iter().filter(|s| s["step"] == step["step"] && s["item"] == step["item"]).count();
        step["attempt"] = json!(before + 1);
        steps.push(step);
    }
    Ok(json!({"run": run, "steps": steps}))
}

fn only(row: &Value, columns: &[&str]) -> Value {
    Value::Object(columns.iter().map(|c| ((*c).to_owned(), row[*c].clone())).collect::<Map<_, _>>())
}
