//! The watches that feed the caches: our pods, our ControllerRevisions, and namespaces.

use crate::{metrics::DriverMetrics, pods::PodView, revisions::RevisionView, shared::Shared};
use futures::{Stream, StreamExt};
use hearth_crds::label;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{self, Config, Event},
    },
};
use std::{collections::BTreeSet, fmt::Debug, pin::pin};

/// Lists come in pages of this many objects: a page is held in memory three times while it is read.
const PAGE: u32 = 100;

/// A watch of all objects of a kind.
pub(crate) fn paged() -> Config {
    Config::default().page_size(PAGE)
}

fn ours() -> Config {
    paged().labels(&format!("{}={}", label::MANAGED_BY, label::MANAGED_BY_VALUE))
}

/// Follows our pods for ever.
pub(crate) async fn pods(client: &Client, shared: &Shared) {
    let world = &shared.world;
    let uid = |p: &PodView| p.fact.uid.clone();
    let stream = shared.settings.scope.watch(client, &ours(), uid);
    follow(
        "pods",
        stream,
        &shared.metrics,
        uid,
        |p| world.pod_seen(p),
        |p| world.pod_deleted(p),
        |l| world.pods_listed(l),
    )
    .await;
}

/// Follows our ControllerRevisions for ever.
pub(crate) async fn revisions(client: &Client, shared: &Shared) {
    let world = &shared.world;
    let uid = |r: &RevisionView| r.fact.uid.clone();
    let stream = shared.settings.scope.watch(client, &ours(), uid);
    follow(
        "controllerrevisions",
        stream,
        &shared.metrics,
        uid,
        |r| world.revision_seen(r),
        |r| world.revision_deleted(r),
        |l| world.revisions_listed(l),
    )
    .await;
}

/// Follows the metadata of all namespaces for ever.
pub(crate) async fn namespaces(client: &Client, shared: &Shared) {
    let world = &shared.world;
    let stream =
        watcher::watcher(Api::<PartialObjectMeta<Namespace>>::all(client.clone()), Config::default()).default_backoff();
    let seen = |n: &PartialObjectMeta<Namespace>| {
        world.namespace_seen(
            &n.name_any(),
            n.metadata.uid.as_deref().unwrap_or_default(),
            n.metadata.deletion_timestamp.is_some(),
        );
    };
    let gone = |n: &PartialObjectMeta<Namespace>| world.namespace_gone(&n.name_any());
    follow("namespaces", stream, &shared.metrics, ResourceExt::name_any, seen, gone, |l| world.namespaces_listed(l))
        .await;
}

async fn follow<K: Resource + Clone + Debug>(
    resource: &'static str,
    stream: impl Stream<Item = watcher::Result<Event<K>>>,
    metrics: &DriverMetrics,
    id: impl Fn(&K) -> String,
    seen: impl Fn(&K),
    deleted: impl Fn(&K),
    complete: impl Fn(&BTreeSet<String>),
) {
    let mut stream = pin!(stream);
    let mut listed = BTreeSet::new();
    while let Some(event) = stream.next().await {
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                listed.insert(id(&object));
                seen(&object);
            }
            Ok(Event::InitDone) => complete(&listed),
            Ok(Event::Apply(object)) => seen(&object),
            Ok(Event::Delete(object)) => deleted(&object),
            Err(error) => {
                metrics.watch_error(resource);
                tracing::warn!(resource, %error, "watch failed, starting it again");
            }
        }
    }
}
