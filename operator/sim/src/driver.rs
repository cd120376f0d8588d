//! A process of the operator: caches, memory, a queue of objects to look at, and the passes under way.

use crate::{
    cache::{Cache, Seen, rv_of},
    memory::{Memory, Sight, good},
    pass::{Breakage, Pass, Went, mark, poison_patch},
    server::{Actor, Key, Server, Write},
    wire::{Sent, Wire},
};
use hearth_crds::time::Time;
use hearth_plan::{
    Kind, Record,
    kind::Env,
    record::{Ack, ObjectKey, RecordBatch},
};
use kube::ResourceExt;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A process.
pub struct Driver<K: Kind> {
    /// Its number; every start makes a new one.
    pub id: usize,
    /// Its caches.
    pub cache: Cache<K>,
    /// Its memory.
    pub memory: Memory<K>,
    /// Objects to look at, and when.
    pub queue: BTreeMap<Key, Time>,
    passes: BTreeMap<Key, Pass<K>>,
    /// Objects whose reconcile panics, by script.
    pub panics: BTreeSet<Key>,
    /// A breakage put in by hand.
    pub breakage: Breakage,
    /// Passes that were begun.
    pub begun: usize,
    uids: BTreeMap<Key, String>,
}

/// How often a pod is asked for that the watch does not show.
const UNWATCHED: Duration = Duration::from_secs(5);

/// The mark of an object whose salvaged rows were offered.
const SALVAGE: &str = "(salvage)";

/// The first pause after a failed pass.
const PAUSE: Duration = Duration::from_secs(1);

impl<K: Kind> Driver<K> {
    /// A process that starts now and lists the world as it was after `position` changes.
    #[must_use]
    pub fn start(id: usize, server: &Server, position: usize, now: Time) -> Self {
        let cache = Cache::list_at(server, position);
        let queue = cache.all().into_iter().map(|key| (key, now)).collect();
        Self {
            id,
            cache,
            memory: Memory::default(),
            queue,
            passes: BTreeMap::new(),
            panics: BTreeSet::new(),
            breakage: Breakage::None,
            begun: 0,
            uids: BTreeMap::new(),
        }
    }

    /// The same process with a breakage.
    #[must_use]
    pub fn take_breakage(mut self, breakage: Breakage) -> Self {
        self.breakage = breakage;
        self
    }

    fn actor(&self) -> Actor {
        Actor::Operator(self.id)
    }

    /// Looks at these objects as soon as possible.
    pub fn wake(&mut self, keys: impl IntoIterator<Item = Key>, now: Time) {
        for key in keys {
            let due = self.queue.entry(key).or_insert(now);
            *due = (*due).min(now);
        }
    }

    /// Looks at objects that the watch showed, and at those that read them.
    pub fn shown(&mut self, keys: Vec<Key>, now: Time) {
        let reads = |reader: &Key| {
            let names = good(&self.cache, reader).map(|cr| K::reads(cr)).unwrap_or_default();
            keys.iter().any(|key| key.0 == reader.0 && names.contains(&key.1))
        };
        let readers: Vec<Key> = self.cache.all().into_iter().filter(reads).collect();
        self.wake(keys.into_iter().chain(readers), now);
    }

    /// Objects whose pass is under way.
    #[must_use]
    pub fn busy(&self) -> Vec<Key> {
        self.passes.keys().cloned().collect()
    }

    /// Objects that are due and have no pass under way.
    #[must_use]
    pub fn due(&self, now: Time) -> Vec<Key> {
        self.queue
            .iter()
            .filter(|(key, at)| **at <= now && !self.passes.contains_key(*key))
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// When it looks at something next.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.queue.values().min().copied()
    }

    /// Begins a pass for an object.
    pub fn begin(&mut self, key: &Key, env: &Arc<Env>, wire: &mut Wire<'_>) -> Went {
        self.queue.remove(key);
        self.begun += 1;
        let raw = match self.cache.crs.get(key) {
            None => {
                if let Some(uid) = self.uids.remove(key) {
                    self.memory.forget(&uid);
                }
                return Went::Done;
            }
            Some(Seen::Broken(raw, error)) => {
                let (raw, error) = (raw.clone(), format!("the stored object does not decode: {error}"));
                return self.park(key, &raw, &error, env, wire);
            }
            Some(Seen::Good(_)) => wire.server.crs().get(key).cloned(),
        };
        if self.panics.contains(key)
            && let Some(raw) = raw
        {
            return self.park(key, &raw, "a reconcile of this object panicked", env, wire);
        }
        let Some(cached) = good(&self.cache, key).cloned() else { return Went::Done };
        let cr = self.memory.newest(&cached);
        let uid = cr.uid().unwrap_or_default();
        self.uids.insert(key.clone(), uid.clone());
        if self.clear_up(key, &uid, wire) {
            self.again(key, wire.now.after(UNWATCHED));
        }
        let sight = self.memory.sight(&self.cache, key, cr, env);
        self.memory.own(&uid).specs = Some(sight.specs.clone());
        self.passes.insert(key.clone(), Pass::begin(self.actor(), key, sight, env, wire.now, self.breakage));
        Went::On
    }

    /// Pods that the watch lost for no reason that was seen, and pods that it cannot show, are asked for.
    /// Says whether one of them has to be asked for again.
    fn clear_up(&mut self, key: &Key, uid: &str, wire: &mut Wire<'_>) -> bool {
        let mut again = false;
        for pod in self.memory.facts(&self.cache, key, uid).pods.into_values().filter(|p| p.owned && !p.seen_to_end()) {
            let unwatched = !pod.gone && pod.labels.is_empty();
            let doubtful = pod.gone && pod.deleting_at.is_none() && !self.memory.own(uid).confirmed.contains(&pod.uid);
            if !unwatched && !doubtful {
                continue;
            }
            match wire
                .get_pod(&(key.0.clone(), pod.name.clone()))
                .filter(|p| p.metadata.uid.as_deref() == Some(pod.uid.as_str()))
            {
                Some(found) => {
                    self.memory.note_pod(uid, &found, wire.server.journal().len());
                    again = true;
                }
                None => self.memory.note_gone(uid, &pod, wire.server.journal().len()),
            }
        }
        again
    }

    /// One more step of an object's pass.
    pub fn step(&mut self, key: &Key, wire: &mut Wire<'_>) -> Went {
        let Some(mut pass) = self.passes.remove(key) else { return Went::Done };
        let went = pass.step(&mut self.memory, wire);
        match &went {
            Went::On => {
                self.passes.insert(key.clone(), pass);
            }
            Went::Dead => {}
            Went::Done => {
                self.memory.own(pass.uid()).failures = 0;
                if pass.learned {
                    self.again(key, wire.now);
                }
                if let Some(after) = pass.plan.requeue {
                    self.again(key, wire.now.after(after.max(Duration::from_millis(1))));
                }
                let marked = K::status(pass.cr()).and_then(mark);
                if self.memory.own(pass.uid()).offered != marked {
                    self.again(key, wire.now.after(PAUSE));
                }
            }
            Went::Failed(_) => {
                let own = self.memory.own(pass.uid());
                own.failures = (own.failures + 1).min(7);
                let pause = PAUSE * 2u32.pow(own.failures - 1);
                let pause = pass.plan.requeue.map_or(pause, |r| pause.min(r.max(Duration::from_millis(1))));
                self.again(key, wire.now.after(pause));
            }
        }
        went
    }

    fn again(&mut self, key: &Key, at: Time) {
        let due = self.queue.entry(key.clone()).or_insert(at);
        *due = (*due).min(at);
    }

    /// An object that cannot be handled is parked; one under deletion is recorded from what can be read, and let go.
    fn park(&mut self, key: &Key, raw: &Arc<Value>, message: &str, env: &Arc<Env>, wire: &mut Wire<'_>) -> Went {
        let write = if raw.pointer("/metadata/deletionTimestamp").is_some() {
            self.let_go(key, raw, env, wire)
        } else {
            poison_patch::<K>(key, raw, message, wire.now)
        };
        let Some(write) = write else { return Went::Done };
        match wire.send(self.actor(), write) {
            Sent::Dead => Went::Dead,
            Sent::Answer(Ok(_)) => Went::Done,
            Sent::NoAnswer | Sent::Answer(Err(_)) => {
                self.again(key, wire.now.after(PAUSE));
                Went::Done
            }
        }
    }

    fn let_go(&mut self, key: &Key, raw: &Value, env: &Arc<Env>, wire: &mut Wire<'_>) -> Option<Write> {
        let text = |path: &str| raw.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let uid = text("/metadata/uid");
        let records = K::salvage(raw, env);
        let run = records.iter().find_map(|r| match r {
            Record::Run(run) => Some((run.id.clone(), run.seq)),
            Record::Step(_) | Record::Event(_) | Record::Lineage(_) => None,
        });
        if let Some((run_id, seq)) = run
            && !self.memory.own(&uid).acks.contains_key(&run_id)
        {
            if !self.memory.own(&uid).spooled.contains(SALVAGE) {
                let object = ObjectKey {
                    kind: K::KIND.to_owned(),
                    namespace: key.0.clone(),
                    name: key.1.clone(),
                    uid: uid.clone(),
                };
                if self.memory.offer(RecordBatch { object, run_id, seq, last: true, records }) {
                    self.memory.own(&uid).spooled.insert(SALVAGE.to_owned());
                }
            }
            self.again(key, wire.now.after(PAUSE));
            return None;
        }
        Some(Write::Finalizers { key: key.clone(), rv: text("/metadata/resourceVersion"), finalizers: Vec::new() })
    }

    /// The store acknowledges.
    pub fn ack(&mut self, ack: &Ack, now: Time) {
        self.memory.note_ack(ack);
        if ack.last {
            self.wake([(ack.object.namespace.clone(), ack.object.name.clone())], now);
        }
    }

    /// Sets whether the store takes batches; a change is news for those that wait for it.
    pub fn set_store_up(&mut self, up: bool, now: Time) {
        if self.memory.store_up != up {
            self.memory.store_up = up;
            let keys = self.cache.all();
            self.wake(keys, now);
        }
    }

    /// What a pass for that object would decide now, and the status it starts from.
    #[must_use]
    pub fn preview(&self, key: &Key, env: &Arc<Env>, now: Time) -> Option<Pass<K>> {
        Some(Pass::begin(self.actor(), key, self.sight(key, env)?, env, now, Breakage::None))
    }

    /// The facts that a pass for that object would see now, with the object.
    #[must_use]
    pub fn look(&self, key: &Key, env: &Env) -> Option<(Arc<K::Cr>, hearth_plan::Facts)> {
        self.sight(key, env).map(|sight| (sight.cr, sight.facts))
    }

    fn sight(&self, key: &Key, env: &Env) -> Option<Sight<K>> {
        let cr = self.memory.newest(good(&self.cache, key)?);
        Some(self.memory.sight(&self.cache, key, cr, env))
    }

    /// How far its newest state of an object is behind the server's.
    #[must_use]
    pub fn knows_rv(&self, key: &Key) -> Option<u64> {
        good(&self.cache, key).map(|cr| rv_of(&**cr))
    }
}
