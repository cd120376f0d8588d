//! What somebody may do: SubjectAccessReviews, kept for ten seconds at most.

use crate::{
    authn::REUSE,
    cluster::{Cluster, ClusterAway},
    identity::Identity,
};
use hearth_bounds::Cache;
use hearth_crds::{GROUP, registry::KINDS};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReviewSpec};
use std::{fmt, time::Instant};

/// A right, as RBAC knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Right {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: Option<&'static str>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Right {
    /// A verb on a kind of ours, in one namespace or (None) in all. None when we have no such kind.
    #[must_use]
    pub fn on_kind(verb: &'static str, kind: &str, namespace: Option<&str>, name: Option<&str>) -> Option<Self> {
        let entry = KINDS.iter().find(|k| k.kind == kind)?;
        Some(Self {
            verb,
            group: GROUP,
            resource: entry.plural,
            subresource: None,
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        })
    }

    /// To read logs of pods in a namespace.
    #[must_use]
    pub fn to_logs(namespace: &str) -> Self {
        Self {
            verb: "get",
            group: "",
            resource: "pods",
            subresource: Some("log"),
            namespace: Some(namespace.to_owned()),
            name: None,
        }
    }

    /// To read the audit trail. There is no such object: the name stands for the right alone.
    #[must_use]
    pub fn to_audit() -> Self {
        Self { verb: "list", group: GROUP, resource: "auditrecords", subresource: None, namespace: None, name: None }
    }

    /// The verb.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// The resource with its group and subresource, for example workflows.hearth.dev or pods/log.
    #[must_use]
    pub fn resource(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let sub = self.subresource.map(|s| format!("/{s}")).unwrap_or_default();
        format!("{}{group}{sub}", self.resource)
    }

    /// The namespace; None is all.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The name of the object, when it is about one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The same in all namespaces.
    #[must_use]
    pub fn everywhere(&self) -> Self {
        Self { namespace: None, name: None, ..self.clone() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource())?;
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

/// Says what somebody may do.
pub struct Authorizer {
    cluster: Cluster,
    answers: Cache<([u8; 32], Right), bool>,
    namespaces: Cache<String, Option<String>>,
}

impl Authorizer {
    /// Asks `cluster`.
    #[must_use]
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, answers: Cache::new(REUSE, 50_000), namespaces: Cache::new(REUSE, 10_000) }
    }

    /// Whether `who` has `right`.
    pub async fn allows(&self, who: &Identity, right: &Right) -> Result<bool, ClusterAway> {
        let key = (who.key(), right.clone());
        if let Some(known) = self.answers.get(&key, Instant::now()) {
            return Ok(known);
        }
        let allowed = self.cluster.access_review(spec(who, right)).await?;
        self.answers.put(key, allowed, Instant::now());
        Ok(allowed)
    }

    /// The UID of the namespace that has this name now.
    pub async fn namespace_uid(&self, name: &str) -> Result<Option<String>, ClusterAway> {
        if let Some(known) = self.namespaces.get(&name.to_owned(), Instant::now()) {
            return Ok(known);
        }
        let uid = self.cluster.namespace_uid(name).await?;
        self.namespaces.put(name.to_owned(), uid.clone(), Instant::now());
        Ok(uid)
    }
}

fn spec(who: &Identity, right: &Right) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        user: Some(who.user().to_owned()),
        uid: who.uid().map(str::to_owned),
        groups: Some(who.groups().to_vec()),
        extra: Some(who.extra().clone()).filter(|e| !e.is_empty()),
        resource_attributes: Some(ResourceAttributes {
            verb: Some(right.verb.to_owned()),
            group: Some(right.group.to_owned()),
            resource: Some(right.resource.to_owned()),
            subresource: right.subresource.map(str::to_owned),
            namespace: right.namespace.clone(),
            name: right.name.clone(),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_read_as_rbac_writes_them() {
        let right = Right::on_kind("list", "Workflow", Some("climate"), None).unwrap();
        assert_eq!(right.to_string(), "list workflows.hearth.dev in namespace climate");
        assert_eq!(right.everywhere().to_string(), "list workflows.hearth.dev in all namespaces");
        assert_eq!(Right::to_logs("climate").to_string(), "get pods/log in namespace climate");
        assert_eq!(Right::to_audit().to_string(), "list auditrecords.hearth.dev in all namespaces");
        assert_eq!(Right::on_kind("list", "Pod", None, None), None);
    }
}
