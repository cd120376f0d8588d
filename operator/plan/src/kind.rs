//! The one abstraction: what a kind must be able to say, all of it pure.

use crate::{facts::Facts, offer::Offer, record::Record, selection::RunPods, work::Sought};
use hearth_crds::{condition::Reason, time::Time};
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use kube::core::NamespaceResourceScope;
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

/// A kind of `hearth.dev`.
pub trait Kind: Sized + Send + Sync + 'static {
    /// The custom resource as it is stored.
    type Cr: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The specs that a pass works with, checked.
    type Specs: Send + Sync + 'static;

    /// The kind's name.
    const KIND: &'static str;

    /// The status of the object, if it has one.
    fn status(cr: &Self::Cr) -> Option<&Self::Status>;

    /// Which run the status is about.
    fn mark(status: &Self::Status) -> RunMark;

    /// Names of other objects of the kind, in the same namespace, whose spec or status the pass needs.
    fn reads(cr: &Self::Cr) -> Vec<String>;

    /// Checks the object's spec and the one that its run is pinned to. Those that `last` holds already are taken over, since
    /// checking is most of the work of a pass; the answer is the same without it.
    fn specs(cr: &Self::Cr, facts: &Facts, env: &Env, last: Option<&Self::Specs>) -> Self::Specs;

    /// Decides. Deletion and an invalid spec are inputs like any other.
    fn plan(cr: &Self::Cr, specs: &Self::Specs, facts: &Facts, env: &Env, now: Time) -> Plan<Self::Status>;

    /// What to create for the intents of an accepted status. The driver calls it after the patch, never before.
    fn starts(
        cr: &Self::Cr,
        specs: &Self::Specs,
        accepted: &Accepted<Self::Status>,
        intents: &[Intent],
        env: &Env,
    ) -> Vec<Start>;

    /// The rows of an accepted status: those that differ from `old`, or all when there is no old status.
    /// The only source of rows.
    fn records(
        cr: &Self::Cr,
        specs: &Self::Specs,
        old: Option<&Self::Status>,
        accepted: &Accepted<Self::Status>,
        facts: &Facts,
        env: &Env,
    ) -> Option<crate::record::RecordBatch>;

    /// The rows of a final status that waits in a spool revision.
    fn spooled(cr: &Self::Cr, spool: &crate::facts::RevisionFact, env: &Env) -> Option<crate::record::RecordBatch>;

    /// What is stored of an object that does not decode or is let go: its metadata and raw status.
    fn salvage(raw: &serde_json::Value, env: &Env) -> Vec<Record>;

    /// A status for an object that cannot be handled: its old status with Stalled=True.
    fn poisoned(
        raw_status: Option<&serde_json::Value>,
        generation: Option<i64>,
        message: &str,
        now: Time,
    ) -> serde_json::Value;
}

/// Which run a status is about, and whether its record is stored: all that the driver itself reads of a status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunMark {
    /// Id of the current or last run.
    pub run_id: Option<String>,
    /// How many changes of that run were accepted.
    pub seq: i64,
    /// Condition HistoryStored is True.
    pub stored: bool,
}

/// What is the same for every object of this process.
#[derive(Clone, Debug, PartialEq)]
pub struct Env {
    /// UID of the namespace kube-system: the cluster's id.
    pub cluster_id: String,
    /// UIDs of namespaces by name.
    pub namespace_uids: BTreeMap<String, String>,
    /// Default user and group of pods; None leaves it to the cluster (OpenShift).
    pub run_as: Option<i64>,
    /// How long a placeholder must stay: lease length plus request time-out.
    pub fence_age: Duration,
    /// What the store is called in messages.
    pub store_name: String,
    /// What becomes of a deleted object whose record cannot be stored.
    pub on_delete: OnDelete,
    /// The catalog, and artifacts.
    pub offer: Arc<Offer>,
}

/// What becomes of a deleted object while the store is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// It stays until its record is stored.
    Hold,
    /// It goes after that long, and the loss is counted and logged.
    Release(Duration),
}

/// A status that the API server has accepted. Only what it returned goes in here.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted<S>(S);

impl<S> Accepted<S> {
    /// Wraps the status that the API server returned from a patch, or that a watch or GET showed.
    #[must_use]
    pub fn by_server(status: S) -> Self {
        Self(status)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> &S {
        &self.0
    }
}

/// An attempt that may start: it is written in a status before anything is posted under its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intent {
    /// The run.
    pub run_id: String,
    /// The step.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: u32,
    /// Number of the attempt.
    pub attempt: u32,
}

/// A create that an accepted intent allows. It cannot be made in another way.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    intent: Intent,
    pod: Box<Pod>,
    placeholder: Box<Pod>,
}

/// A status can say which attempts it intends.
pub trait Intends {
    /// Whether that attempt is intended and not over.
    fn intends(&self, intent: &Intent) -> bool;
}

impl Start {
    /// The create for `intent`, if the accepted status intends it.
    pub fn new<S: Intends>(accepted: &Accepted<S>, intent: Intent, pod: Pod, placeholder: Pod) -> Option<Self> {
        accepted.status().intends(&intent).then(|| Self {
            intent,
            pod: Box::new(pod),
            placeholder: Box::new(placeholder),
        })
    }

    /// The attempt.
    #[must_use]
    pub fn intent(&self) -> &Intent {
        &self.intent
    }

    /// The pod that works.
    #[must_use]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The pod that holds the same name and never runs.
    #[must_use]
    pub fn placeholder(&self) -> &Pod {
        &self.placeholder
    }
}

/// What should be written and done, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<S> {
    /// The status to patch, with the old one's resourceVersion as precondition; None when it is as it should be.
    pub status: Option<S>,
    /// Attempts that the new status intends for the first time, or whose POST was refused before: post the pod.
    pub intents: Vec<Intent>,
    /// Attempts of which it is unknown whether they started: post the placeholder.
    pub fences: Vec<Intent>,
    /// What is done beside creating, each with its reason. Those before the patch come first.
    pub actions: Vec<(Action, Reason)>,
    /// Why nothing more is done now, for logs and scenario texts.
    pub notes: Vec<Note>,
    /// When to look again if nothing happens before.
    pub requeue: Option<Duration>,
}

impl<S> Default for Plan<S> {
    fn default() -> Self {
        Self {
            status: None,
            intents: Vec::new(),
            fences: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            requeue: None,
        }
    }
}

/// One thing to do that is not a create of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Adds the finalizer (a patch of metadata with resourceVersion). Comes before a status that starts a run.
    AddFinalizer,
    /// Counts and logs a record that is given up (`OnDelete::Release`). Comes before the finalizer goes.
    CountLostRecord {
        /// The run whose record is lost.
        run_id: String,
    },
    /// Removes the finalizer: the record is stored. Comes last.
    RemoveFinalizer,
    /// Posts a ControllerRevision; AlreadyExists is success. Comes before the patch.
    PostRevision(Box<ControllerRevision>),
    /// Deletes a ControllerRevision, by UID.
    DeleteRevision {
        /// Name.
        name: String,
        /// UID precondition.
        uid: String,
    },
    /// Deletes one pod, by UID.
    DeletePod {
        /// Name.
        name: String,
        /// UID precondition.
        uid: String,
    },
    /// Deletes pods of a run in one request.
    DeleteRunPods(RunPods),
    /// Gives an adopted pod its labels back.
    Relabel {
        /// Name.
        name: String,
        /// UID precondition.
        uid: String,
        /// Labels to set.
        labels: BTreeMap<String, String>,
    },
    /// Posts an object of this kind that asks for one run; AlreadyExists is success, since its name says what it is.
    PostObject {
        /// The attempt that it works for: it must stand in the accepted status before.
        intent: Intent,
        /// The object.
        object: Box<serde_json::Value>,
    },
    /// Deletes the object itself: it asked for one run, which is over and recorded.
    DeleteObject {
        /// UID precondition.
        uid: String,
    },
    /// Reads the last 64 KiB of a pod's log, best effort; the answer is a fact of the next pass.
    ReadLog {
        /// Name of the pod.
        name: String,
    },
    /// Stores the whole log of an ended pod, or notes why it cannot be had; that it is done is a fact of a later pass.
    KeepLog {
        /// Name of the pod.
        name: String,
        /// The attempt that the log is of.
        attempt: Intent,
    },
    /// Asks the history store for work that may have been done before; the answers are facts of the next passes. All that
    /// the pass wants to know is listed, also what is known already: the rest is forgotten.
    LookUp {
        /// What is looked for.
        sought: Vec<Sought>,
    },
    /// Posts one Event on the object. Comes after the patch.
    PublishEvent {
        /// Whether it is a Warning.
        warning: bool,
        /// Message for people.
        message: String,
    },
}

impl Action {
    /// Whether it must be done before the status is patched.
    #[must_use]
    pub fn before_patch(&self) -> bool {
        match self {
            Self::AddFinalizer | Self::PostRevision(_) => true,
            Self::RemoveFinalizer
            | Self::CountLostRecord { .. }
            | Self::DeleteRevision { .. }
            | Self::DeletePod { .. }
            | Self::DeleteRunPods(_)
            | Self::Relabel { .. }
            | Self::PostObject { .. }
            | Self::DeleteObject { .. }
            | Self::ReadLog { .. }
            | Self::KeepLog { .. }
            | Self::LookUp { .. }
            | Self::PublishEvent { .. } => false,
        }
    }
}

/// Why something is not done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about: a step, the run, the record.
    pub subject: Subject,
    /// The reason in one word.
    pub reason: Reason,
    /// The reason in words.
    pub message: String,
}

/// What a note is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The object.
    Object,
    /// The run.
    Run,
    /// A step.
    Step(String),
}
