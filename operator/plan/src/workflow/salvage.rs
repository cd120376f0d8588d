//! Objects that cannot be handled: what can still be said and stored of them.

use super::{digest, fan_out, history::Source, machine, specs::Spec, valid::Invalid};
use crate::{
    facts::Facts,
    kind::Env,
    record::{EventRow, ObjectKey, Record, RunRow},
};
use hearth_crds::{
    condition::{Condition, ConditionStatus, ConditionType, Reason},
    time::Time,
    workflow::{Failure, RunPhase, StepPhase, Workflow, WorkflowStatus},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn text(value: &Value, path: &str) -> Option<String> {
    value.pointer(path).and_then(Value::as_str).map(str::to_owned)
}

fn time(value: &Value, path: &str) -> Option<Time> {
    value.pointer(path).and_then(|v| serde_json::from_value(v.clone()).ok())
}

const UNREADABLE: &str =
    "the object could not be read any more when it was deleted: this is what its metadata and status said";

/// The rows of an object from its metadata and raw status, when it is let go. Empty when it never had a run.
pub(super) fn records(raw: &Value, env: &Env) -> Vec<Record> {
    from_status(raw, env).unwrap_or_else(|| from_fields(raw, env))
}

/// All rows, when the status can be read although the object cannot: what had not ended was cancelled.
fn from_status(raw: &Value, env: &Env) -> Option<Vec<Record>> {
    let metadata: ObjectMeta = serde_json::from_value(raw.get("metadata")?.clone()).ok()?;
    let mut status: WorkflowStatus = serde_json::from_value(raw.get("status")?.clone()).ok()?;
    let deleted = metadata.deletion_timestamp.as_ref().map(|t| Time::new(t.0));
    let run = status.run.as_mut()?;
    if run.finished_at.is_none() {
        let at = deleted.unwrap_or(run.started_at);
        run.finished_at = Some(at);
        run.seq += 1;
        let failure = Failure {
            step: None,
            item: None,
            attempt: None,
            reason: Reason::Poisoned,
            exit_code: None,
            message: UNREADABLE.into(),
        };
        run.failure.get_or_insert(failure);
        for step in run.steps.iter_mut().filter(|s| !s.phase.is_terminal()) {
            fan_out::cancel_items(step, Reason::Poisoned, at);
            machine::finish(step, StepPhase::Cancelled, Some(Reason::Poisoned), at);
        }
        status.phase = Some(RunPhase::Cancelled);
    }
    let cr = Workflow { metadata, ..Workflow::default() };
    let written = raw.get("spec").cloned().unwrap_or(Value::Null);
    let unread = Invalid { field: "spec".into(), message: UNREADABLE.into() };
    let spec = Spec {
        digest: String::new(),
        revision: String::new(),
        written,
        runtimes: BTreeMap::new(),
        checked: Err(unread),
        waits: false,
    };
    let source = Source { cr: &cr, spec: Some(&spec), facts: &Facts::default(), env };
    source.batch(None, &status).map(|batch| batch.records)
}

/// The row of the run alone, from the fields that can be read.
fn from_fields(raw: &Value, env: &Env) -> Vec<Record> {
    let Some(id) = text(raw, "/status/run/id") else { return Vec::new() };
    let object = ObjectKey {
        kind: "Workflow".into(),
        namespace: text(raw, "/metadata/namespace").unwrap_or_default(),
        name: text(raw, "/metadata/name").unwrap_or_default(),
        uid: text(raw, "/metadata/uid").unwrap_or_default(),
    };
    let phase = text(raw, "/status/phase")
        .filter(|p| matches!(p.as_str(), "Succeeded" | "Failed" | "Cancelled"))
        .unwrap_or_else(|| "Cancelled".into());
    let started_at = time(raw, "/status/run/startedAt")
        .or_else(|| time(raw, "/metadata/creationTimestamp"))
        .unwrap_or(Time::from_millis(0));
    let finished_at = time(raw, "/status/run/finishedAt").or_else(|| time(raw, "/metadata/deletionTimestamp"));
    let seq = raw.pointer("/status/run/seq").and_then(Value::as_i64).unwrap_or(0).saturating_add(1);
    let event = EventRow {
        run_id: id.clone(),
        subject: "run".into(),
        transition: phase.clone(),
        seq,
        at: finished_at.unwrap_or(started_at),
        reason: Some(Reason::Poisoned.as_str().into()),
        message: Some(UNREADABLE.into()),
    };
    let row = RunRow {
        id,
        cluster: env.cluster_id.clone(),
        namespace_uid: env.namespace_uids.get(&object.namespace).cloned().unwrap_or_default(),
        object,
        number: raw.pointer("/status/run/number").and_then(Value::as_i64).unwrap_or(0),
        seq,
        terminal: true,
        phase,
        reason: Some(Reason::Poisoned.as_str().into()),
        message: Some(UNREADABLE.into()),
        trigger: text(raw, "/status/run/trigger").unwrap_or_default(),
        revision: text(raw, "/status/run/revision").unwrap_or_default(),
        digest: text(raw, "/status/run/digest").unwrap_or_else(|| format!("{}:", digest::DIGEST_VERSION)),
        spec: raw.get("spec").cloned().unwrap_or(Value::Null),
        params: raw.pointer("/status/run/params").cloned().unwrap_or_else(|| json!({})),
        results: json!({}),
        labels: BTreeMap::new(),
        owner: String::new(),
        started_at,
        finished_at,
    };
    vec![Record::Run(Box::new(row)), Record::Event(event)]
}

/// The raw status with Stalled=True and Ready=False, of the generation that does not decode; everything else in it stays
/// as it is.
pub(super) fn poisoned(raw_status: Option<&Value>, generation: Option<i64>, message: &str, now: Time) -> Value {
    let mut status = raw_status.filter(|s| s.is_object()).cloned().unwrap_or_else(|| json!({}));
    let old = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |kind: &str| old.iter().find(|c| c.get("type").and_then(Value::as_str) == Some(kind));
    let condition = |type_: ConditionType, kind: &str, status: ConditionStatus, word: &str| {
        let kept = of(kind)
            .filter(|c| c.get("status").and_then(Value::as_str) == Some(word))
            .and_then(|c| time(c, "/lastTransitionTime"));
        Condition {
            type_,
            status,
            reason: Reason::Poisoned.as_str().into(),
            message: message.chars().take(512).collect(),
            last_transition_time: kept.unwrap_or(now),
            observed_generation: generation,
        }
    };
    let mut conditions: Vec<Value> = old
        .iter()
        .filter(|c| !matches!(c.get("type").and_then(Value::as_str), Some("Ready" | "Stalled" | "Reconciling")))
        .cloned()
        .collect();
    conditions.push(json!(condition(ConditionType::Ready, "Ready", ConditionStatus::False, "False")));
    conditions.push(json!(condition(ConditionType::Stalled, "Stalled", ConditionStatus::True, "True")));
    if let Some(fields) = status.as_object_mut() {
        fields.insert("conditions".into(), Value::Array(conditions));
        fields.insert("reason".into(), json!(Reason::Poisoned.as_str()));
        if let Some(generation) = generation {
            fields.insert("observedGeneration".into(), json!(generation));
        }
    }
    status
}
