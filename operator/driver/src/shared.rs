//! What all controllers of this process share.

use crate::{
    calls::Calls,
    error::Error,
    lease::Leadership,
    metrics::DriverMetrics,
    scope::Scope,
    sweep,
    trust::Trust,
    watch,
    whole_logs::{AT_ONCE, WholeLog},
    work::Question,
    world::World,
};
use hearth_plan::{
    kind::{Env, OnDelete},
    offer::Offer,
    record::{Ack, RecordBatch},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, core::PartialObjectMeta};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc, watch as tokio_watch};

/// What the manager decides for the driver.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Length of the lease.
    pub lease_duration: Duration,
    /// Default user and group of pods; None leaves it to the cluster.
    pub run_as: Option<i64>,
    /// What becomes of a deleted object while the store is away.
    pub on_delete: OnDelete,
    /// The catalog of runtimes, and artifacts.
    pub offer: Arc<Offer>,
    /// What messages call the store.
    pub store_name: String,
    /// Objects that are handled at the same time.
    pub concurrency: u16,
    /// Creates of one object that are under way at the same time.
    pub posts: usize,
    /// Where objects are watched.
    pub scope: Scope,
    /// Where whole logs go.
    pub whole_logs: mpsc::Sender<WholeLog>,
}

/// The ways to the store, and whether it is there.
pub struct ToStore {
    /// Takes rows.
    pub records: mpsc::Sender<RecordBatch>,
    /// Whether it took the last ones.
    pub up: tokio_watch::Receiver<bool>,
    /// Takes questions about work that may have been done before.
    pub work: mpsc::Sender<Question>,
}

/// The caches, the way to the API server, and the way to the store.
pub struct Shared {
    pub(crate) calls: Calls,
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) to_store: ToStore,
    pub(crate) metrics: DriverMetrics,
    pub(crate) trust: Trust,
    pub(crate) log_slots: Semaphore,
    pub(crate) sweep_slots: Semaphore,
}

impl Shared {
    /// Reads the cluster's id and makes empty caches; [`Shared::follow`] fills them. `ca` is the certificate of the
    /// operator's authority, for pods that talk to the operator.
    ///
    /// # Errors
    /// The namespace kube-system cannot be read.
    pub async fn connect(
        client: Client,
        settings: Settings,
        leadership: Arc<Leadership>,
        to_store: ToStore,
        metrics: DriverMetrics,
        ca: tokio_watch::Receiver<Option<String>>,
    ) -> Result<Arc<Self>, Error> {
        let calls = Calls::new(client, settings.request_timeout);
        let system: Option<PartialObjectMeta<Namespace>> = calls.get::<Namespace, _>("", "kube-system").await?;
        let cluster_id = system.and_then(|n| n.metadata.uid).unwrap_or_default();
        let env = Env {
            cluster_id,
            namespace_uids: BTreeMap::new(),
            run_as: settings.run_as,
            fence_age: settings.lease_duration + settings.request_timeout,
            store_name: settings.store_name.clone(),
            on_delete: settings.on_delete,
            offer: Arc::clone(&settings.offer),
        };
        let store_ca = settings.offer.artifacts.as_ref().and_then(|a| a.store_ca.clone());
        let (world, trust) = (World::new(env), Trust::new(ca, store_ca));
        let (log_slots, sweep_slots) = (Semaphore::new(AT_ONCE), Semaphore::new(sweep::AT_ONCE));
        Ok(Arc::new(Self { calls, world, settings, leadership, to_store, metrics, trust, log_slots, sweep_slots }))
    }

    /// The cluster's id: the UID of the namespace kube-system.
    #[must_use]
    pub fn cluster_id(&self) -> String {
        self.world.env().cluster_id.clone()
    }

    /// Whether objects of that namespace are this operator's.
    #[must_use]
    pub fn watches(&self, namespace: &str) -> bool {
        self.settings.scope.holds(namespace)
    }

    /// Whether the caches have shown complete lists.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.world.is_synced()
    }

    /// Follows children, namespaces, acknowledgements and the store's health. Ends only when it is dropped.
    pub async fn follow(&self, acks: mpsc::Receiver<Ack>) {
        let client = self.calls.client();
        tokio::join!(
            watch::pods(&client, self),
            watch::revisions(&client, self),
            watch::namespaces(&client, self),
            self.follow_acks(acks),
            self.follow_store(),
        );
    }

    async fn follow_acks(&self, mut acks: mpsc::Receiver<Ack>) {
        while let Some(ack) = acks.recv().await {
            self.world.acked(&ack);
        }
    }

    /// An object whose record waits says so when the store goes, and takes it back when it comes.
    async fn follow_store(&self) {
        let mut up = self.to_store.up.clone();
        while up.changed().await.is_ok() {
            self.world.wake_all();
        }
    }
}
