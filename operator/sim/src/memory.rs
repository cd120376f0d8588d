//! What one process knows and loses when it dies.

use crate::{
    cache::{Cache, Seen, rv_of},
    server::Key,
    trim::pod_fact,
};
use hearth_plan::{
    Env, Facts, Kind,
    facts::{Peer, PodFact, Post},
    record::{Ack, RecordBatch},
    work::{Answer, Sought},
};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// The most batches that wait for the store's writer; more are dropped and derived again.
pub const OUTBOX: usize = 256;

/// What is known of one object, beside the caches.
pub struct Own<K: Kind> {
    /// The newest state that a write of ours returned: caches may be behind it.
    pub written: Option<Arc<K::Cr>>,
    /// Outcomes of POSTs by name.
    pub posts: BTreeMap<String, Post>,
    /// Pods that a POST or a GET returned, with their version, until the cache is as new.
    pub fetched: BTreeMap<String, (PodFact, usize)>,
    /// UIDs of lost pods that a GET did not find either.
    pub confirmed: BTreeSet<String>,
    /// Acknowledged seq by run.
    pub acks: BTreeMap<String, i64>,
    /// Highest acknowledged `seq` of any records by run id.
    pub recorded: BTreeMap<String, i64>,
    /// Log tails.
    pub logs: BTreeMap<String, Result<String, String>>,
    /// Pods whose whole log is stored, or cannot be had.
    pub kept_logs: BTreeSet<String>,
    /// What the store said of earlier work.
    pub work: BTreeMap<Sought, Answer>,
    /// Run and seq of the status whose rows this process offered last.
    pub offered: Option<(String, i64)>,
    /// Spool revisions that were offered.
    pub spooled: BTreeSet<String>,
    /// The specs as they were checked last.
    pub specs: Option<Arc<K::Specs>>,
    /// Passes that failed in a row.
    pub failures: u32,
}

impl<K: Kind> Default for Own<K> {
    fn default() -> Self {
        Self {
            written: None,
            posts: BTreeMap::new(),
            fetched: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            acks: BTreeMap::new(),
            recorded: BTreeMap::new(),
            logs: BTreeMap::new(),
            kept_logs: BTreeSet::new(),
            work: BTreeMap::new(),
            offered: None,
            spooled: BTreeSet::new(),
            specs: None,
            failures: 0,
        }
    }
}

/// What a pass starts from.
pub struct Sight<K: Kind> {
    /// The object.
    pub cr: Arc<K::Cr>,
    /// What is known beside it.
    pub facts: Facts,
    /// Its specs, checked.
    pub specs: Arc<K::Specs>,
}

/// The memory of a process.
pub struct Memory<K: Kind> {
    own: BTreeMap<String, Own<K>>,
    /// Batches on their way to the store.
    pub outbox: VecDeque<RecordBatch>,
    /// Whether the store took the last batch.
    pub store_up: bool,
}

impl<K: Kind> Default for Memory<K> {
    fn default() -> Self {
        Self { own: BTreeMap::new(), outbox: VecDeque::new(), store_up: true }
    }
}

impl<K: Kind> Memory<K> {
    /// What is known of the object with that UID.
    pub fn own(&mut self, uid: &str) -> &mut Own<K> {
        self.own.entry(uid.to_owned()).or_default()
    }

    /// Nothing more will be asked about that object.
    pub fn forget(&mut self, uid: &str) {
        self.own.remove(uid);
    }

    /// The newest state of an object that this process knows.
    #[must_use]
    pub fn newest(&self, cached: &Arc<K::Cr>) -> Arc<K::Cr> {
        let uid = cached.uid().unwrap_or_default();
        match self.own.get(&uid).and_then(|own| own.written.clone()) {
            Some(written) if rv_of(&*written) > rv_of(&**cached) => written,
            Some(_) | None => cached.clone(),
        }
    }

    /// Gathers the facts about an object.
    #[must_use]
    pub fn facts(&self, cache: &Cache<K>, key: &Key, uid: &str) -> Facts {
        let blank = Own::<K>::default();
        let own = self.own.get(uid).unwrap_or(&blank);
        let mut pods = cache.pods_of(&key.0, uid);
        for (name, (fact, rv)) in &own.fetched {
            let newer = pods.get(name).is_none_or(|(_, cached)| rv >= cached);
            if newer {
                pods.insert(name.clone(), (fact.clone(), *rv));
            }
        }
        Facts {
            pods: pods.into_iter().map(|(name, (fact, _))| (name, fact.into())).collect(),
            posts: own.posts.clone(),
            revisions: cache.revisions_of(&key.0, uid).into_iter().map(|(name, fact)| (name, fact.into())).collect(),
            stored: own.acks.clone(),
            recorded: own.recorded.clone(),
            peers: BTreeMap::new(),
            store_up: self.store_up,
            namespace_terminating: cache.terminating.contains(&key.0),
            logs: own.logs.clone(),
            kept_logs: own.kept_logs.clone(),
            work: own.work.clone(),
        }
    }

    /// What a pass over the object would start from; checked specs of the last pass are taken over.
    #[must_use]
    pub fn sight(&self, cache: &Cache<K>, key: &Key, cr: Arc<K::Cr>, env: &Env) -> Sight<K> {
        let uid = cr.uid().unwrap_or_default();
        let mut facts = self.facts(cache, key, &uid);
        for name in K::reads(&cr) {
            let other = good(cache, &(key.0.clone(), name.clone()));
            facts.peers.extend(other.and_then(|cr| Peer::of(&**cr)).map(|p| (name, p)));
        }
        let last = self.own.get(&uid).and_then(|own| own.specs.as_deref());
        let specs = Arc::new(K::specs(&cr, &facts, env, last));
        Sight { cr, facts, specs }
    }

    /// Notes a pod that the server showed, and how new that is: a watch may have lost the pod after its last change.
    pub fn note_pod(&mut self, uid: &str, pod: &Pod, version: usize) {
        let fact = pod_fact(pod);
        self.own(uid).fetched.insert(fact.name.clone(), (fact, version));
    }

    /// A GET did not find that pod: it is gone, as far as that version of the world goes.
    pub fn note_gone(&mut self, uid: &str, pod: &PodFact, version: usize) {
        let own = self.own(uid);
        own.confirmed.insert(pod.uid.clone());
        own.fetched.insert(pod.name.clone(), (PodFact { gone: true, ..pod.clone() }, version));
    }

    /// Puts a batch in the outbox; false when it is full.
    pub fn offer(&mut self, batch: RecordBatch) -> bool {
        let room = self.outbox.len() < OUTBOX;
        if room {
            self.outbox.push_back(batch);
        }
        room
    }

    /// Notes an acknowledgement.
    pub fn note_ack(&mut self, ack: &Ack) {
        let own = self.own(&ack.object.uid);
        let lists = [Some(&mut own.recorded), ack.last.then_some(&mut own.acks)];
        for list in lists.into_iter().flatten() {
            let seq = list.entry(ack.run_id.clone()).or_insert(ack.seq);
            *seq = (*seq).max(ack.seq);
        }
    }
}

/// The object in the cache, if it decodes.
#[must_use]
pub fn good<'a, K: Kind>(cache: &'a Cache<K>, key: &Key) -> Option<&'a Arc<K::Cr>> {
    match cache.crs.get(key)? {
        Seen::Good(cr) => Some(cr),
        Seen::Broken(..) => None,
    }
}
