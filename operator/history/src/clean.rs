//! Rows as the store takes them: text without NUL, JSON as text, ids parsed. The only way in.

use hearth_crds::time::Time;
use hearth_plan::record::{EventRow, LineageRow, Record, RunRow, StepRow};
use serde::Serialize;
use serde_json::{Map, Value};
use std::borrow::Cow;
use uuid::Uuid;

/// U+FFFD stands for NUL, which Postgres keeps neither in text nor in jsonb.
const REPLACEMENT: &str = "\u{FFFD}";

/// A run, ready to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CleanRun {
    pub id: Uuid,
    pub cluster: String,
    pub kind: String,
    pub namespace: String,
    pub namespace_uid: String,
    pub name: String,
    pub uid: String,
    pub number: i64,
    pub seq: i64,
    pub phase: String,
    pub terminal: bool,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub trigger: String,
    pub revision: String,
    pub digest: String,
    pub spec: String,
    pub params: String,
    pub results: String,
    pub labels: String,
    pub owner: String,
    pub started_at: Time,
    pub finished_at: Option<Time>,
    pub minimal: bool,
}

/// An attempt of a step, ready to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CleanStep {
    pub run_id: Uuid,
    pub run_started_at: Time,
    pub step: String,
    pub item: i32,
    pub attempt: i32,
    pub seq: i64,
    pub phase: String,
    pub terminal: bool,
    pub class: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub exit_code: Option<i32>,
    pub pod: Option<String>,
    pub node: Option<String>,
    pub image: Option<String>,
    pub image_id: Option<String>,
    pub outputs: String,
    pub artifacts: String,
    pub log: Option<String>,
    pub log_unavailable: Option<String>,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub work_key: Option<String>,
    pub cached_from: Option<String>,
}

/// A transition, ready to be written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CleanEvent {
    pub run_id: Uuid,
    pub subject: String,
    pub transition: String,
    pub seq: i64,
    pub at: Time,
    pub reason: Option<String>,
    pub message: Option<String>,
}

/// That one thing came of another, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct CleanLineage {
    pub run_id: Uuid,
    pub relation: &'static str,
    pub from_id: String,
    pub to_id: String,
    pub step: String,
    pub attempt: i32,
    pub name: String,
    /// Not stored: it changes nothing in what the row says.
    pub seq: i64,
}

/// One row of any table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) enum Row {
    Run(Box<CleanRun>),
    Step(Box<CleanStep>),
    Event(CleanEvent),
    Lineage(CleanLineage),
}

impl Row {
    /// Cleans a record; one whose run id is no UUID comes back as it was.
    pub fn from_record(record: Record) -> Result<Self, Box<Record>> {
        let Ok(id) = Uuid::parse_str(run_id(&record)) else { return Err(Box::new(record)) };
        Ok(match record {
            Record::Run(r) => Self::Run(Box::new(clean_run(id, *r))),
            Record::Step(s) => Self::Step(Box::new(clean_step(id, *s))),
            Record::Event(e) => Self::Event(clean_event(id, e)),
            Record::Lineage(l) => Self::Lineage(clean_lineage(id, l)),
        })
    }

    /// About how many bytes it has on the wire.
    pub fn bytes(&self) -> usize {
        let fixed = 256;
        match self {
            Self::Run(r) => {
                fixed + r.spec.len() + r.params.len() + r.results.len() + r.labels.len() + length(r.message.as_ref())
            }
            Self::Step(s) => fixed + s.outputs.len() + length(s.log.as_ref()) + length(s.message.as_ref()),
            Self::Event(e) => fixed + length(e.message.as_ref()),
            Self::Lineage(l) => fixed + l.from_id.len() + l.to_id.len() + l.name.len(),
        }
    }
}

fn length(text: Option<&String>) -> usize {
    text.map_or(0, String::len)
}

/// The run that a record belongs to.
pub(crate) fn run_id(record: &Record) -> &str {
    match record {
        Record::Run(r) => &r.id,
        Record::Step(s) => &s.run_id,
        Record::Event(e) => &e.run_id,
        Record::Lineage(l) => &l.run_id,
    }
}

fn clean_run(id: Uuid, r: RunRow) -> CleanRun {
    let labels: serde_json::Map<String, Value> = r.labels.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
    CleanRun {
        id,
        cluster: text(r.cluster),
        kind: text(r.object.kind),
        namespace: text(r.object.namespace),
        namespace_uid: text(r.namespace_uid),
        name: text(r.object.name),
        uid: text(r.object.uid),
        number: r.number,
        seq: r.seq,
        phase: text(r.phase),
        terminal: r.terminal,
        reason: r.reason.map(text),
        message: r.message.map(text),
        trigger: text(r.trigger),
        revision: text(r.revision),
        digest: text(r.digest),
        spec: json(r.spec),
        params: json(r.params),
        results: json(r.results),
        labels: json(Value::Object(labels)),
        owner: text(r.owner),
        started_at: r.started_at,
        finished_at: r.finished_at,
        minimal: false,
    }
}

fn clean_step(run_id: Uuid, s: StepRow) -> CleanStep {
    CleanStep {
        run_id,
        run_started_at: s.run_started_at,
        step: text(s.step),
        item: s.item,
        attempt: s.attempt,
        seq: s.seq,
        phase: text(s.phase),
        terminal: s.terminal,
        class: s.class.map(text),
        reason: s.reason.map(text),
        message: s.message.map(text),
        exit_code: s.exit_code,
        pod: s.pod.map(text),
        node: s.node.map(text),
        image: s.image.map(text),
        image_id: s.image_id.map(text),
        outputs: json(s.outputs),
        artifacts: json(if s.artifacts.is_null() { Value::Object(Map::new()) } else { s.artifacts }),
        log: s.log.map(text),
        log_unavailable: s.log_unavailable.map(text),
        started_at: s.started_at,
        finished_at: s.finished_at,
        work_key: s.work_key.map(text),
        cached_from: s.cached_from.map(text),
    }
}

fn clean_event(run_id: Uuid, e: EventRow) -> CleanEvent {
    CleanEvent {
        run_id,
        subject: text(e.subject),
        transition: text(e.transition),
        seq: e.seq,
        at: e.at,
        reason: e.reason.map(text),
        message: e.message.map(text),
    }
}

fn clean_lineage(run_id: Uuid, l: LineageRow) -> CleanLineage {
    CleanLineage {
        run_id,
        relation: l.relation.as_str(),
        from_id: text(l.from),
        to_id: text(l.to),
        step: text(l.step),
        attempt: l.attempt,
        name: text(l.name),
        seq: l.seq,
    }
}

/// Text that the store can hold.
pub(crate) fn text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', REPLACEMENT) } else { text }
}

/// The same for text that is only looked at, as in filters.
pub(crate) fn borrowed(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', REPLACEMENT)) } else { Cow::Borrowed(text) }
}

/// JSON text that the store can hold: strings and keys without NUL.
pub(crate) fn json(value: Value) -> String {
    let value = if has_nul(&value) { without_nul(value) } else { value };
    value.to_string()
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(s) => s.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(k, v)| k.contains('\0') || has_nul(v)),
    }
}

fn without_nul(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
        Value::String(s) => Value::String(text(s)),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nul).collect()),
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (text(k), without_nul(v))).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json as j;

    #[test]
    fn nul_becomes_the_replacement_character_everywhere() {
        assert_eq!(text("a\0b".into()), "a\u{FFFD}b");
        assert_eq!(borrowed("a\0b"), "a\u{FFFD}b");
        assert_eq!(json(j!({"a\0": ["x\0y", {"z": "\0"}]})), "{\"a\u{FFFD}\":[\"x\u{FFFD}y\",{\"z\":\"\u{FFFD}\"}]}");
    }

    #[test]
    fn what_is_clean_stays_as_it_is() {
        let odd = "line\r\n\ttab \u{7f} \u{202e} 𝄞 \\u0000";
        assert_eq!(text(odd.into()), odd);
        let value = j!({"text": odd, "n": 1.5e-300, "nested": [null, true, {"k": []}]});
        assert_eq!(json(value.clone()), value.to_string());
    }
}
