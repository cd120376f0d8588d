//! An API server in memory: the custom resources as they are stored, pods, ControllerRevisions, Events and namespaces.
//!
//! [`Server::apply`] is the one way to change anything; it logs every request. The journal is what watches deliver.

mod crs;
mod log;
mod pods;
mod request;

pub use log::{Request, Tally};
pub(crate) use pods::selects;
pub use pods::{is_fence, is_gated, is_over};
pub use request::{Actor, ApiError, Reply, Write};

use hearth_crds::time::Time;
use hearth_plan::Intent;
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Namespace and name.
pub type Key = (String, String);

/// One change, as a watch would deliver it.
#[derive(Clone, Debug)]
pub enum Change {
    /// A custom resource is there or has changed.
    Cr(Key, Arc<Value>),
    /// A custom resource is gone; its last state.
    CrGone(Key, Arc<Value>),
    /// A pod is there or has changed.
    Pod(Arc<Pod>),
    /// A pod is gone; its last state.
    PodGone(Arc<Pod>),
    /// A ControllerRevision is there.
    Revision(Arc<ControllerRevision>),
    /// A ControllerRevision is gone.
    RevisionGone(Arc<ControllerRevision>),
    /// A namespace got its deletionTimestamp.
    Terminating(String),
}

/// An Event that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The object.
    pub object: Key,
    /// Whether it is a Warning.
    pub warning: bool,
    /// The reason given.
    pub reason: String,
    /// The message.
    pub message: String,
}

/// A rule of admission: creates of pods that match are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuse {
    /// Only pods of this step; all when None.
    pub step: Option<String>,
    /// What is answered.
    pub error: ApiError,
    /// Until when.
    pub until: Option<Time>,
}

/// The state of the cluster.
#[derive(Clone, Debug, Default)]
pub struct Server {
    pub(crate) crs: BTreeMap<Key, Arc<Value>>,
    pub(crate) pods: BTreeMap<Key, Arc<Pod>>,
    pub(crate) revisions: BTreeMap<Key, Arc<ControllerRevision>>,
    pub(crate) journal: Vec<Change>,
    pub(crate) log: Vec<Request>,
    pub(crate) intents: BTreeMap<String, Intent>,
    uids: u64,
    /// Events in order.
    pub events: Vec<Published>,
    /// Namespaces by name: whether they are terminating.
    pub namespaces: BTreeMap<String, bool>,
    /// Rules of admission.
    pub refusals: Vec<Refuse>,
    /// The most pods that are not over, per namespace.
    pub quota: Option<usize>,
    /// Steps whose next pod name is taken by a stranger just before the POST.
    pub squats: Vec<String>,
}

impl Server {
    /// A server with these namespaces.
    #[must_use]
    pub fn new(namespaces: &[&str]) -> Self {
        Self { namespaces: namespaces.iter().map(|n| ((*n).to_owned(), false)).collect(), ..Self::default() }
    }

    /// What watches deliver, in order; the resourceVersion of entry `i` is `i + 1`.
    #[must_use]
    pub fn journal(&self) -> &[Change] {
        &self.journal
    }

    /// Every request that changed something or was refused, in order.
    #[must_use]
    pub fn log(&self) -> &[Request] {
        &self.log
    }

    /// The pods by namespace and name.
    #[must_use]
    pub fn pods(&self) -> &BTreeMap<Key, Arc<Pod>> {
        &self.pods
    }

    /// The ControllerRevisions by namespace and name.
    #[must_use]
    pub fn revisions(&self) -> &BTreeMap<Key, Arc<ControllerRevision>> {
        &self.revisions
    }

    /// The custom resources as stored.
    #[must_use]
    pub fn crs(&self) -> &BTreeMap<Key, Arc<Value>> {
        &self.crs
    }

    /// One custom resource as stored.
    #[must_use]
    pub fn cr(&self, key: &Key) -> Option<&Value> {
        self.crs.get(key).map(AsRef::as_ref)
    }

    /// A quorum read of one pod.
    #[must_use]
    pub fn get_pod(&self, key: &Key) -> Option<Arc<Pod>> {
        self.pods.get(key).cloned()
    }

    /// For which attempt a pod was posted, by UID; None for pods that the operator did not post.
    #[must_use]
    pub fn intent_of(&self, uid: &str) -> Option<&Intent> {
        self.intents.get(uid)
    }

    /// Does what the request asks, or says why not. Every request is logged.
    ///
    /// # Errors
    /// What a real API server would answer.
    pub fn apply(&mut self, now: Time, by: Actor, write: Write) -> Result<Reply, ApiError> {
        let mut request = Request::of(now, by, &write);
        request.owner = self.owner_of_target(&write);
        let answer = self.dispatch(now, write);
        request.answer = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        self.log.push(request);
        answer
    }

    fn dispatch(&mut self, now: Time, write: Write) -> Result<Reply, ApiError> {
        match write {
            Write::Finalizers { key, rv, finalizers } => self.set_finalizers(now, &key, &rv, &finalizers),
            Write::Status { key, rv, status } => self.set_status(&key, &rv, status),
            Write::Pod { ns, pod, intent, placeholder } => self.create_pod(now, &ns, *pod, intent, placeholder),
            Write::Revision { ns, revision } => self.create_revision(now, &ns, *revision),
            Write::DeleteRevision { key, uid } => self.delete_revision(&key, &uid),
            Write::DeletePod { key, uid } => self.delete_pod(now, &key, uid.as_deref()),
            Write::DeleteRunPods { ns, pods } => self.delete_run_pods(now, &ns, &pods),
            Write::Relabel { key, uid, labels } => self.relabel(&key, &uid, labels),
            Write::Object { ns, object } => {
                let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.create_cr(now, &(ns, name), *object).map(|_| Reply::Done)
            }
            Write::DeleteObject { key, uid } => self.delete_cr_with(now, &key, &uid),
            Write::Event { object, warning, reason, message } => {
                self.refuse_terminating(&object.0)?;
                self.events.push(Published { object, warning, reason, message });
                Ok(Reply::Done)
            }
        }
    }

    pub(crate) fn next_uid(&mut self) -> String {
        self.uids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.uids)
    }

    /// The resourceVersion that the next change will have.
    pub(crate) fn next_rv(&self) -> String {
        (self.journal.len() + 1).to_string()
    }

    pub(crate) fn refuse_terminating(&self, ns: &str) -> Result<(), ApiError> {
        match self.namespaces.get(ns) {
            Some(false) => Ok(()),
            Some(true) => Err(ApiError::new(
                403,
                "Forbidden",
                &format!("unable to create new content in namespace {ns} because it is being terminated"),
            )),
            None => Err(ApiError::new(404, "NotFound", &format!("namespaces \"{ns}\" not found"))),
        }
    }

    /// A person deletes a namespace: nothing more can be created in it, and all that is in it is deleted.
    pub fn delete_namespace(&mut self, now: Time, ns: &str) {
        self.namespaces.insert(ns.to_owned(), true);
        self.journal.push(Change::Terminating(ns.to_owned()));
        let crs: Vec<Key> = self.crs.keys().filter(|k| k.0 == ns).cloned().collect();
        for key in crs {
            self.delete_cr(now, &key);
        }
        let pods: Vec<Key> = self.pods.keys().filter(|k| k.0 == ns).cloned().collect();
        for key in pods {
            // The answer is of no interest: what is gone is gone.
            let _ = self.delete_pod(now, &key, None);
        }
        let revisions: Vec<Key> = self.revisions.keys().filter(|k| k.0 == ns).cloned().collect();
        for key in revisions {
            self.remove_revision(&key);
        }
    }
}
