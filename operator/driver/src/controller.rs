//! A kind's controller: its watch, its queue, and what it remembers of each object.

use crate::{
    error::{Class, Error},
    metrics::ErrorLabels,
    owner::{Key, Wake},
    park::{park, uid_of, words},
    pods::version_of,
    reconcile::{Next, reconcile},
    shared::Shared,
    watch,
};
use futures::{FutureExt, StreamExt, future};
use hearth_plan::{Kind, facts::Peer, kind::RunMark};
use kube::{
    Resource,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt, applier,
        controller::{Action, Config, Error as ApplierError},
        reflector::{ObjectRef, Store, store},
        watcher::{self, Event},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    convert::Infallible,
    future::Future,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

const BACKOFF_BASE: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// A conflict means that the watch is about to bring a newer object.
const AFTER_CONFLICT: Duration = Duration::from_millis(100);
/// A parked object is looked at again now and then, without being asked.
const PARKED: Duration = Duration::from_secs(600);

/// Memory of one object that only its own kind's controller needs.
struct Memory<K: Kind> {
    /// The object as our last write returned it: newer than the cache for a moment.
    written: Option<Arc<K::Cr>>,
    /// Its rows are not what this process offered last, or were not taken.
    due: bool,
    /// Run and seq of the status whose rows were offered last.
    offered: Option<(String, i64)>,
    /// Spool revisions whose rows were taken.
    spools: BTreeSet<String>,
    /// The specs as they were checked last; kept until the record of the run is stored.
    specs: Option<Arc<K::Specs>>,
    /// For which generation, and with what message, it is parked.
    parked: Option<(Option<i64>, String)>,
}

impl<K: Kind> Default for Memory<K> {
    fn default() -> Self {
        Self { written: None, due: false, offered: None, spools: BTreeSet::new(), specs: None, parked: None }
    }
}

/// One per kind.
pub(crate) struct Controller<K: Kind> {
    pub(crate) shared: Arc<Shared>,
    memory: Mutex<HashMap<String, Memory<K>>>,
    /// All objects of the kind, once they are watched.
    objects: OnceLock<Store<DeserializeGuard<K::Cr>>>,
    /// Who reads an object beside itself; a change of it wakes them.
    readers: Mutex<BTreeMap<Key, BTreeSet<Key>>>,
}

impl<K: Kind> Controller<K> {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, memory: Mutex::default(), objects: OnceLock::new(), readers: Mutex::default() }
    }

    /// Objects that a pass reads beside its own, as the cache shows them. From now on their changes wake the reader.
    pub(crate) fn peers(&self, cr: &K::Cr) -> BTreeMap<String, Peer> {
        let meta = cr.meta();
        let namespace = meta.namespace.clone().unwrap_or_default();
        let key = |name: &str| Key { namespace: namespace.clone(), name: name.to_owned() };
        let reader = key(meta.name.as_deref().unwrap_or_default());
        let mut peers = BTreeMap::new();
        for name in K::reads(cr) {
            let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
            readers.entry(key(&name)).or_default().insert(reader.clone());
            drop(readers);
            let found = self.objects.get().and_then(|all| all.get(&ObjectRef::new(&name).within(&namespace)));
            let peer = found.and_then(|object| object.0.as_ref().ok().and_then(Peer::of));
            peers.extend(peer.map(|p| (name, p)));
        }
        peers
    }

    /// Wakes those that read the object. Each asks again when it still does.
    fn wake_readers(&self, key: &Key, queue: &mpsc::UnboundedSender<Key>) {
        let readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner).remove(key).unwrap_or_default();
        for reader in readers {
            Wake { key: reader, queue: queue.clone() }.now();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memory<K>>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, uid: &str, f: impl FnOnce(&mut Memory<K>) -> T) -> T {
        f(self.lock().entry(uid.to_owned()).or_default())
    }

    fn with_known<T: Default>(&self, uid: &str, f: impl FnOnce(&mut Memory<K>) -> T) -> T {
        self.lock().get_mut(uid).map(f).unwrap_or_default()
    }

    /// The newer of what the cache shows and what our last write returned.
    pub(crate) fn newest(&self, seen: Arc<K::Cr>) -> Arc<K::Cr> {
        self.with(&uid_of(&*seen), |m| match &m.written {
            Some(written) if version_of(written.meta()) > version_of(seen.meta()) => Arc::clone(written),
            Some(_) | None => {
                m.written = None;
                seen
            }
        })
    }

    /// Keeps what a write returned.
    pub(crate) fn wrote(&self, mut cr: K::Cr) -> Arc<K::Cr> {
        cr.meta_mut().managed_fields = None;
        let cr = Arc::new(cr);
        self.with(&uid_of(&*cr), |m| m.written = Some(Arc::clone(&cr)));
        cr
    }

    /// Rows are due of a status that this process has not offered yet, unless they are known to be stored: on the first
    /// look, after a patch whose answer was lost, and when another leader's last write came in late.
    pub(crate) fn note_mark(&self, uid: &str, mark: &RunMark) {
        self.with(uid, |m| {
            let known =
                m.offered.as_ref().is_some_and(|(run, seq)| mark.run_id.as_ref() == Some(run) && *seq == mark.seq);
            if mark.run_id.is_some() && !mark.stored && !known {
                m.due = true;
            }
        });
    }

    /// The rows of that status were offered.
    pub(crate) fn note_offered(&self, uid: &str, mark: RunMark) {
        self.with(uid, |m| m.offered = mark.run_id.map(|run| (run, mark.seq)));
    }

    /// The specs that the last pass checked.
    pub(crate) fn last_specs(&self, uid: &str) -> Option<Arc<K::Specs>> {
        self.with_known(uid, |m| m.specs.clone())
    }

    /// Keeps the checked specs for the next pass, or drops them.
    pub(crate) fn keep_specs(&self, uid: &str, specs: Option<Arc<K::Specs>>) {
        self.with_known(uid, |m| m.specs = specs);
    }

    /// A decision was reached: the object is parked no more.
    pub(crate) fn unpark(&self, uid: &str) {
        if self.with_known(uid, |m| m.parked.take().is_some()) {
            self.shared.metrics.unparked(K::KIND);
        }
    }

    pub(crate) fn take_due(&self, uid: &str) -> bool {
        self.with_known(uid, |m| std::mem::take(&mut m.due))
    }

    pub(crate) fn set_due(&self, uid: &str) {
        self.with_known(uid, |m| m.due = true);
    }

    pub(crate) fn is_due(&self, uid: &str) -> bool {
        self.with_known(uid, |m| m.due)
    }

    /// Whether the rows of that spool revision are still to be offered; from now on they are not.
    pub(crate) fn take_spool(&self, uid: &str, name: &str) -> bool {
        self.with_known(uid, |m| m.spools.insert(name.to_owned()))
    }

    pub(crate) fn set_spool_due(&self, uid: &str, name: &str) {
        self.with_known(uid, |m| {
            m.spools.remove(name);
            m.due = true;
        });
    }

    /// Whether the object is parked with just that message.
    pub(crate) fn parked(&self, uid: &str, generation: Option<i64>, message: &str) -> bool {
        self.with(uid, |m| m.parked.as_ref().is_some_and(|(g, t)| *g == generation && t == message))
    }

    pub(crate) fn park(&self, uid: &str, generation: Option<i64>, message: &str) {
        if self.with(uid, |m| m.parked.replace((generation, message.to_owned())).is_none()) {
            self.shared.metrics.parked(K::KIND);
        }
    }

    pub(crate) fn forget(&self, uid: &str) {
        let memory = self.lock().remove(uid);
        if memory.is_some_and(|m| m.parked.is_some()) {
            self.shared.metrics.unparked(K::KIND);
        }
        self.shared.world.object_gone(uid);
    }

    /// A pass, with everything that can go wrong turned into an error.
    pub(crate) async fn pass(&self, guarded: Arc<DeserializeGuard<K::Cr>>) -> Result<Action, Error> {
        let started = Instant::now();
        let outcome = match &guarded.0 {
            Ok(cr) => AssertUnwindSafe(reconcile(self, Arc::new(cr.clone())))
                .catch_unwind()
                .await
                .unwrap_or_else(|p| Err(Error::Panicked(words(&*p)))),
            Err(invalid) => Err(Error::Undecodable(invalid.error.clone())),
        };
        let outcome = self.park_if_needed(&guarded, outcome).await;
        self.shared.metrics.seconds.observe(started.elapsed().as_secs_f64());
        let uid = uid_of(&*guarded);
        match outcome {
            Ok(next) => {
                self.shared.world.with_known(&uid, |o| o.failures = 0);
                self.shared.metrics.pass(K::KIND, if next == Next::Now { "again" } else { "done" });
                Ok(match next {
                    Next::Now => Action::requeue(Duration::ZERO),
                    Next::After(d) => Action::requeue(d),
                    Next::Event => Action::await_change(),
                })
            }
            Err(error) => {
                self.count(&error);
                Err(error)
            }
        }
    }

    /// Parks what cannot be handled. That is an outcome, and counted; the object waits for its next change.
    async fn park_if_needed(
        &self,
        object: &DeserializeGuard<K::Cr>,
        outcome: Result<Next, Error>,
    ) -> Result<Next, Error> {
        match outcome {
            Err(error @ (Error::Panicked(_) | Error::Undecodable(_))) => {
                if matches!(error, Error::Panicked(_)) {
                    self.shared.metrics.panics.inc();
                }
                self.count(&error);
                let meta = object.meta();
                if !self.parked(&uid_of(object), meta.generation, &error.to_string()) {
                    tracing::error!(kind = K::KIND, namespace = meta.namespace, name = meta.name, %error, "parking the object");
                }
                let parked = AssertUnwindSafe(park(self, meta, &error.to_string())).catch_unwind().await;
                parked.unwrap_or_else(|p| Err(Error::Panicked(words(&*p)))).map(|()| Next::After(PARKED))
            }
            Ok(_) | Err(_) => outcome,
        }
    }

    fn count(&self, error: &Error) {
        let class = error.class().as_str();
        self.shared.metrics.pass(K::KIND, class);
        self.shared.metrics.errors.get_or_create(&ErrorLabels { kind: K::KIND, class }).inc();
    }

    /// How long an object waits after an error.
    fn pause(&self, uid: &str, error: &Error) -> Action {
        match error.class() {
            Class::Conflict => Action::requeue(AFTER_CONFLICT),
            Class::Terminating => Action::await_change(),
            Class::Transient | Class::Blocked | Class::Invalid => {
                let failures = self.shared.world.with_known(uid, |o| {
                    o.failures = o.failures.saturating_add(1);
                    o.failures
                });
                let failures = failures.unwrap_or(1);
                Action::requeue(BACKOFF_BASE.saturating_mul(1 << failures.saturating_sub(1).min(12)).min(BACKOFF_MAX))
            }
        }
    }
}

/// Runs the controller of a kind until `stop` resolves; passes under way are finished.
pub async fn run<K: Kind>(shared: Arc<Shared>, stop: impl Future<Output = ()> + Send + 'static) {
    let controller = Arc::new(Controller::<K>::new(Arc::clone(&shared)));
    let (queue, requests) = mpsc::unbounded_channel();
    let (reader, writer) = store::<DeserializeGuard<K::Cr>>();
    let scope = &shared.settings.scope;
    let objects = scope
        .watch::<DeserializeGuard<K::Cr>>(&shared.calls.client(), &watch::paged(), uid_of)
        // Nobody reads them, and they are the larger part of most objects.
        .modify(|object| object.meta_mut().managed_fields = None)
        .reflect(writer);
    let _only_once = controller.objects.set(reader.clone());
    let watch = async {
        let mut objects = pin!(objects);
        let mut listed = BTreeSet::new();
        while let Some(event) = objects.next().await {
            take(&controller, &queue, &mut listed, event);
        }
    };
    let requests = futures::stream::unfold(requests, async |mut requests: mpsc::UnboundedReceiver<Key>| {
        Some((requests.recv().await?, requests))
    });
    let requests = requests
        .map(|key| Ok::<_, Infallible>(ObjectRef::<DeserializeGuard<K::Cr>>::new(&key.name).within(&key.namespace)))
        .take_until(stop);
    shared.world.synced().await;
    let passes = applier(
        // On its own task, so that one long decision holds up nobody else.
        |object, controller: Arc<Controller<K>>| {
            let pass = tokio::spawn(async move { controller.pass(object).await });
            async move { pass.await.unwrap_or_else(|e| Err(Error::Panicked(e.to_string()))) }.boxed()
        },
        |object, error, controller| controller.pause(&uid_of(&*object), error),
        Arc::clone(&controller),
        reader,
        requests,
        Config::default().concurrency(shared.settings.concurrency),
    )
    .for_each(async |result| log::<K>(result));
    future::select(pin!(watch), pin!(passes)).await;
}

/// Takes an event of the kind's own watch.
fn take<K: Kind>(
    controller: &Controller<K>,
    queue: &mpsc::UnboundedSender<Key>,
    listed: &mut BTreeSet<String>,
    event: watcher::Result<Event<DeserializeGuard<K::Cr>>>,
) {
    let seen = |object: &DeserializeGuard<K::Cr>| {
        let meta = object.meta();
        let key =
            Key { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() };
        let wake = Wake { key, queue: queue.clone() };
        controller.shared.world.object_seen(&uid_of(object), wake.clone());
        controller.wake_readers(&wake.key, queue);
        wake.now();
    };
    match event {
        Ok(Event::Init) => listed.clear(),
        Ok(Event::InitApply(object)) => {
            listed.insert(uid_of(&object));
            seen(&object);
        }
        Ok(Event::InitDone) => {
            let gone: Vec<String> = controller.lock().keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
            gone.iter().for_each(|uid| controller.forget(uid));
        }
        Ok(Event::Apply(object)) => seen(&object),
        Ok(Event::Delete(object)) => {
            let meta = object.meta();
            let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
            controller.wake_readers(&Key { namespace, name }, queue);
            controller.forget(&uid_of(&object));
        }
        Err(error) => {
            controller.shared.metrics.watch_error(K::KIND);
            tracing::warn!(kind = K::KIND, %error, "watch failed, starting it again");
        }
    }
}

/// How a pass ended, in the applier's words.
type Ended<Cr> = Result<(ObjectRef<DeserializeGuard<Cr>>, Action), ApplierError<Error, Infallible>>;

fn log<K: Kind>(result: Ended<K::Cr>) {
    match result {
        Ok(_) | Err(ApplierError::ObjectNotFound(_)) => {}
        Err(ApplierError::ReconcilerFailed(error, object)) => match error.class() {
            Class::Conflict | Class::Terminating => {
                tracing::debug!(kind = K::KIND, %object, %error, "pass ended early")
            }
            Class::Transient | Class::Blocked | Class::Invalid => {
                tracing::warn!(kind = K::KIND, %object, class = error.class().as_str(), %error, "pass failed")
            }
        },
        Err(error @ (ApplierError::QueueError(_) | ApplierError::RunnerError(_))) => {
            tracing::error!(kind = K::KIND, %error, "controller failed")
        }
    }
}
