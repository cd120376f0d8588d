//! What is asked of the Kubernetes API server. Every answer is live: nothing comes from a watch that may be late.

use crate::refusal::Refusal;
use hearth_crds::{GROUP, VERSION, registry::KindEntry};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
    core::v1::{Namespace, Pod},
};
use kube::{
    Api, Client,
    api::PostParams,
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many questions may be open at a time.
const AT_ONCE: usize = 32;

/// The API server, as the Recorder sees it.
#[derive(Clone)]
pub(crate) struct Cluster {
    client: Client,
    open: Arc<Semaphore>,
}

impl Cluster {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, open: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whose token is it?
    pub(crate) async fn review(&self, token: &str, audience: &str) -> Result<TokenReviewStatus, Refusal> {
        let spec = TokenReviewSpec { audiences: Some(vec![audience.to_owned()]), token: Some(token.to_owned()) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answer = self.ask("TokenReview", api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// The pod of that name.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Option<Pod>, Refusal> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        self.ask("pod", api.get_opt(name)).await
    }

    /// UID of the namespace that has this name now.
    pub(crate) async fn namespace_uid(&self, name: &str) -> Result<Option<String>, Refusal> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        Ok(self.ask("namespace", api.get_metadata_opt(name)).await?.and_then(|n| n.metadata.uid))
    }

    /// UID of the object of that kind that has this name now.
    pub(crate) async fn object_uid(
        &self,
        kind: &KindEntry,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, Refusal> {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, kind.kind), kind.plural);
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        Ok(self.ask("owner", api.get_metadata_opt(name)).await?.and_then(|o| o.metadata.uid))
    }

    async fn ask<T>(&self, what: &'static str, question: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
        let answer = tokio::time::timeout(PATIENCE, async {
            // The semaphore is never closed; an error would only mean that nobody limits us.
            let _slot = self.open.acquire().await;
            question.await
        });
        match answer.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(what, %error, "the API server did not answer a question of the Recorder");
                Err(Refusal::ClusterAway)
            }
            Err(_) => {
                tracing::warn!(what, "the API server did not answer a question of the Recorder in time");
                Err(Refusal::ClusterAway)
            }
        }
    }
}
