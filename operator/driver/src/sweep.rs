//! Pods that leave: many in one request, on its own, never in the way of a pass.

use crate::shared::Shared;
use hearth_plan::RunPods;
use k8s_openapi::api::core::v1::Pod;
use std::{sync::Arc, time::Duration};

/// How long one may take: the API server gives up after a minute, and what is deleted by then is.
const LIMIT: Duration = Duration::from_secs(55);
/// Such requests that are under way at the same time: each is answered with all that it deleted.
pub(crate) const AT_ONCE: usize = 4;

/// Deletes them, unless some of the same place are being deleted, or were a moment ago: what is left then, a later pass asks
/// for again.
pub(crate) fn delete(shared: &Arc<Shared>, uid: &str, namespace: &str, pods: &RunPods) {
    let place = pods.place();
    if !shared.world.with(uid, |o| o.start_sweeping(&place)) {
        return;
    }
    let (shared, uid, namespace, pods) = (Arc::clone(shared), uid.to_owned(), namespace.to_owned(), pods.clone());
    tokio::spawn(async move {
        // It is never closed.
        let _slot = shared.sweep_slots.acquire().await.ok();
        let deleted = shared.calls.delete_selected::<Pod>(&namespace, &pods.labels(), pods.fields(), LIMIT).await;
        if let Err(error) = shared.gone(&namespace, deleted) {
            tracing::info!(namespace, run = pods.run_id, %error, "pods that are recorded could not be deleted yet");
        }
        shared.world.with_known(&uid, |o| o.swept(&place));
    });
}
