//! The request log, from which budgets are counted.

use super::{Actor, ApiError, Key, Server, Write};
use hearth_crds::time::Time;
use hearth_plan::Intent;

/// One request as it reached the server.
#[derive(Clone, Debug)]
pub struct Request {
    /// When.
    pub at: Time,
    /// Who asked.
    pub by: Actor,
    /// Verb and resource, for example `create pods`.
    pub what: &'static str,
    /// Namespace and name of the target; the name is a run id for a deletecollection.
    pub key: Key,
    /// The UID precondition, if it carried one.
    pub uid: Option<String>,
    /// The attempt that a pod was posted for.
    pub intent: Option<Intent>,
    /// Whether it posts a placeholder.
    pub placeholder: bool,
    /// UID of the target's controller owner, when the request arrived.
    pub owner: Option<String>,
    /// What was answered (the asker may not have heard it).
    pub answer: Result<(), ApiError>,
}

impl Request {
    pub(super) fn of(at: Time, by: Actor, write: &Write) -> Self {
        let blank = |what, key: &Key| Self {
            at,
            by,
            what,
            key: key.clone(),
            uid: None,
            intent: None,
            placeholder: false,
            owner: None,
            answer: Ok(()),
        };
        match write {
            Write::Finalizers { key, .. } => blank("patch finalizers", key),
            Write::Status { key, .. } => blank("patch status", key),
            Write::Pod { ns, pod, intent, placeholder } => {
                let key = (ns.clone(), pod.metadata.name.clone().unwrap_or_default());
                Self { intent: Some(intent.clone()), placeholder: *placeholder, ..blank("create pods", &key) }
            }
            Write::Revision { ns, revision } => {
                blank("create controllerrevisions", &(ns.clone(), revision.metadata.name.clone().unwrap_or_default()))
            }
            Write::DeleteRevision { key, uid } => {
                Self { uid: Some(uid.clone()), ..blank("delete controllerrevisions", key) }
            }
            Write::DeletePod { key, uid } => Self { uid: uid.clone(), ..blank("delete pods", key) },
            Write::DeleteRunPods { ns, pods } => blank("deletecollection pods", &(ns.clone(), pods.run_id.clone())),
            Write::Relabel { key, uid, .. } => Self { uid: Some(uid.clone()), ..blank("patch pods", key) },
            Write::Object { ns, object } => {
                let name = object.pointer("/metadata/name").and_then(serde_json::Value::as_str).unwrap_or_default();
                blank("create objects", &(ns.clone(), name.to_owned()))
            }
            Write::DeleteObject { key, uid } => Self { uid: Some(uid.clone()), ..blank("delete objects", key) },
            Write::Event { object, .. } => blank("create events", object),
        }
    }

    /// Whether the operator asked.
    #[must_use]
    pub fn ours(&self) -> bool {
        match self.by {
            Actor::Operator(_) => true,
            Actor::User | Actor::Cluster => false,
        }
    }
}

/// How many requests of each sort the operator made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub std::collections::BTreeMap<&'static str, usize>);

impl Tally {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }
}

impl Server {
    /// The operator's requests since that position of the log.
    #[must_use]
    pub fn tally(&self, since: usize) -> Tally {
        let mut tally = Tally::default();
        for request in self.log.iter().skip(since).filter(|r| r.ours()) {
            *tally.0.entry(request.what).or_default() += 1;
        }
        tally
    }

    pub(super) fn owner_of_target(&self, write: &Write) -> Option<String> {
        let owners = match write {
            Write::DeletePod { key, .. } | Write::Relabel { key, .. } => {
                self.pods.get(key)?.metadata.owner_references.as_ref()?
            }
            Write::Pod { pod, .. } => pod.metadata.owner_references.as_ref()?,
            Write::DeleteRevision { key, .. } => self.revisions.get(key)?.metadata.owner_references.as_ref()?,
            Write::Revision { revision, .. } => revision.metadata.owner_references.as_ref()?,
            Write::Finalizers { .. }
            | Write::Status { .. }
            | Write::DeleteRunPods { .. }
            | Write::Object { .. }
            | Write::DeleteObject { .. }
            | Write::Event { .. } => return None,
        };
        owners.iter().find(|o| o.controller == Some(true)).map(|o| o.uid.clone())
    }
}
