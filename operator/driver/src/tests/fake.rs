//! A tiny kind: one pod per run, fenced when its fate is unknown. Enough to see what the driver does with a plan.

use hearth_crds::{FENCE_GATE, condition::Reason, time::Time};
use hearth_plan::{
    Accepted, Action, Child, Facts, Intent, Kind, Plan, Post, Record, RevisionFact, RunPods, Start,
    kind::{Env, Intends, RunMark},
    record::{EventRow, ObjectKey, RecordBatch},
    selection::Ended,
};
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, api::ObjectMeta, core::NamespaceResourceScope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{borrow::Cow, time::Duration};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FakeCr {
    pub(crate) metadata: ObjectMeta,
    pub(crate) spec: FakeSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<FakeStatus>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FakeSpec {
    /// Panics when planned.
    #[serde(default)]
    pub(crate) panic: bool,
    /// Names of the actions that each plan asks for.
    #[serde(default)]
    pub(crate) actions: Vec<String>,
    /// Its pods mount the operator's certificate.
    #[serde(default)]
    pub(crate) trusts: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FakeStatus {
    pub(crate) run: Option<FakeRun>,
    #[serde(default)]
    pub(crate) words: Vec<String>,
    #[serde(default)]
    pub(crate) conditions: Vec<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FakeRun {
    pub(crate) id: String,
    pub(crate) seq: i64,
    pub(crate) attempt: u32,
}

impl Intends for FakeStatus {
    fn intends(&self, intent: &Intent) -> bool {
        self.run.as_ref().is_some_and(|r| r.id == intent.run_id && r.attempt == intent.attempt)
    }
}

impl Resource for FakeCr {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;
    fn kind((): &()) -> Cow<'_, str> {
        "Fake".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "hearth.dev".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1alpha1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "fakes".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

pub(crate) struct Fake;

fn intent(attempt: u32) -> Intent {
    Intent { run_id: "run-1".into(), step: "only".into(), item: 0, attempt }
}

pub(crate) fn pod_name(attempt: u32) -> String {
    format!("pod-{attempt}")
}

fn status(attempt: u32, seq: i64, words: Vec<String>) -> FakeStatus {
    FakeStatus { run: Some(FakeRun { id: "run-1".into(), seq, attempt }), words, conditions: vec![] }
}

impl Kind for Fake {
    type Cr = FakeCr;
    type Status = FakeStatus;
    type Specs = ();
    const KIND: &'static str = "Fake";

    fn status(cr: &FakeCr) -> Option<&FakeStatus> {
        cr.status.as_ref()
    }

    fn mark(status: &FakeStatus) -> RunMark {
        let run = status.run.as_ref();
        let stored = |c: &Value| c["type"] == "HistoryStored" && c["status"] == "True";
        RunMark {
            run_id: run.map(|r| r.id.clone()),
            seq: run.map_or(0, |r| r.seq),
            stored: status.conditions.iter().any(stored),
        }
    }

    fn reads(_: &FakeCr) -> Vec<String> {
        Vec::new()
    }

    fn specs(_cr: &FakeCr, _facts: &Facts, _env: &Env, _last: Option<&()>) {}

    fn plan(cr: &FakeCr, (): &(), facts: &Facts, _env: &Env, _now: Time) -> Plan<FakeStatus> {
        assert!(!cr.spec.panic, "planned to panic");
        let mut plan = Plan {
            actions: cr.spec.actions.iter().map(|a| (action(a), Reason::Completed)).collect(),
            ..Plan::default()
        };
        if facts.namespace_terminating {
            return plan;
        }
        let Some(run) = cr.status.as_ref().and_then(|s| s.run.clone()) else {
            if cr.metadata.finalizers.is_none() {
                plan.actions.push((Action::AddFinalizer, Reason::Accepted));
            }
            plan.status = Some(status(1, 1, vec![]));
            plan.intents = vec![intent(1)];
            return plan;
        };
        match facts.child(&pod_name(run.attempt)) {
            Child::Unknown | Child::Unseen(Post::Uncertain | Post::Unfenced(_)) => {
                plan.fences = vec![intent(run.attempt)]
            }
            Child::Unseen(Post::Refused(_)) => plan.intents = vec![intent(run.attempt)],
            Child::Unseen(Post::Stranger { what }) => {
                plan.status = Some(status(run.attempt, run.seq + 1, vec![what.clone()]))
            }
            Child::Unseen(Post::Created) => {}
            Child::Seen(pod) if pod.placeholder => {
                plan.status = Some(status(run.attempt + 1, run.seq + 1, vec![]));
                plan.intents = vec![intent(run.attempt + 1)];
            }
            Child::Seen(pod) if pod.gone && !pod.seen_to_end() => plan.fences = vec![intent(run.attempt)],
            Child::Seen(_) => plan.requeue = Some(Duration::from_secs(60)),
        }
        plan
    }

    fn starts(cr: &FakeCr, (): &(), accepted: &Accepted<FakeStatus>, intents: &[Intent], _env: &Env) -> Vec<Start> {
        let body = |i: &Intent, gate: bool| -> Pod {
            let gates = if gate { json!([{"name": FENCE_GATE}]) } else { json!([]) };
            let volumes = if cr.spec.trusts && !gate {
                json!([{"name": "ca", "projected": {"sources": [{"configMap": {"name": "hearth-ca"}}]}}])
            } else {
                json!([])
            };
            serde_json::from_value(json!({"metadata": {"name": pod_name(i.attempt), "namespace": cr.metadata.namespace}, "spec": {"containers": [], "schedulingGates": gates, "volumes": volumes}})).unwrap()
        };
        intents.iter().filter_map(|i| Start::new(accepted, i.clone(), body(i, false), body(i, true))).collect()
    }

    fn records(
        cr: &FakeCr,
        (): &(),
        old: Option<&FakeStatus>,
        accepted: &Accepted<FakeStatus>,
        _facts: &Facts,
        _env: &Env,
    ) -> Option<RecordBatch> {
        let run = accepted.status().run.clone()?;
        let row = EventRow {
            run_id: run.id.clone(),
            subject: "run".into(),
            transition: if old.is_some() { "changed".into() } else { "all".into() },
            seq: run.seq,
            at: Time::from_millis(0),
            reason: None,
            message: None,
        };
        let object =
            ObjectKey { kind: "Fake".into(), namespace: "ns".into(), name: "a".into(), uid: cr.metadata.uid.clone()? };
        Some(RecordBatch { object, run_id: run.id, seq: run.seq, last: false, records: vec![Record::Event(row)] })
    }

    fn spooled(_cr: &FakeCr, _spool: &RevisionFact, _env: &Env) -> Option<RecordBatch> {
        None
    }

    fn salvage(_raw: &Value, _env: &Env) -> Vec<Record> {
        vec![]
    }

    fn poisoned(_raw_status: Option<&Value>, _generation: Option<i64>, message: &str, now: Time) -> Value {
        json!({"conditions": [{"type": "Stalled", "status": "True", "reason": "Poisoned", "message": message, "lastTransitionTime": now}]})
    }
}

fn action(name: &str) -> Action {
    match name {
        "delete-pod" => Action::DeletePod { name: "old".into(), uid: "old-uid".into() },
        "read-log" => Action::ReadLog { name: "pod-1".into() },
        "keep-log" => Action::KeepLog { name: "pod-1".into(), attempt: intent(1) },
        "delete-run" => Action::DeleteRunPods(RunPods::all("run-1")),
        "sweep" => {
            let only = Ended { steps: vec!["a".into(), "b".into()], items: vec![3, 4], failed: false };
            Action::DeleteRunPods(RunPods { run_id: "run-1".into(), only: Some(only) })
        }
        "event" => Action::PublishEvent { warning: true, message: "it failed".into() },
        "post-object" => Action::PostObject {
            intent: Intent { run_id: "run-1".into(), step: "s".into(), item: 0, attempt: 1 },
            object: Box::new(json!({"metadata": {"name": "called"}})),
        },
        "delete-object" => Action::DeleteObject { uid: "uid-a".into() },
        "release" => Action::RemoveFinalizer,
        other => panic!("no action {other}"),
    }
}
