//! Pods that leave in mid-run: many in one request, on its own, never in the way of a pass.

use crate::shared::Shared;
use hearth_plan::RunPods;
use k8s_openapi::api::core::v1::Pod;
use std::sync::Arc;

/// Deletes them, unless some of that object are being deleted: what is left then, a later pass asks for again.
pub(crate) fn delete(shared: &Arc<Shared>, uid: &str, namespace: &str, pods: &RunPods) {
    if !shared.world.with(uid, |o| o.start_sweeping()) {
        return;
    }
    let (shared, uid, namespace, pods) = (Arc::clone(shared), uid.to_owned(), namespace.to_owned(), pods.clone());
    tokio::spawn(async move {
        let deleted = shared.calls.delete_selected::<Pod>(&namespace, &pods.labels(), pods.fields()).await;
        if let Err(error) = shared.gone(&namespace, deleted) {
            tracing::info!(namespace, %error, "pods that are recorded could not be deleted yet");
        }
        shared.world.with_known(&uid, |o| o.swept());
    });
}
