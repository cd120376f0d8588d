//! Two runs side by side: what differs, and numbers with their relative difference.

use super::{
    age::human_millis,
    prose,
    style::{FAINT, STRONG, of_phase},
    table::{Cell, Table},
};
use anstyle::{AnsiColor, Style};
use hearth_wire::{Run, Step};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Two runs and every value in which they can differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// The first run.
    pub left: RunName,
    /// The second run.
    pub right: RunName,
    /// The values, in the order in which people read them.
    pub values: Vec<Pair>,
}

/// Which run it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RunName {
    /// Id of the run.
    pub id: String,
    /// Namespace of its object.
    pub namespace: String,
    /// Name of its object.
    pub name: String,
    /// Number of the run.
    pub number: i64,
}

/// A value of both runs; null where a run has none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pair {
    /// `run`, `params`, `results`, or a step.
    pub of: String,
    /// Name of the value.
    pub name: String,
    /// In the first run.
    pub left: Value,
    /// In the second run.
    pub right: Value,
    /// Whether they are the same.
    pub same: bool,
    /// For numbers: (right − left) / |left|.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
}

impl Compared {
    /// Compares.
    pub fn of(left: (&Run, &[Step]), right: (&Run, &[Step])) -> Self {
        let (l, r) = (values(left.0, left.1), values(right.0, right.1));
        let mut order: Vec<(String, String)> = l.iter().map(|(key, _)| key.clone()).collect();
        // What only the second run has stands after what both have of the same subject.
        for (key, _) in &r {
            if !order.contains(key) {
                let place = order.iter().rposition(|k| k.0 == key.0).map_or(order.len(), |i| i + 1);
                order.insert(place, key.clone());
            }
        }
        let (l, r): (BTreeMap<_, _>, BTreeMap<_, _>) = (l.into_iter().collect(), r.into_iter().collect());
        let pair = |key: (String, String)| {
            let value = |of: &BTreeMap<(String, String), Value>| of.get(&key).cloned().unwrap_or(Value::Null);
            let (left, right) = (value(&l), value(&r));
            let relative = relative(&left, &right);
            Pair { same: left == right, relative, left, right, of: key.0, name: key.1 }
        };
        Self { left: name(left.0), right: name(right.0), values: order.into_iter().map(pair).collect() }
    }
}

fn name(run: &Run) -> RunName {
    let row = &run.summary;
    RunName { id: row.id.clone(), namespace: row.namespace.clone(), name: row.name.clone(), number: row.number }
}

type Values = Vec<((String, String), Value)>;

/// What can differ, of one run.
fn values(run: &Run, steps: &[Step]) -> Values {
    let row = &run.summary;
    let text = |t: &Option<String>| t.clone().map_or(Value::Null, Value::String);
    let duration = |d: Option<i64>| d.map_or(Value::Null, Value::from);
    let mut all: Values = Vec::new();
    let mut add = |of: &str, name: &str, value: Value| all.push(((of.to_owned(), name.to_owned()), value));
    add("run", "phase", row.phase.clone().into());
    add("run", "reason", text(&row.reason));
    add("run", "duration", duration(row.duration_ms));
    add("run", "trigger", row.trigger.clone().into());
    add("run", "spec", run.digest.clone().into());
    for (of, map) in [("params", &run.params), ("results", &run.results)] {
        map.as_object().into_iter().flatten().for_each(|(name, value)| add(of, name, value.clone()));
    }
    let mut seen = BTreeSet::new();
    for step in steps {
        let label = if step.item > 0 { format!("{}[{}]", step.step, step.item) } else { step.step.clone() };
        if !seen.insert(label.clone()) {
            continue;
        }
        let of_it = steps.iter().filter(|s| (&s.step, s.item) == (&step.step, step.item));
        let Some(last) = of_it.max_by_key(|s| s.attempt) else { continue };
        let of = format!("step {label}");
        add(&of, "phase", last.phase.clone().into());
        add(&of, "attempts", last.attempt.into());
        add(&of, "duration", duration(last.duration_ms));
        add(&of, "image", text(&last.image_id.clone().or_else(|| last.image.clone())));
        last.outputs.as_object().into_iter().flatten().for_each(|(n, v)| add(&of, &format!("outputs.{n}"), v.clone()));
        let digest = |a: &Value| a.get("digest").cloned().unwrap_or(Value::Null);
        last.artifacts
            .as_object()
            .into_iter()
            .flatten()
            .for_each(|(n, a)| add(&of, &format!("artifacts.{n}"), digest(a)));
    }
    all
}

/// How much larger the second number is than the first, as a part of the first.
fn relative(left: &Value, right: &Value) -> Option<f64> {
    let (left, right) = (left.as_f64()?, right.as_f64()?);
    let relative = (right - left) / left.abs();
    relative.is_finite().then_some(relative)
}

/// The text for people: what differs, and how much is the same.
#[must_use]
pub fn compare(compared: &Compared, width: Option<usize>) -> String {
    let title = |run: &RunName| format!("{}/{} run {}", run.namespace, run.name, run.number);
    let mut text = prose(&format!("A  {}  {}", title(&compared.left), compared.left.id), width, STRONG);
    text += &prose(&format!("B  {}  {}", title(&compared.right), compared.right.id), width, STRONG);
    let mut table = Table::new(&[("OF", 0), ("VALUE", 0), ("A", 0), ("B", 0), ("B − A", 0)]);
    let differing: Vec<&Pair> = compared.values.iter().filter(|p| !p.same).collect();
    let mut last = "";
    for pair in &differing {
        let of = if pair.of == last { String::new() } else { pair.of.clone() };
        last = &pair.of;
        table.row(vec![
            of.into(),
            pair.name.clone().into(),
            cell(pair, &pair.left),
            cell(pair, &pair.right),
            difference(pair),
        ]);
    }
    let same = compared.values.len() - differing.len();
    if differing.is_empty() {
        return text + &prose(&format!("\nAll {same} values are the same."), width, Style::new());
    }
    text + "\n" + &table.text(width) + "\n" + &prose(&format!("{same} more values are the same."), width, FAINT)
}

fn cell(pair: &Pair, value: &Value) -> Cell {
    match (value, pair.name.as_str()) {
        (Value::Null, _) => "-".to_owned().into(),
        (Value::Number(ms), "duration") => human_millis(ms.as_i64().unwrap_or(0)).into(),
        (Value::String(phase), "phase") => Cell::styled(of_phase(phase), phase.clone()),
        (Value::String(text), "image" | "spec") => short(text).into(),
        (Value::String(text), _) => text.clone().into(),
        (other, _) => other.to_string().into(),
    }
}

/// A digest by its first digits.
fn short(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((head, digest)) if digest.len() > 12 && digest.chars().all(|c| c.is_ascii_hexdigit()) => {
            format!("{head}:{}…", digest.get(..12).unwrap_or(digest))
        }
        Some(_) | None => text.to_owned(),
    }
}

/// Longer is worse, so it is what the eye falls on; of other numbers nobody knows which way is good.
fn difference(pair: &Pair) -> Cell {
    let Some(relative) = pair.relative else { return Cell::default() };
    let text = percent(relative);
    let style = match pair.name.as_str() {
        "duration" if relative > 0.1 => AnsiColor::Red.on_default(),
        "duration" if relative < -0.1 => AnsiColor::Green.on_default(),
        _ => Style::new(),
    };
    Cell::styled(style, text)
}

fn percent(relative: f64) -> String {
    let percent = relative * 100.0;
    match percent.abs() {
        size if size >= 1000.0 => format!("×{:.1}", relative + 1.0),
        size if size >= 10.0 => format!("{percent:+.0} %"),
        size if size >= 0.1 => format!("{percent:+.1} %"),
        _ => format!("{percent:+.1e} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(number: i64, window: i64, rmse: f64, duration: i64) -> Run {
        serde_json::from_value(json!({
            "id": format!("01993b6a-7c00-7000-8000-{number:012}"), "kind": "Workflow", "namespace": "climate",
            "namespaceUid": "u", "name": "co2", "number": number, "phase": "Succeeded", "terminal": true,
            "reason": "Completed", "trigger": "Changed", "startedAt": "2026-11-21T08:00:00Z", "durationMs": duration,
            "uid": "o", "cluster": "c", "minimal": false, "seq": 3, "revision": "r", "digest": "v1:ab", "spec": {},
            "params": {"window": window, "station": "mlo"}, "results": {"best": "stl", "rmse": rmse},
        }))
        .unwrap()
    }

    fn step(name: &str, attempt: i32, duration: i64, outputs: Value) -> Step {
        serde_json::from_value(json!({
            "step": name, "item": 0, "attempt": attempt, "seq": 1, "phase": "Succeeded", "terminal": true,
            "outputs": outputs, "hasLog": false, "durationMs": duration,
            "imageId": format!("registry.example/fit@sha256:{}", "ab".repeat(32)),
        }))
        .unwrap()
    }

    #[test]
    fn what_differs_is_listed_with_its_size() {
        let left = (run(3, 12, 0.31, 61_000), vec![step("fit", 1, 40_000, json!({"growth": 1.5, "n": 10}))]);
        let right = (
            run(4, 24, 0.279, 95_000),
            vec![
                step("fit", 1, 40_000, json!({})),
                step("fit", 2, 62_000, json!({"growth": 1.5000001, "n": 2000, "note": "re\u{1b}[31mfit"})),
                step("report", 1, 900, Value::Null),
            ],
        );
        let compared = Compared::of((&left.0, &left.1), (&right.0, &right.1));
        insta::assert_snapshot!(anstream::adapter::strip_str(&compare(&compared, None)).to_string());
        let rmse = compared.values.iter().find(|p| p.name == "rmse").and_then(|p| p.relative).unwrap();
        assert!((rmse + 0.1).abs() < 1e-9, "{rmse}");
        let same = Compared::of((&left.0, &left.1), (&left.0, &left.1));
        assert!(compare(&same, None).contains("All 15 values are the same"), "{}", compare(&same, None));
    }

    #[test]
    fn differences_have_two_digits_or_so() {
        for (relative, text) in
            [(0.125, "+12 %"), (-0.012, "-1.2 %"), (0.0, "+0.0e0 %"), (49.0, "×50.0"), (1e-6, "+1.0e-4 %")]
        {
            assert_eq!(percent(relative), text);
        }
        assert_eq!(relative_of(0.0, 1.0), None, "nothing is a part of nothing");
        assert_eq!(relative_of(-2.0, -1.0), Some(0.5));
    }

    fn relative_of(left: f64, right: f64) -> Option<f64> {
        relative(&json!(left), &json!(right))
    }
}
