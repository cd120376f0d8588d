//! What the API asks of the Kubernetes API server: reviews, and which UID a namespace has now.

use crate::refused::Refused;
use hearth_crds::{request::Request, workflow::Workflow};
use hearth_wire::ProblemKind;
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus},
    authorization::v1::{SubjectAccessReview, SubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many questions may be open at a time.
const AT_ONCE: usize = 32;

/// The API server, as the API sees it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    open: Arc<Semaphore>,
}

/// The API server gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum ClusterAway {
    /// It answered with an error, or not at all.
    #[error("{asked}: {source}")]
    Failed {
        /// What was asked.
        asked: &'static str,
        /// Why there is no answer.
        source: Box<kube::Error>,
    },
    /// It took too long.
    #[error("{0}: no answer within {PATIENCE:?}")]
    Slow(&'static str),
}

impl ClusterAway {
    /// The answer to whoever asked us. The reason goes to the log: it may name things that the asker must not see.
    #[must_use]
    pub fn refused(self) -> Refused {
        tracing::warn!(error = %self, "the API server did not answer a question of the API");
        Refused::new(
            ProblemKind::ClusterAway,
            "who you are and what you may do could not be asked of the Kubernetes API server; try again",
        )
    }
}

impl Cluster {
    /// Asks through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, open: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whose token is it?
    pub async fn token_review(&self, spec: TokenReviewSpec) -> Result<TokenReviewStatus, ClusterAway> {
        let review = TokenReview { spec, ..TokenReview::default() };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answer = self.ask("TokenReview", api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.unwrap_or_default())
    }

    /// May they do it?
    pub async fn access_review(&self, spec: SubjectAccessReviewSpec) -> Result<bool, ClusterAway> {
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answer = self.ask("SubjectAccessReview", api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.is_some_and(|s| s.allowed && s.denied != Some(true)))
    }

    /// The UID of the namespace that has this name now.
    pub async fn namespace_uid(&self, name: &str) -> Result<Option<String>, ClusterAway> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = self.ask("namespace", api.get_metadata_opt(name)).await?;
        Ok(found.and_then(|n| n.metadata.uid))
    }

    /// A Workflow as it is now.
    pub async fn workflow(&self, namespace: &str, name: &str) -> Result<Option<Workflow>, ClusterAway> {
        let api: Api<Workflow> = Api::namespaced(self.client.clone(), namespace);
        self.ask("Workflow", api.get_opt(name)).await
    }

    /// Makes a Workflow; None when one of that name is there.
    pub async fn make_workflow(&self, object: &Workflow) -> Result<Option<Workflow>, ClusterAway> {
        let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<Workflow> = Api::namespaced(self.client.clone(), namespace);
        self.ask("Workflow", async {
            match api.create(&PostParams::default(), object).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
                answer => answer.map(Some),
            }
        })
        .await
    }

    /// Adds a request to a Workflow's status. Each has a field manager of its own, so that it takes no other one's place.
    pub async fn request(&self, namespace: &str, name: &str, request: &Request) -> Result<(), ClusterAway> {
        let api: Api<Workflow> = Api::namespaced(self.client.clone(), namespace);
        let entry = json!({
            "apiVersion": Workflow::api_version(&()), "kind": Workflow::kind(&()), "status": {"requests": [request]},
        });
        let manager = PatchParams::apply(&format!("hearth-api/{}", request.id));
        self.ask("request", api.patch_status(name, &manager, &Patch::Apply(&entry))).await.map(drop)
    }

    async fn ask<T>(
        &self,
        asked: &'static str,
        question: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, ClusterAway> {
        let answer = tokio::time::timeout(PATIENCE, async {
            // The semaphore is never closed; an error would only mean that nobody limits us.
            let _slot = self.open.acquire().await;
            question.await
        });
        match answer.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(source)) => Err(ClusterAway::Failed { asked, source: Box::new(source) }),
            Err(_) => Err(ClusterAway::Slow(asked)),
        }
    }
}
