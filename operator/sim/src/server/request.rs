//! What can be asked of the server, and what it answers.

use super::Key;
use hearth_plan::{Intent, RunPods};
use k8s_openapi::api::{apps::v1::ControllerRevision, core::v1::Pod};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A process of the operator, by number.
    Operator(usize),
    /// A person.
    User,
    /// The cluster itself: scheduler, kubelet, garbage collector.
    Cluster,
}

/// A no of the server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {reason}: {message}")]
pub struct ApiError {
    /// HTTP status code.
    pub code: u16,
    /// The server's word.
    pub reason: String,
    /// The server's text.
    pub message: String,
}

impl ApiError {
    /// An error.
    #[must_use]
    pub fn new(code: u16, reason: &str, message: &str) -> Self {
        Self { code, reason: reason.to_owned(), message: message.to_owned() }
    }

    pub(crate) fn conflict(message: &str) -> Self {
        Self::new(409, "Conflict", message)
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, "NotFound", &format!("{what} not found"))
    }

    pub(crate) fn exists(what: &str) -> Self {
        Self::new(409, "AlreadyExists", &format!("{what} already exists"))
    }
}

/// A request that changes something.
#[derive(Clone, Debug)]
pub enum Write {
    /// Sets metadata.finalizers, with a resourceVersion precondition.
    Finalizers {
        /// The object.
        key: Key,
        /// Precondition.
        rv: String,
        /// The whole list.
        finalizers: Vec<String>,
    },
    /// Sets status, with a resourceVersion precondition.
    Status {
        /// The object.
        key: Key,
        /// Precondition.
        rv: String,
        /// The whole status.
        status: Value,
    },
    /// Posts a pod.
    Pod {
        /// Namespace.
        ns: String,
        /// The pod.
        pod: Box<Pod>,
        /// The attempt that it is for.
        intent: Intent,
        /// Whether it is sent as a placeholder.
        placeholder: bool,
    },
    /// Posts a ControllerRevision.
    Revision {
        /// Namespace.
        ns: String,
        /// The revision.
        revision: Box<ControllerRevision>,
    },
    /// Deletes a ControllerRevision, by UID.
    DeleteRevision {
        /// Which.
        key: Key,
        /// Precondition.
        uid: String,
    },
    /// Deletes a pod.
    DeletePod {
        /// Which.
        key: Key,
        /// Precondition.
        uid: Option<String>,
    },
    /// Deletes pods of a run.
    DeleteRunPods {
        /// Namespace.
        ns: String,
        /// Which.
        pods: RunPods,
    },
    /// Sets labels of a pod, with a UID precondition.
    Relabel {
        /// Which.
        key: Key,
        /// Precondition.
        uid: String,
        /// Labels to set.
        labels: BTreeMap<String, String>,
    },
    /// Posts an object of the kind.
    Object {
        /// Namespace.
        ns: String,
        /// The object.
        object: Box<Value>,
    },
    /// Deletes an object of the kind, by UID.
    DeleteObject {
        /// Which.
        key: Key,
        /// Precondition.
        uid: String,
    },
    /// Publishes an Event.
    Event {
        /// The object that it is about.
        object: Key,
        /// Whether it is a Warning.
        warning: bool,
        /// The reason in one word.
        reason: String,
        /// The message.
        message: String,
    },
}

/// A yes of the server.
#[derive(Clone, Debug)]
pub enum Reply {
    /// The custom resource as it is now.
    Cr(Arc<Value>),
    /// The pod as it is now.
    Pod(Arc<Pod>),
    /// Done, nothing to tell.
    Done,
}
