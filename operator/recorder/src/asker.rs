//! Which attempt asks.
//!
//! Token → TokenReview with our audience → the pod that it is bound to → that pod as it is now, with that UID, running,
//! and controlled by an object of ours that exists → what its own labels and annotation say. Only the first step is
//! remembered, for seconds: a pod that has ended has no authority any more.

use crate::{cluster::Cluster, refusal::Refusal, token::PodRef, token::Tokens};
use hearth_contract::spec::Spec;
use hearth_crds::{
    GROUP, annotation, label,
    registry::{KINDS, KindEntry},
};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::Client;
use tonic::metadata::MetadataMap;

/// Finds out who asks.
pub struct Askers {
    cluster: Cluster,
    tokens: Tokens,
}

/// An attempt whose pod runs now.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// UID of its pod.
    pub pod_uid: String,
    /// UID of its namespace.
    pub namespace_uid: String,
    /// What it may read and write.
    pub spec: Spec,
    /// The same as its container has it.
    pub text: String,
}

impl Askers {
    /// Asks through `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { cluster: Cluster::new(client), tokens: Tokens::new() }
    }

    /// The attempt whose pod sent this.
    ///
    /// # Errors
    /// Nobody known, a pod that is none of ours or has ended, or the API server does not answer.
    pub async fn attempt(&self, metadata: &MetadataMap) -> Result<Attempt, Refusal> {
        let asked = self.tokens.pod(&self.cluster, metadata).await?;
        // The namespace first: while the pod is there with that UID, its namespace was not replaced since.
        let namespace_uid = self.cluster.namespace_uid(&asked.namespace).await?.ok_or_else(|| gone(&asked))?;
        let pod = self.cluster.pod(&asked.namespace, &asked.name).await?.ok_or_else(|| gone(&asked))?;
        if pod.metadata.uid.as_deref() != Some(&asked.uid) {
            return Err(gone(&asked));
        }
        let (kind, owner) = working(&pod)?;
        let live = self.cluster.object_uid(kind, &asked.namespace, &owner.name).await?;
        if live.as_deref() != Some(&owner.uid) {
            return Err(Refusal::Forbidden(format!("the {} of this pod does not exist any more", kind.kind)));
        }
        let (spec, text) = spec(&pod)?;
        Ok(Attempt { pod_uid: asked.uid, namespace_uid, spec, text })
    }
}

fn gone(pod: &PodRef) -> Refusal {
    Refusal::Forbidden(format!("the pod {} that this token was made for does not exist any more", pod.name))
}

/// The kind and the owner of a pod that works for us now.
fn working(pod: &Pod) -> Result<(&'static KindEntry, &OwnerReference), Refusal> {
    let forbidden = |why: &str| Err(Refusal::Forbidden(why.to_owned()));
    match pod.status.as_ref().and_then(|s| s.phase.as_deref()) {
        Some("Pending" | "Running") => {}
        Some("Succeeded" | "Failed") => return forbidden("this pod has ended"),
        _ => return forbidden("whether this pod runs is not known"),
    }
    if label(pod, label::ROLE) != Some(label::ROLE_ATTEMPT) {
        return forbidden("this pod is not an attempt of a step");
    }
    let owner = pod.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    let found = owner.and_then(|o| {
        let (group, _version) = o.api_version.split_once('/')?;
        let kind = KINDS.iter().find(|k| group == GROUP && k.kind == o.kind)?;
        Some((kind, o))
    });
    match found {
        Some((kind, owner)) if label(pod, label::OWNER_UID) == Some(&owner.uid) => Ok((kind, owner)),
        Some(_) | None => forbidden("this pod is controlled by no object of hearth.dev"),
    }
}

fn label<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    pod.metadata.labels.as_ref()?.get(name).map(String::as_str)
}

/// What the pod was made for, in both forms.
fn spec(pod: &Pod) -> Result<(Spec, String), Refusal> {
    let text = pod.metadata.annotations.as_ref().and_then(|a| a.get(annotation::SPEC)).cloned().unwrap_or_default();
    let spec = Spec::parse(&text).map_err(|e| Refusal::Forbidden(format!("the annotation of this pod: {e}")))?;
    let same = label(pod, label::STEP) == Some(&spec.step)
        && label(pod, label::ATTEMPT).and_then(|a| a.parse().ok()) == Some(spec.attempt);
    if same { Ok((spec, text)) } else { Err(Refusal::Forbidden("labels and annotation of this pod differ".to_owned())) }
}
