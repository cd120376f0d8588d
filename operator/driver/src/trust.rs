//! The certificates of the operator's authority and of the artifact store's, in each namespace whose pods must know them.
//!
//! Such a pod mounts the ConfigMap, and the kubelet waits with it until that is there. So the ConfigMap is seen to before
//! the pod is posted, and again after a minute, in case somebody changed it.

use crate::{error::Error, shared::Shared};
use hearth_bounds::Cache;
use hearth_crds::{CA_CONFIG_MAP, STORE_CA_KEY, label};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The key of the operator's certificate.
const KEY: &str = "ca.crt";
/// How long a namespace is taken to have it.
const REUSE: Duration = Duration::from_secs(60);
/// Namespaces that are remembered.
const MOST: usize = 10_000;

/// The certificates, and where they are known to lie.
pub(crate) struct Trust {
    /// PEM; None until there is one.
    ca: watch::Receiver<Option<String>>,
    /// That of the store, if it has one of its own.
    store: Option<String>,
    placed: Cache<(String, Certificates), ()>,
}

/// What is in the ConfigMap, by key.
type Certificates = BTreeMap<&'static str, String>;

impl Trust {
    pub(crate) fn new(ca: watch::Receiver<Option<String>>, store: Option<String>) -> Self {
        Self { ca, store, placed: Cache::new(REUSE, MOST) }
    }

    /// All that pods are to know; None until the operator has its own.
    fn certificates(&self) -> Option<Certificates> {
        let own = self.ca.borrow().clone()?;
        let store = self.store.clone().map(|pem| (STORE_CA_KEY, pem));
        Some(std::iter::once((KEY, own)).chain(store).collect())
    }
}

/// Whether the pod mounts the certificates.
pub(crate) fn needs_it(pod: &Pod) -> bool {
    let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
    let sources = volumes.filter_map(|v| v.projected.as_ref()).flat_map(|p| p.sources.iter().flatten());
    sources.filter_map(|s| s.config_map.as_ref()).any(|m| m.name == CA_CONFIG_MAP)
}

impl Shared {
    /// Sees to the certificates in that namespace.
    pub(crate) async fn place_trust(&self, namespace: &str) -> Result<(), Error> {
        let what = || format!("the ConfigMap {CA_CONFIG_MAP} in {namespace}");
        let Some(certificates) = self.trust.certificates() else {
            return Err(Error::NoAnswer { what: what(), cause: "there is no certificate authority yet".into() });
        };
        let key = (namespace.to_owned(), certificates);
        if self.trust.placed.get(&key, Instant::now()).is_some() {
            return Ok(());
        }
        let wanted = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": CA_CONFIG_MAP, "labels": {label::MANAGED_BY: label::MANAGED_BY_VALUE}},
            "data": key.1,
        });
        match self.calls.create::<ConfigMap, Value>(namespace, &wanted).await {
            Ok(_) => {}
            Err(Error::Refused { status, .. }) if status.is_already_exists() => {
                let found: Option<Value> = self.calls.get::<ConfigMap, _>(namespace, CA_CONFIG_MAP).await?;
                let there = |(name, pem): (&&str, &String)| {
                    found.as_ref().and_then(|m| m.get("data")?.get(*name)?.as_str()) == Some(pem.as_str())
                };
                if !key.1.iter().all(there) {
                    let data = json!({"data": key.1});
                    self.calls.patch::<ConfigMap, Value>(namespace, CA_CONFIG_MAP, &data).await?;
                }
            }
            Err(error) => return Err(error),
        }
        self.trust.placed.put(key, (), Instant::now());
        Ok(())
    }
}
