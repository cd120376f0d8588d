//! Pods as the watch keeps them: only what decisions need, decoded so that nothing in a pod can stop the watch.

use hearth_crds::{FENCE_GATE, GROUP, label, time::Time};
use hearth_plan::facts::{ContainerFact, PodFact, PodPhase};
use kube::{Resource, api::ObjectMeta, core::NamespaceResourceScope};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap};

/// A trimmed pod: whose it is, and the fact that decisions read.
#[derive(Clone, Debug, Default)]
pub(crate) struct PodView {
    meta: ObjectMeta,
    /// UID of the object that it belongs to.
    pub(crate) owner: Option<String>,
    /// Whether it carries the label by which the watch knows it.
    pub(crate) watched: bool,
    /// What decisions read.
    pub(crate) fact: PodFact,
}

impl PodView {
    /// metadata.resourceVersion as a number.
    pub(crate) fn version(&self) -> u64 {
        version_of(&self.meta)
    }

    /// Whose it says it is, for a message about a stranger.
    pub(crate) fn describe(&self) -> String {
        let owner = self.meta.owner_references.iter().flatten().find(|o| o.controller == Some(true));
        match owner {
            Some(o) => format!("Pod/{}, which belongs to {}/{}", self.fact.name, o.kind, o.name),
            None => format!("Pod/{}, which has no owner", self.fact.name),
        }
    }
}

/// metadata.resourceVersion as a number; 0 when it is none. The API defines these as comparable.
pub(crate) fn version_of(meta: &ObjectMeta) -> u64 {
    meta.resource_version.as_deref().and_then(|v| v.parse().ok()).unwrap_or(0)
}

impl Resource for PodView {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// The parts that are kept while reading; the rest (managed fields, annotations, containers) is skipped unread.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawMeta {
    name: Value,
    namespace: Value,
    uid: Value,
    resource_version: Value,
    labels: Value,
    owner_references: Value,
    creation_timestamp: Value,
    deletion_timestamp: Value,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawSpec {
    node_name: Value,
    scheduling_gates: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Option<RawMeta>,
    spec: Option<RawSpec>,
    status: Value,
}

impl<'de> Deserialize<'de> for PodView {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Raw::deserialize(d).map(Self::from)
    }
}

impl From<Raw> for PodView {
    fn from(raw: Raw) -> Self {
        let meta = raw.metadata.unwrap_or_default();
        let spec = raw.spec.unwrap_or_default();
        let status = raw.status;
        let controller = controller_uid(&meta.owner_references);
        let labels = strings(&meta.labels);
        let watched = labels.get(label::MANAGED_BY).is_some_and(|v| v == label::MANAGED_BY_VALUE);
        let reason = text(status.get("reason"));
        let disruption = condition(&status, "DisruptionTarget", "True");
        let fact = PodFact {
            name: text(Some(&meta.name)).unwrap_or_default(),
            uid: text(Some(&meta.uid)).unwrap_or_default(),
            owned: controller.is_some(),
            created_at: time(Some(&meta.creation_timestamp)),
            deleting_at: time(Some(&meta.deletion_timestamp)),
            gone: false,
            placeholder: gated(&spec.scheduling_gates),
            phase: phase(&status),
            node: text(Some(&spec.node_name)),
            message: text(status.get("message")),
            started_at: time(status.get("startTime")),
            unscheduled: condition(&status, "PodScheduled", "False"),
            node_unreachable: unreachable(&status, reason.as_deref(), disruption.as_ref()),
            reason,
            disruption,
            container: container(&status),
            fetching: fetching(&status).is_some(),
            image_id: text(status.pointer("/containerStatuses/0/imageID")),
            // One that the watch cannot see counts as one without labels, so that it gets them all back.
            labels: labels
                .iter()
                .filter(|(k, _)| watched && k.starts_with("hearth.dev/"))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        };
        let owner = controller.or_else(|| labels.get(label::OWNER_UID).cloned());
        Self { meta: slim_meta(&meta), owner, watched, fact }
    }
}

fn slim_meta(meta: &RawMeta) -> ObjectMeta {
    ObjectMeta {
        name: text(Some(&meta.name)),
        namespace: text(Some(&meta.namespace)),
        uid: text(Some(&meta.uid)),
        resource_version: text(Some(&meta.resource_version)),
        owner_references: serde_json::from_value(meta.owner_references.clone()).ok(),
        ..ObjectMeta::default()
    }
}

/// UID of the controller, when that is an object of ours.
pub(crate) fn controller_uid(references: &Value) -> Option<String> {
    let ours = |r: &&Value| {
        let group = r.get("apiVersion").and_then(Value::as_str).and_then(|v| v.split_once('/')).map(|(g, _)| g);
        r.get("controller").and_then(Value::as_bool) == Some(true) && group == Some(GROUP)
    };
    references.as_array()?.iter().find(ours).and_then(|r| text(r.get("uid")))
}

pub(crate) fn strings(map: &Value) -> BTreeMap<String, String> {
    map.as_object().into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned()))).collect()
}

pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|t| !t.is_empty()).map(str::to_owned)
}

pub(crate) fn time(value: Option<&Value>) -> Option<Time> {
    value?.as_str()?.parse::<jiff::Timestamp>().ok().map(Time::new)
}

fn gated(gates: &Value) -> bool {
    gates.as_array().into_iter().flatten().any(|g| g.get("name").and_then(Value::as_str) == Some(FENCE_GATE))
}

fn phase(status: &Value) -> PodPhase {
    match status.get("phase").and_then(Value::as_str) {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        Some(_) | None => PodPhase::Pending,
    }
}

/// Reason and message of a condition that has that status.
fn condition(status: &Value, type_: &str, wanted: &str) -> Option<(String, String)> {
    let is = |c: &&Value| {
        c.get("type").and_then(Value::as_str) == Some(type_) && c.get("status").and_then(Value::as_str) == Some(wanted)
    };
    let found = status.get("conditions")?.as_array()?.iter().find(is)?;
    Some((text(found.get("reason")).unwrap_or_default(), text(found.get("message")).unwrap_or_default()))
}

/// The node controller says it in one of three ways, by the age of the cluster and by how far the eviction has come.
fn unreachable(status: &Value, reason: Option<&str>, disruption: Option<&(String, String)>) -> bool {
    let not_ready = condition(status, "Ready", "False").or_else(|| condition(status, "Ready", "Unknown"));
    // The kubelet always says why a pod is not ready; the node controller, which marks the pods of a silent node, does not.
    let by_node =
        not_ready.is_some_and(|(r, _)| matches!(r.as_str(), "" | "NodeNotReady" | "NodeLost" | "NodeStatusUnknown"));
    let by_taint = disruption.is_some_and(|(r, m)| r == "DeletionByTaintManager" && m.contains("unreachable"));
    by_node || by_taint || reason == Some("NodeLost")
}

/// The state of the container that fetches artifacts, while it has not done so.
fn fetching(status: &Value) -> Option<&Value> {
    let done = |s: &&Value| s.pointer("/terminated/exitCode").and_then(Value::as_i64) == Some(0);
    status.pointer("/initContainerStatuses/0/state").filter(|s| !done(s))
}

/// The state of the step's container; until that begins, of the one that fetches its artifacts, if there is one.
fn container(status: &Value) -> ContainerFact {
    let state = fetching(status).or_else(|| status.pointer("/containerStatuses/0/state"));
    let Some(state) = state else { return ContainerFact::None };
    let word = |of: &Value, field: &str| text(of.get(field)).unwrap_or_default();
    if let Some(ended) = state.get("terminated") {
        return ContainerFact::Ended {
            exit_code: ended.get("exitCode").and_then(Value::as_i64).and_then(|c| i32::try_from(c).ok()).unwrap_or(-1),
            reason: word(ended, "reason"),
            message: word(ended, "message"),
            started_at: time(ended.get("startedAt")),
            finished_at: time(ended.get("finishedAt")),
        };
    }
    if let Some(running) = state.get("running") {
        return ContainerFact::Running { at: time(running.get("startedAt")) };
    }
    match state.get("waiting") {
        Some(waiting) => ContainerFact::Waiting { reason: word(waiting, "reason"), message: word(waiting, "message") },
        None => ContainerFact::None,
    }
}
