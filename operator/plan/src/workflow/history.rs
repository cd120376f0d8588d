//! The rows of a run, from a status that the API server has accepted and the pods that it speaks of.

use super::{
    build::Owner,
    cache::{self, Keys},
    digest::pod_name,
    fan_out, lineage, listing,
    outcome::{self, Outcome},
    specs::Spec,
    valid::ValidStep,
};
use crate::{
    facts::{ContainerFact, Facts, PodFact},
    kind::Env,
    record::{EventRow, ObjectKey, Record, RecordBatch, RunRow, StepRow},
};
use hearth_crds::{
    condition::Reason,
    label,
    time::Time,
    workflow::{AttemptEnd, FailureClass, FanOut, Run, RunPhase, StepPhase, StepStatus, Workflow, WorkflowStatus},
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Annotation that names the owner of a Workflow, for filters.
pub const OWNER_ANNOTATION: &str = "hearth.dev/owner";

/// What rows are made from.
pub struct Source<'a> {
    /// The object.
    pub cr: &'a Workflow,
    /// The pinned spec; None when it is gone.
    pub spec: Option<&'a Spec>,
    /// What was seen.
    pub facts: &'a Facts,
    /// What is the same everywhere.
    pub env: &'a Env,
}

/// The key of the object.
#[must_use]
pub fn key(cr: &Workflow) -> ObjectKey {
    let owner = Owner::of(cr);
    ObjectKey { kind: "Workflow".into(), namespace: owner.namespace, name: owner.name, uid: owner.uid }
}

impl Source<'_> {
    /// The rows of `status`: those of the run, and of each step that differs from `old`.
    #[must_use]
    pub fn batch(&self, old: Option<&WorkflowStatus>, status: &WorkflowStatus) -> Option<RecordBatch> {
        let (status, old) = (listing::unfold(status, self.spec), old.map(|old| listing::unfold(old, self.spec)));
        let (status, old) = (&*status, old.as_deref());
        let run = status.run.as_ref()?;
        let phase = status.phase.unwrap_or(RunPhase::Pending);
        let before = old.and_then(|o| o.run.as_ref()).filter(|r| r.id == run.id);
        if before.is_some_and(|b| b.finished_at.is_some()) {
            // Terminal is terminal: what changes after it is about the record, not in it.
            return None;
        }
        let mut records = vec![Record::Run(Box::new(self.run_row(run, phase, status)))];
        records.extend(run_events(run, phase).into_iter().map(Record::Event));
        let long = self.spec.and_then(|s| s.checked.as_ref().ok()).is_some_and(listing::is_long);
        for step in &run.steps {
            let was = before.and_then(|b| b.steps.named(&step.name));
            if was == Some(step) {
                continue;
            }
            if long && listing::is_told_by_place(step) {
                let recalled = self.recall(run, was, step);
                recalled.into_iter().for_each(|step| self.step_records(run, was, &step, &mut records));
            } else {
                self.step_records(run, was, step, &mut records);
            }
        }
        let lineage = lineage::rows(self, status, run, &records);
        records.extend(lineage.into_iter().map(Record::Lineage));
        Some(RecordBatch {
            object: key(self.cr),
            run_id: run.id.clone(),
            seq: run.seq,
            last: phase.is_terminal(),
            records,
        })
    }

    /// What can still be said of a step that is told by place. None when the status before says that its rows are stored.
    /// Without one before, all of them are told: rows that are stored stay as they are.
    fn recall(&self, run: &Run, was: Option<&StepStatus>, step: &StepStatus) -> Option<StepStatus> {
        let owner = Owner::of(self.cr);
        let name = |attempt| pod_name(&owner.name, &owner.uid, &run.id, &step.name, None, attempt);
        let unstored = match was {
            Some(was) => !was.phase.is_terminal(),
            None => true,
        };
        let known = |at: fn(&StepStatus) -> Option<Time>| was.and_then(at);
        let pod = self.facts.pod(&name(step.attempt));
        unstored.then(|| StepStatus {
            since: known(|was| was.since).or(pod.and_then(|p| p.created_at)),
            started_at: known(|was| was.started_at),
            finished_at: pod.and_then(outcome::ended_at).or(run.updated_at),
            ..step.clone()
        })
    }

    fn run_row(&self, run: &Run, phase: RunPhase, status: &WorkflowStatus) -> RunRow {
        let object = key(self.cr);
        let failure = run.failure.as_ref();
        RunRow {
            id: run.id.clone(),
            cluster: self.env.cluster_id.clone(),
            namespace_uid: self.env.namespace_uids.get(&object.namespace).cloned().unwrap_or_default(),
            object,
            number: run.number,
            seq: run.seq,
            phase: phase.as_str().into(),
            terminal: phase.is_terminal(),
            reason: failure.map(|f| f.reason).or(run.stop).or(status.reason).map(|r| r.as_str().to_owned()),
            message: failure.map(|f| f.message.clone()),
            trigger: run.trigger.as_str().into(),
            revision: run.revision.clone(),
            digest: run.digest.clone(),
            spec: self.spec.map_or(Value::Null, |s| s.written.clone()),
            params: serde_json::to_value(&run.params).unwrap_or(Value::Null),
            results: serde_json::to_value(&run.results).unwrap_or(Value::Null),
            labels: self.cr.metadata.labels.clone().unwrap_or_default(),
            owner: self
                .cr
                .metadata
                .annotations
                .as_ref()
                .and_then(|a| a.get(OWNER_ANNOTATION))
                .cloned()
                .unwrap_or_default(),
            started_at: run.started_at,
            finished_at: run.finished_at,
        }
    }

    fn step_records(&self, run: &Run, was: Option<&StepStatus>, status: &StepStatus, records: &mut Vec<Record>) {
        let spec = self.spec.and_then(|s| s.checked.as_ref().ok());
        let step = spec.and_then(|v| v.step(&status.name));
        let mut keys = Keys::of(self, run, &status.name);
        records.extend(cache::doubt(run, status).map(Record::Event));
        // One that was taken over from an earlier run ran nothing in this one.
        if let Some(fan) = status.fan_out.as_deref().filter(|f| f.started > 0 && status.started_at.is_some()) {
            self.item_records(run, was, status, fan, (step, keys.as_mut()), records);
            return;
        }
        if status.fan_out.is_some() && !status.phase.is_terminal() {
            // Its items are the rows, and none of them has begun.
            return;
        }
        if status.attempt == 0 {
            let row = StepRow { started_at: status.started_at, ..unstarted_row(run, status, None) };
            if row.started_at.is_some() {
                records.push(event(run, &row, None, "Started", row.started_at));
            }
            if row.terminal {
                records.push(event(run, &row, None, status.phase.as_str(), status.finished_at));
            }
            records.push(Record::Step(Box::new(row)));
            return;
        }
        self.attempt_records(run, status, (step, keys.as_mut()), None, records);
    }

    /// The rows of the items that differ from the status before.
    fn item_records(
        &self,
        run: &Run,
        was: Option<&StepStatus>,
        status: &StepStatus,
        fan: &FanOut,
        (step, mut keys): (Option<&ValidStep>, Option<&mut Keys<'_>>),
        records: &mut Vec<Record>,
    ) {
        let was = was.and_then(|w| Some((w, w.fan_out.as_deref()?)));
        let made = if was.is_none() { self.attempts_made(run, status) } else { BTreeMap::new() };
        for index in 0..fan.started {
            let before = was.filter(|(_, f)| index < f.started).map(|(w, f)| fan_out::unfold(f, w, index));
            let mut one = fan_out::unfold(fan, status, index);
            if before.as_ref().is_some_and(|b| *b == one || b.phase.is_terminal()) {
                continue;
            }
            // An item that is over is listed no more: it was in the attempt that it was in before, or that its pod is of.
            // One without a pod is recorded, since pods go only then.
            let known = before.as_ref().map(|b| b.attempt).or(made.get(&index).copied());
            let listed = fan.items.iter().any(|i| i.index == index);
            if one.phase.is_terminal() && known.is_none() && !listed {
                continue;
            }
            one.attempt = one.attempt.max(known.unwrap_or(0));
            // The marks of what is over are merged with later ones.
            if one.phase.is_terminal() && !listed {
                one.since = before.as_ref().and_then(|b| b.since);
            }
            if one.phase.is_terminal() {
                one.finished_at = one.finished_at.or(run.updated_at);
            }
            if one.phase == StepPhase::Cancelled {
                let reason = status.reason.or(run.stop).unwrap_or(Reason::Cancelled);
                one.ended.push(AttemptEnd {
                    attempt: one.attempt,
                    class: FailureClass::Stopped,
                    reason,
                    exit_code: None,
                    node: None,
                    at: one.finished_at.unwrap_or(run.started_at),
                });
            }
            self.attempt_records(run, &one, (step, keys.as_deref_mut()), Some(index), records);
        }
    }

    /// The last attempt of each item that has a pod.
    fn attempts_made(&self, run: &Run, status: &StepStatus) -> BTreeMap<u32, u32> {
        let mut made = BTreeMap::new();
        for pod in self.facts.pods().filter(|p| p.owned && !p.placeholder) {
            let of = |key: &str| pod.labels.get(key).map(String::as_str);
            let number = |key: &str| of(key).and_then(|n| n.parse::<u32>().ok());
            if of(label::RUN) == Some(&run.id)
                && of(label::STEP) == Some(&status.name)
                && let Some((item, attempt)) = number(label::ITEM).zip(number(label::ATTEMPT))
            {
                let last = made.entry(item).or_insert(attempt);
                *last = attempt.max(*last);
            }
        }
        made
    }

    /// The rows of the attempts of a step, or of one item of it.
    fn attempt_records(
        &self,
        run: &Run,
        status: &StepStatus,
        (step, mut keys): (Option<&ValidStep>, Option<&mut Keys<'_>>),
        item: Option<u32>,
        records: &mut Vec<Record>,
    ) {
        if status.attempt == 0 {
            let row = unstarted_row(run, status, item);
            records.push(event(run, &row, item, status.phase.as_str(), status.finished_at));
            records.push(Record::Step(Box::new(row)));
        }
        for attempt in 1..=status.attempt {
            if let Some(mut row) = self.attempt_row(run, status, step, item, attempt) {
                if row.phase == StepPhase::Succeeded.as_str() {
                    row.work_key = keys.as_deref_mut().and_then(|k| k.key(item));
                }
                if row.phase != "Void" {
                    records.push(event(run, &row, item, "Started", row.started_at));
                }
                if row.terminal {
                    records.push(event(run, &row, item, &row.phase, row.finished_at));
                }
                records.extend(self.image_drift(run, &row, item).map(Record::Event));
                records.push(Record::Step(Box::new(row)));
            }
        }
    }

    /// A warning when a tag gave this attempt another image than an earlier one of the step.
    fn image_drift(&self, run: &Run, row: &StepRow, item: Option<u32>) -> Option<EventRow> {
        let owner = Owner::of(self.cr);
        let image = row.image_id.as_ref()?;
        let earlier = (1..u32::try_from(row.attempt).ok()?).find_map(|attempt| {
            let name = pod_name(&owner.name, &owner.uid, &run.id, &row.step, item, attempt);
            self.facts.pod(&name).filter(|p| p.owned && !p.placeholder).and_then(|p| p.image_id.as_ref())
        })?;
        (earlier != image).then(|| EventRow {
            run_id: run.id.clone(),
            subject: subject(row, item),
            transition: Reason::ImageDrift.as_str().into(),
            seq: run.seq,
            at: row.started_at.unwrap_or(run.started_at),
            reason: Some(Reason::ImageDrift.as_str().into()),
            message: Some(format!(
                "an earlier attempt ran {earlier}, this one {image}: name the image by its digest to keep it the same"
            )),
        })
    }

    fn attempt_row(
        &self,
        run: &Run,
        status: &StepStatus,
        step: Option<&ValidStep>,
        item: Option<u32>,
        attempt: u32,
    ) -> Option<StepRow> {
        let owner = Owner::of(self.cr);
        let name = pod_name(&owner.name, &owner.uid, &run.id, &status.name, item, attempt);
        let pod = self.facts.pod(&name).filter(|p| p.owned && !p.placeholder);
        let end = status.ended.iter().find(|e| e.attempt == attempt);
        let current = attempt == status.attempt;
        if !current && end.is_none() && pod.is_none() {
            return None;
        }
        let outcome = pod.zip(step).filter(|(p, _)| p.seen_to_end()).map(|(p, s)| outcome::conclude(p, s, None));
        let (phase, terminal) = attempt_phase(status, current, end);
        let created = pod.and_then(|p| p.created_at);
        let started_at = if current { status.since.or(item.and(created)) } else { created };
        let has_pod = status.workflow.is_none();
        let explained = run
            .failure
            .as_ref()
            .filter(|f| f.step.as_ref() == Some(&status.name) && f.item == item && f.attempt == Some(attempt));
        let mut row = StepRow {
            phase: phase.into(),
            terminal,
            class: end.map(|e| e.class.as_str().into()),
            reason: end.map(|e| e.reason.as_str().to_owned()).or_else(|| word(status.reason)),
            message: message(end, outcome.as_ref())
                .or_else(|| explained.filter(|_| !has_pod).map(|f| f.message.clone())),
            exit_code: end.and_then(|e| e.exit_code).or_else(|| pod.and_then(exit_code)),
            pod: has_pod.then(|| name.clone()),
            node: pod.and_then(|p| p.node.clone()).or_else(|| end.and_then(|e| e.node.clone())),
            image: step.filter(|_| has_pod).map(|s| s.image.clone()),
            image_id: pod.and_then(|p| p.image_id.clone()),
            outputs: outputs(outcome.as_ref(), status, current),
            artifacts: artifacts(outcome.as_ref(), status, current),
            started_at,
            finished_at: if terminal {
                // The kubelet tells whole seconds: nothing ends before it began.
                let ended = item.and(pod.and_then(outcome::ended_at)).map(|at| started_at.map_or(at, |s| at.max(s)));
                end.map(|e| e.at).or(ended).or(status.finished_at)
            } else {
                None
            },
            ..empty_row(run, &status.name, item, attempt)
        };
        match self.facts.logs.get(&name) {
            Some(Ok(log)) => row.log = Some(log.clone()),
            Some(Err(why)) => row.log_unavailable = Some(why.clone()),
            None => {}
        }
        Some(row)
    }
}

fn word(reason: Option<Reason>) -> Option<String> {
    reason.map(|r| r.as_str().to_owned())
}

fn message(end: Option<&AttemptEnd>, outcome: Option<&Outcome>) -> Option<String> {
    match outcome {
        Some(Outcome::Failed(failed)) => Some(failed.message.clone()),
        Some(Outcome::Succeeded(_)) | None => {
            end.map(|e| outcome::stopped(e.reason)).filter(|f| f.class != FailureClass::Stopped).map(|f| f.message)
        }
    }
}

fn exit_code(pod: &PodFact) -> Option<i32> {
    match &pod.container {
        ContainerFact::Ended { exit_code, .. } => Some(*exit_code),
        ContainerFact::None | ContainerFact::Waiting { .. } | ContainerFact::Running { .. } => None,
    }
}

fn outputs(outcome: Option<&Outcome>, status: &StepStatus, current: bool) -> Value {
    let from = match outcome {
        Some(Outcome::Succeeded(written)) => &written.outputs,
        Some(Outcome::Failed(_)) => return json!({}),
        None if current => &status.outputs,
        None => return json!({}),
    };
    Value::Object(from.iter().map(|(k, v)| (k.clone(), v.0.clone())).collect::<Map<_, _>>())
}

/// Artifacts by name, each with digest, bytes and whether it is a directory.
fn artifacts(outcome: Option<&Outcome>, status: &StepStatus, current: bool) -> Value {
    match outcome {
        Some(Outcome::Succeeded(written)) => json!(written.artifacts),
        Some(Outcome::Failed(_)) => json!({}),
        None if current => json!(status.artifacts),
        None => json!({}),
    }
}

/// The phase of one attempt, in the words of the steps table.
fn attempt_phase(status: &StepStatus, current: bool, end: Option<&AttemptEnd>) -> (&'static str, bool) {
    match end {
        Some(end) => match end.class {
            FailureClass::Void => ("Void", true),
            FailureClass::Stopped => ("Cancelled", true),
            FailureClass::UserError | FailureClass::Application | FailureClass::Infrastructure => ("Failed", true),
        },
        // An earlier attempt that is not listed any more was a failed one.
        None if !current => ("Failed", true),
        None => (status.phase.as_str(), status.phase.is_terminal()),
    }
}

/// The row of a step or an item that has no attempt.
fn unstarted_row(run: &Run, status: &StepStatus, item: Option<u32>) -> StepRow {
    let (cached_from, message) = cache::origin(status).unzip();
    let reused = || "it succeeded in an earlier run, whose outputs are taken over".to_owned();
    StepRow {
        phase: status.phase.as_str().into(),
        terminal: status.phase.is_terminal(),
        reason: word(status.reason),
        message: message.or_else(|| (status.reason == Some(Reason::Reused)).then(reused)),
        outputs: outputs(None, status, true),
        artifacts: artifacts(None, status, true),
        finished_at: status.finished_at,
        cached_from,
        ..empty_row(run, &status.name, item, 0)
    }
}

fn empty_row(run: &Run, step: &str, item: Option<u32>, attempt: u32) -> StepRow {
    StepRow {
        run_id: run.id.clone(),
        run_started_at: run.started_at,
        step: step.to_owned(),
        item: item.and_then(|i| i32::try_from(i).ok()).unwrap_or(0),
        attempt: i32::try_from(attempt).unwrap_or(i32::MAX),
        seq: run.seq,
        phase: String::new(),
        terminal: false,
        class: None,
        reason: None,
        message: None,
        exit_code: None,
        pod: None,
        node: None,
        image: None,
        image_id: None,
        outputs: json!({}),
        artifacts: json!({}),
        log: None,
        log_unavailable: None,
        started_at: None,
        finished_at: None,
        work_key: None,
        cached_from: None,
    }
}

fn subject(row: &StepRow, item: Option<u32>) -> String {
    match item {
        None => format!("step/{}/{}", row.step, row.attempt),
        Some(index) => format!("step/{}[{index}]/{}", row.step, row.attempt),
    }
}

fn event(run: &Run, row: &StepRow, item: Option<u32>, transition: &str, at: Option<Time>) -> Record {
    Record::Event(EventRow {
        run_id: run.id.clone(),
        subject: subject(row, item),
        transition: transition.to_owned(),
        seq: run.seq,
        at: at.unwrap_or(run.started_at),
        reason: row.reason.clone().filter(|_| transition != "Started"),
        message: row.message.clone().filter(|_| transition != "Started"),
    })
}

fn run_events(run: &Run, phase: RunPhase) -> Vec<EventRow> {
    let event = |transition: &str, at: Time, reason: Option<String>, message: Option<String>| EventRow {
        run_id: run.id.clone(),
        subject: "run".into(),
        transition: transition.into(),
        seq: run.seq,
        at,
        reason,
        message,
    };
    let asked = run.requested_by.as_ref().map(|by| format!("requested by {by}"));
    let mut events = vec![event("Started", run.started_at, Some(run.trigger.as_str().to_owned()), asked)];
    if let Some(at) = run.finished_at.filter(|_| phase.is_terminal()) {
        let failure = run.failure.as_ref();
        events.push(event(
            phase.as_str(),
            at,
            failure.map(|f| f.reason.as_str().to_owned()),
            failure.map(|f| f.message.clone()),
        ));
    }
    events
}
