//! What the watches have shown so far, by owner. One lock, held for a moment at a time.

use crate::{
    error::is_terminating,
    owner::{Owner, Wake},
    pods::PodView,
    revisions::RevisionView,
};
use hearth_plan::{
    Facts, Post,
    kind::{Env, RunMark},
    record::Ack,
};
use kube::core::response::Status;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Which of the watches have shown a complete list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) pods: bool,
    pub(crate) revisions: bool,
    pub(crate) namespaces: bool,
}

impl Synced {
    pub(crate) fn all(self) -> bool {
        self.pods && self.revisions && self.namespaces
    }
}

#[derive(Debug, Default)]
struct Inner {
    owners: HashMap<String, Owner>,
    /// Owner of a pod, by the pod's UID.
    pod_owner: HashMap<String, String>,
    /// Owner of a revision, by the revision's UID.
    revision_owner: HashMap<String, String>,
    /// Namespaces that are going.
    terminating: BTreeSet<String>,
    namespace_uids: BTreeMap<String, String>,
}

/// The caches.
#[derive(Debug)]
pub(crate) struct World {
    inner: Mutex<Inner>,
    env: Mutex<Arc<Env>>,
    synced: watch::Sender<Synced>,
}

impl World {
    pub(crate) fn new(env: Env) -> Self {
        Self { inner: Mutex::default(), env: Mutex::new(Arc::new(env)), synced: watch::Sender::new(Synced::default()) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic under this lock can only come from an allocation; what it guards stays usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn env(&self) -> Arc<Env> {
        Arc::clone(&self.env.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something with the memory of an object, which is made when it is not there.
    pub(crate) fn with<T>(&self, uid: &str, f: impl FnOnce(&mut Owner) -> T) -> T {
        f(self.lock().owners.entry(uid.to_owned()).or_default())
    }

    /// The same, for an object that is remembered; one that is gone stays forgotten.
    pub(crate) fn with_known<T>(&self, uid: &str, f: impl FnOnce(&mut Owner) -> T) -> Option<T> {
        self.lock().owners.get_mut(uid).map(f)
    }

    /// Everything that decisions may look at.
    pub(crate) fn facts(&self, uid: &str, namespace: &str, mark: &RunMark, store_up: bool) -> Facts {
        let mut inner = self.lock();
        let terminating = inner.terminating.contains(namespace);
        let owner = inner.owners.entry(uid.to_owned()).or_default();
        owner.forget(mark);
        Facts { namespace_terminating: terminating, store_up, ..owner.facts() }
    }

    /// An object is there: from now on its children can wake it.
    pub(crate) fn object_seen(&self, uid: &str, wake: Wake) {
        self.with(uid, |o| o.wake = Some(wake));
    }

    /// An object is gone: nothing of it is remembered.
    pub(crate) fn object_gone(&self, uid: &str) {
        let mut inner = self.lock();
        let Some(owner) = inner.owners.remove(uid) else { return };
        let Inner { pod_owner, revision_owner, .. } = &mut *inner;
        let ours = |owners: &mut HashMap<String, String>, child: &str| {
            if owners.get(child).is_some_and(|o| o == uid) {
                owners.remove(child);
            }
        };
        owner.pod_uids().for_each(|pod| ours(pod_owner, pod));
        owner.revisions.values().for_each(|r| ours(revision_owner, &r.uid));
    }

    pub(crate) fn wake(&self, uid: &str) {
        if let Some(wake) = self.lock().owners.get(uid).and_then(|o| o.wake.as_ref()) {
            wake.now();
        }
    }

    pub(crate) fn wake_all(&self) {
        self.lock().owners.values().filter_map(|o| o.wake.as_ref()).for_each(Wake::now);
    }

    pub(crate) fn pod_seen(&self, pod: &PodView) {
        let Some(uid) = pod.owner.as_deref() else { return };
        let mut inner = self.lock();
        if let Some(before) = inner.pod_owner.insert(pod.fact.uid.clone(), uid.to_owned())
            && before != uid
            && let Some(owner) = inner.owners.get_mut(&before)
        {
            // Somebody gave it to another object: for the first one it is lost.
            owner.pod_deleted(pod);
        }
        let owner = inner.owners.entry(uid.to_owned()).or_default();
        if owner.pod_seen(pod) {
            owner.wake.iter().for_each(Wake::now);
        }
    }

    pub(crate) fn pod_deleted(&self, pod: &PodView) {
        let mut inner = self.lock();
        let known = inner.pod_owner.remove(&pod.fact.uid);
        let Some(uid) = known.or_else(|| pod.owner.clone()) else { return };
        let Some(owner) = inner.owners.get_mut(&uid) else { return };
        owner.pod_deleted(pod);
        owner.wake.iter().for_each(Wake::now);
        if owner.is_empty() {
            inner.owners.remove(&uid);
        }
    }

    /// A complete list has ended: what it did not show is gone.
    pub(crate) fn pods_listed(&self, listed: &BTreeSet<String>) {
        let mut inner = self.lock();
        for owner in inner.owners.values_mut() {
            if owner.keep_listed(listed) {
                owner.wake.iter().for_each(Wake::now);
            }
        }
        inner.owners.retain(|_, o| !o.is_empty());
        inner.pod_owner.retain(|pod, _| listed.contains(pod));
        drop(inner);
        self.synced.send_modify(|s| s.pods = true);
    }

    pub(crate) fn revision_seen(&self, revision: &RevisionView) {
        let Some(uid) = revision.owner.as_deref() else { return };
        let mut inner = self.lock();
        inner.revision_owner.insert(revision.fact.uid.clone(), uid.to_owned());
        let owner = inner.owners.entry(uid.to_owned()).or_default();
        owner.revisions.insert(revision.fact.name.clone(), Arc::new(revision.fact.clone()));
        owner.wake.iter().for_each(Wake::now);
    }

    pub(crate) fn revision_deleted(&self, revision: &RevisionView) {
        let mut inner = self.lock();
        let known = inner.revision_owner.remove(&revision.fact.uid);
        let Some(uid) = known.or_else(|| revision.owner.clone()) else { return };
        let Some(owner) = inner.owners.get_mut(&uid) else { return };
        owner.revisions.retain(|_, r| r.uid != revision.fact.uid);
        owner.wake.iter().for_each(Wake::now);
        if owner.is_empty() {
            inner.owners.remove(&uid);
        }
    }

    pub(crate) fn revisions_listed(&self, listed: &BTreeSet<String>) {
        let mut inner = self.lock();
        for owner in inner.owners.values_mut() {
            let before = owner.revisions.len();
            owner.revisions.retain(|_, r| listed.contains(&r.uid));
            if owner.revisions.len() < before {
                owner.wake.iter().for_each(Wake::now);
            }
        }
        inner.revision_owner.retain(|revision, _| listed.contains(revision));
        drop(inner);
        self.synced.send_modify(|s| s.revisions = true);
    }

    pub(crate) fn namespace_seen(&self, name: &str, uid: &str, terminating: bool) {
        let mut inner = self.lock();
        inner.namespace_uids.insert(name.to_owned(), uid.to_owned());
        let changed =
            if terminating { inner.terminating.insert(name.to_owned()) } else { inner.terminating.remove(name) };
        if changed {
            let inside = |w: &&Wake| w.key.namespace == name;
            inner.owners.values().filter_map(|o| o.wake.as_ref()).filter(inside).for_each(Wake::now);
        }
        self.publish_namespaces(&inner);
    }

    pub(crate) fn namespace_gone(&self, name: &str) {
        let mut inner = self.lock();
        inner.namespace_uids.remove(name);
        inner.terminating.remove(name);
        self.publish_namespaces(&inner);
    }

    pub(crate) fn namespaces_listed(&self, listed: &BTreeSet<String>) {
        let mut inner = self.lock();
        inner.namespace_uids.retain(|name, _| listed.contains(name));
        inner.terminating.retain(|name| listed.contains(name));
        self.publish_namespaces(&inner);
        drop(inner);
        self.synced.send_modify(|s| s.namespaces = true);
    }

    /// The API server refused a create because the namespace is going, before the watch said so.
    pub(crate) fn namespace_terminating(&self, name: &str) {
        self.lock().terminating.insert(name.to_owned());
    }

    /// Whether a refusal comes with the end of its namespace: with the RoleBindings in it go our rights, perhaps before
    /// the objects do.
    pub(crate) fn ends_with_its_namespace(&self, namespace: &str, status: &Status) -> bool {
        is_terminating(status) || (status.code == 403 && self.lock().terminating.contains(namespace))
    }

    fn publish_namespaces(&self, inner: &Inner) {
        let mut env = self.env.lock().unwrap_or_else(PoisonError::into_inner);
        if env.namespace_uids != inner.namespace_uids {
            *env = Arc::new(Env { namespace_uids: inner.namespace_uids.clone(), ..(**env).clone() });
        }
    }

    pub(crate) fn posted(&self, uid: &str, name: &str, run_id: &str, post: Post) -> bool {
        self.with(uid, |o| o.posted(name, run_id, post))
    }

    pub(crate) fn post_pause(&self, uid: &str, name: &str) -> Option<Duration> {
        self.lock().owners.get(uid).and_then(|o| o.post_pause(name))
    }

    /// Takes the store's word, and wakes the object that waits for it. An object that is gone waits for nothing.
    pub(crate) fn acked(&self, ack: &Ack) {
        if let Some(owner) = self.lock().owners.get_mut(&ack.object.uid)
            && owner.acked(ack)
        {
            owner.wake.iter().for_each(Wake::now);
        }
    }

    pub(crate) fn is_synced(&self) -> bool {
        self.synced.borrow().all()
    }

    /// Waits until all caches have shown a complete list.
    pub(crate) async fn synced(&self) {
        let mut synced = self.synced.subscribe();
        // The sender lives in self, so it cannot be closed while this waits.
        let _never_closed = synced.wait_for(|s| s.all()).await;
    }
}
