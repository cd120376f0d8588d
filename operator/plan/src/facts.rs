//! What the driver has seen of the world, as data. Absence is data too.

use crate::work::{Answer, Sought};
use hearth_crds::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Everything that a plan may look at beside the object itself. Maps, so that order never depends on arrival. Each pass
/// gets its own, so that what is large in it is shared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The owner's pods by name: those in the cache, and those that the cache has lost (`gone`).
    pub pods: BTreeMap<String, Arc<PodFact>>,
    /// What this process knows of its own POSTs, by name. A name that is missing was not posted by this process.
    pub posts: BTreeMap<String, Post>,
    /// The owner's ControllerRevisions by name.
    pub revisions: BTreeMap<String, Arc<RevisionFact>>,
    /// Highest acknowledged `seq` of final records by run id.
    pub stored: BTreeMap<String, i64>,
    /// Highest acknowledged `seq` of any records by run id.
    pub recorded: BTreeMap<String, i64>,
    /// Objects that the pass reads (`Kind::reads`), by name; one that is missing is not there.
    pub peers: BTreeMap<String, Peer>,
    /// Whether the store took the last batch.
    pub store_up: bool,
    /// The namespace has a deletionTimestamp: nothing can be created in it.
    pub namespace_terminating: bool,
    /// Log tails read for ended attempts, by pod name; an `Err` says why there is none.
    pub logs: BTreeMap<String, Result<String, String>>,
    /// Pods whose whole log is stored, or can never be had, by name.
    pub kept_logs: BTreeSet<String>,
    /// What the store said of work that may have been done before.
    pub work: BTreeMap<Sought, Answer>,
}

impl Facts {
    /// The owner's pods.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &PodFact> {
        self.pods.values().map(Arc::as_ref)
    }

    /// The pod of that name.
    pub(crate) fn pod(&self, name: &str) -> Option<&PodFact> {
        self.pods.get(name).map(Arc::as_ref)
    }

    /// What is known of the child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Child<'_> {
        match (self.pods.get(name), self.posts.get(name)) {
            (Some(pod), _) => Child::Seen(pod),
            (None, Some(post)) => Child::Unseen(post),
            (None, None) => Child::Unknown,
        }
    }
}

/// Another object of the kind, as it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peer {
    /// UID.
    pub uid: String,
    /// UID of its controller, if it has one.
    pub controller: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// metadata.generation.
    pub generation: i64,
    /// The spec as it is stored.
    pub spec: Value,
    /// The status as it is stored; Null when there is none.
    pub status: Value,
}

impl Peer {
    /// The object, if it decodes that far.
    #[must_use]
    pub fn of(cr: &impl Serialize) -> Option<Self> {
        let mut value = serde_json::to_value(cr).ok()?;
        let owners = value.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let controller = owners.into_iter().flatten().find(|o| o.get("controller") == Some(&Value::Bool(true)));
        Some(Self {
            uid: value.pointer("/metadata/uid")?.as_str()?.to_owned(),
            controller: controller.and_then(|o| Some(o.get("uid")?.as_str()?.to_owned())),
            deleting: value.pointer("/metadata/deletionTimestamp").is_some(),
            generation: value.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0),
            status: value.get_mut("status").map(Value::take).unwrap_or_default(),
            spec: value.get_mut("spec").map(Value::take)?,
        })
    }
}

/// What is known of one child.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Child<'a> {
    /// The cache holds it, or held it.
    Seen(&'a PodFact),
    /// The cache has not shown it, but this process posted it.
    Unseen(&'a Post),
    /// Neither: it may never have been posted, or by an earlier process. The only way to know is the fence.
    Unknown,
}

/// The outcome of a POST by this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Post {
    /// 201, or a quorum GET found our object: it is there, the cache will show it.
    Created,
    /// The API server said no; nothing was created.
    Refused(Refusal),
    /// No answer, or one that does not say: it may have been created.
    Uncertain,
    /// It may have been created, and the placeholder that would tell was refused.
    Unfenced(Refusal),
    /// 409 AlreadyExists, and a quorum GET showed an object that is not ours.
    Stranger {
        /// `Kind/name`, and what it says of its owner.
        what: String,
    },
}

/// A definite no of the API server to a create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status code: 400, 403, 409 (Conflict), 422 or 429.
    pub code: u16,
    /// The API server's own reason word, for example `Forbidden`.
    pub reason: String,
    /// The API server's message.
    pub message: String,
    /// When it was said.
    pub at: Time,
}

/// A pod, trimmed to what decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodFact {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Whether the controller ownerReference carries our object's UID.
    pub owned: bool,
    /// Labels of ours (prefix `hearth.dev/`).
    pub labels: BTreeMap<String, String>,
    /// metadata.creationTimestamp.
    pub created_at: Option<Time>,
    /// metadata.deletionTimestamp: set while it is being deleted. This is the end of the grace period.
    pub deleting_at: Option<Time>,
    /// The cache lost it (a DELETED event, or missing after a relist); the rest is what was seen last.
    pub gone: bool,
    /// Whether it is a placeholder (it carries the fence's scheduling gate).
    pub placeholder: bool,
    /// status.phase.
    pub phase: PodPhase,
    /// spec.nodeName.
    pub node: Option<String>,
    /// status.reason, for example Evicted or NodeLost.
    pub reason: Option<String>,
    /// status.message.
    pub message: Option<String>,
    /// status.startTime.
    pub started_at: Option<Time>,
    /// Condition PodScheduled=False: reason and message.
    pub unscheduled: Option<(String, String)>,
    /// Condition DisruptionTarget=True: reason and message.
    pub disruption: Option<(String, String)>,
    /// Condition Ready is False with reason NodeNotReady, or the pod carries node.kubernetes.io/unreachable's eviction.
    pub node_unreachable: bool,
    /// The container's state; until it begins, that of the one that fetches its artifacts.
    pub container: ContainerFact,
    /// The state is that of the one that fetches.
    pub fetching: bool,
    /// containerStatuses[0].imageID.
    pub image_id: Option<String>,
}

impl PodFact {
    /// Whether it is a pod of ours that works or worked, and nobody deletes it.
    pub(crate) fn is_there(&self) -> bool {
        self.owned && !self.placeholder && !self.gone && self.deleting_at.is_none()
    }

    /// Whether a terminal phase was seen. A pod that vanished without one was not seen to end.
    #[must_use]
    pub fn seen_to_end(&self) -> bool {
        match self.phase {
            PodPhase::Succeeded | PodPhase::Failed => true,
            PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => false,
        }
    }
}

/// status.phase of a pod.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodPhase {
    /// Not all containers run yet.
    #[default]
    Pending,
    /// Running.
    Running,
    /// All containers ended with exit code 0.
    Succeeded,
    /// A container ended otherwise.
    Failed,
    /// The node does not say.
    Unknown,
}

/// The state of the step's container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerFact {
    /// No status yet.
    #[default]
    None,
    /// Waiting, with the kubelet's reason (ImagePullBackOff, CreateContainerConfigError …) and message.
    Waiting {
        /// The kubelet's word.
        reason: String,
        /// The kubelet's text.
        message: String,
    },
    /// Running since.
    Running {
        /// Start of the container.
        at: Option<Time>,
    },
    /// Ended.
    Ended {
        /// Exit code.
        exit_code: i32,
        /// The kubelet's word: Completed, Error, OOMKilled …
        reason: String,
        /// The termination message: the step's outputs, or the log's end after a failure.
        message: String,
        /// Start of the container.
        started_at: Option<Time>,
        /// End of the container.
        finished_at: Option<Time>,
    },
}

/// A ControllerRevision of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionFact {
    /// Name.
    pub name: String,
    /// UID.
    pub uid: String,
    /// Label `hearth.dev/revision`: `spec` or `spool`.
    pub role: String,
    /// metadata.creationTimestamp.
    pub created_at: Option<Time>,
    /// What it holds, as JSON text: every revision is remembered, and a tree takes ten times the room.
    pub data: Arc<str>,
}
