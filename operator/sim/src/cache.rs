//! What one process has seen: caches fed by watches, which may lag, repeat themselves, or start from an old list.

use crate::{
    server::{Change, Key, Server},
    trim::{is_watched, owner_of, pod_fact, revision_fact, revision_owner},
};
use hearth_plan::{
    Kind,
    facts::{PodFact, RevisionFact},
};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::ResourceExt;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A custom resource as the watch decoded it.
pub enum Seen<K: Kind> {
    /// It decodes.
    Good(Arc<K::Cr>),
    /// It does not; the raw object and the error.
    Broken(Arc<Value>, String),
}

impl<K: Kind> Seen<K> {
    fn decode(raw: &Arc<Value>) -> Self {
        match serde_json::from_value::<K::Cr>((**raw).clone()) {
            Ok(cr) => Self::Good(Arc::new(cr)),
            Err(error) => Self::Broken(raw.clone(), error.to_string()),
        }
    }
}

/// A pod as the watch showed it last.
#[derive(Clone, Debug)]
struct CachedPod {
    owner: Option<String>,
    rv: usize,
    fact: PodFact,
}

fn key_of(meta: &ObjectMeta) -> Key {
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

/// Caches of one process.
pub struct Cache<K: Kind> {
    position: usize,
    /// Custom resources.
    pub crs: BTreeMap<Key, Seen<K>>,
    /// UIDs of custom resources to their keys, to find whom a child wakes.
    keys: BTreeMap<String, Key>,
    pods: BTreeMap<Key, CachedPod>,
    revisions: BTreeMap<Key, (Option<String>, RevisionFact)>,
    /// Namespaces that are terminating.
    pub terminating: BTreeSet<String>,
}

impl<K: Kind> Cache<K> {
    /// Caches filled by a list of the world as it was after `position` changes.
    #[must_use]
    pub fn list_at(server: &Server, position: usize) -> Self {
        let mut cache = Self {
            position: 0,
            crs: BTreeMap::new(),
            keys: BTreeMap::new(),
            pods: BTreeMap::new(),
            revisions: BTreeMap::new(),
            terminating: BTreeSet::new(),
        };
        while cache.position < position.min(server.journal().len()) {
            cache.deliver(server);
        }
        cache.pods.retain(|_, pod| !pod.fact.gone);
        cache
    }

    /// How many changes have not been delivered yet.
    #[must_use]
    pub fn behind(&self, server: &Server) -> usize {
        server.journal().len() - self.position.min(server.journal().len())
    }

    /// Delivers the next change; says which object it wakes.
    pub fn deliver(&mut self, server: &Server) -> Vec<Key> {
        let Some(change) = server.journal().get(self.position) else { return Vec::new() };
        self.position += 1;
        self.take(change)
    }

    /// Delivers the change before once more.
    pub fn repeat(&mut self, server: &Server) -> Vec<Key> {
        match self.position.checked_sub(1).and_then(|i| server.journal().get(i)) {
            Some(change) => self.take(change),
            None => Vec::new(),
        }
    }

    /// The watch broke: changes since are missed, and a list shows what there is now. What the list lacks is gone.
    pub fn relist(&mut self, server: &Server) -> Vec<Key> {
        self.position = server.journal().len();
        self.crs = server.crs().iter().map(|(k, raw)| (k.clone(), Seen::decode(raw))).collect();
        self.keys = server
            .crs()
            .iter()
            .filter_map(|(k, raw)| Some((raw.pointer("/metadata/uid")?.as_str()?.to_owned(), k.clone())))
            .collect();
        let rv = self.position;
        for (key, pod) in &mut self.pods {
            let same = server
                .pods()
                .get(key)
                .is_some_and(|p| p.metadata.uid.as_deref() == Some(pod.fact.uid.as_str()) && is_watched(p));
            if !same && !pod.fact.gone {
                pod.fact.gone = true;
                pod.rv = rv;
            }
        }
        for pod in server.pods().values().filter(|p| is_watched(p)) {
            self.put_pod(pod, rv);
        }
        self.revisions =
            server.revisions().iter().map(|(k, r)| (k.clone(), (revision_owner(r), revision_fact(r)))).collect();
        self.terminating = server.namespaces.iter().filter(|(_, t)| **t).map(|(n, _)| n.clone()).collect();
        self.crs.keys().cloned().collect()
    }

    fn take(&mut self, change: &Change) -> Vec<Key> {
        match change {
            Change::Cr(key, raw) => {
                if let Some(uid) = raw.pointer("/metadata/uid").and_then(Value::as_str) {
                    self.keys.insert(uid.to_owned(), key.clone());
                }
                self.crs.insert(key.clone(), Seen::decode(raw));
                vec![key.clone()]
            }
            Change::CrGone(key, raw) => {
                if let Some(uid) = raw.pointer("/metadata/uid").and_then(Value::as_str) {
                    self.keys.remove(uid);
                    self.pods.retain(|_, pod| pod.owner.as_deref() != Some(uid));
                }
                self.crs.remove(key);
                vec![key.clone()]
            }
            Change::Pod(pod) if is_watched(pod) => {
                let rv = self.position;
                self.put_pod(pod, rv);
                self.wakes(owner_of(pod).as_deref())
            }
            Change::Pod(pod) | Change::PodGone(pod) => self.lose_pod(pod),
            Change::Revision(r) => {
                let key = key_of(&r.metadata);
                let owner = revision_owner(r);
                let wakes = self.wakes(owner.as_deref());
                self.revisions.insert(key, (owner, revision_fact(r)));
                wakes
            }
            Change::RevisionGone(r) => {
                let key = key_of(&r.metadata);
                self.revisions.remove(&key);
                self.wakes(revision_owner(r).as_deref())
            }
            Change::Terminating(ns) => {
                self.terminating.insert(ns.clone());
                self.crs.keys().filter(|k| k.0 == *ns).cloned().collect()
            }
        }
    }

    fn put_pod(&mut self, pod: &Pod, rv: usize) {
        self.pods.insert(key_of(&pod.metadata), CachedPod { owner: owner_of(pod), rv, fact: pod_fact(pod) });
    }

    /// What was seen last is kept, marked as gone. A pod that this watch never showed is none of its business.
    fn lose_pod(&mut self, pod: &Pod) -> Vec<Key> {
        let rv = self.position;
        let Some(known) = self.pods.get_mut(&key_of(&pod.metadata)) else { return Vec::new() };
        if is_watched(pod) {
            known.fact = pod_fact(pod);
        }
        known.fact.gone = true;
        known.rv = rv;
        let owner = known.owner.clone();
        self.wakes(owner.as_deref())
    }

    fn wakes(&self, owner: Option<&str>) -> Vec<Key> {
        owner.and_then(|uid| self.keys.get(uid)).cloned().into_iter().collect()
    }

    /// The pods of an object by name, each with the version in which it was seen.
    #[must_use]
    pub fn pods_of(&self, ns: &str, uid: &str) -> BTreeMap<String, (PodFact, usize)> {
        self.pods
            .iter()
            .filter(|(k, pod)| k.0 == ns && pod.owner.as_deref() == Some(uid))
            .map(|(k, pod)| (k.1.clone(), (pod.fact.clone(), pod.rv)))
            .collect()
    }

    /// The revisions of an object by name.
    #[must_use]
    pub fn revisions_of(&self, ns: &str, uid: &str) -> BTreeMap<String, RevisionFact> {
        self.revisions
            .iter()
            .filter(|(k, (owner, _))| k.0 == ns && owner.as_deref() == Some(uid))
            .map(|(k, (_, r))| (k.1.clone(), r.clone()))
            .collect()
    }

    /// The objects that it knows.
    #[must_use]
    pub fn all(&self) -> Vec<Key> {
        self.crs.keys().cloned().collect()
    }
}

/// The resourceVersion of an object as a number; 0 when it has none.
pub fn rv_of<R: kube::Resource>(object: &R) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or(0)
}
