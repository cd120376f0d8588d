//! Where the certificates lie in the cluster: our CA in a Secret, its certificate in a ConfigMap that every user may read,
//! and the cluster's client CA where the API server publishes it.

use crate::ca::{Ca, CaError};
use hearth_wire::{CA_CONFIG_MAP, CA_KEY, CA_SECRET};
use jiff::Timestamp;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use std::collections::BTreeMap;

/// The client CA of the cluster, as aggregated API servers read it.
const CLIENT_CA: (&str, &str, &str) = ("kube-system", "extension-apiserver-authentication", "client-ca-file");
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

/// Why the certificates could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ClusterCaError {
    /// The API server said no, or nothing.
    #[error("{what}: {source}")]
    Cluster {
        /// What was to be done.
        what: &'static str,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// There is no usable CA.
    #[error(transparent)]
    Ca(#[from] CaError),
}

fn failed(what: &'static str) -> impl FnOnce(kube::Error) -> ClusterCaError {
    move |source| ClusterCaError::Cluster { what, source: Box::new(source) }
}

/// Our CA: a new one if the Secret can be created, else the one that is there. So two replicas never use different ones.
pub async fn our_ca(client: &Client, namespace: &str, now: Timestamp) -> Result<Ca, ClusterCaError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let ca = Ca::generate(now)?;
    match secrets.create(&PostParams::default(), &secret(&ca)).await {
        Ok(_) => Ok(ca),
        Err(e) if exists(&e) => {
            let found = secrets.get(CA_SECRET).await.map_err(failed("read the Secret hearth-api-ca"))?;
            Ok(Ca::from_pem(&text(&found, CERTIFICATE), &text(&found, KEY), now)?)
        }
        Err(e) => Err(failed("create the Secret hearth-api-ca")(e)),
    }
}

/// Publishes the CA's certificate, so that clients can pin it without reading the Secret.
pub async fn publish(client: &Client, namespace: &str, ca: &Ca) -> Result<(), ClusterCaError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = ConfigMap {
        metadata: named(CA_CONFIG_MAP),
        data: Some(BTreeMap::from([(CA_KEY.to_owned(), ca.pem().to_owned())])),
        ..ConfigMap::default()
    };
    match maps.create(&PostParams::default(), &map).await {
        Ok(_) => Ok(()),
        Err(e) if exists(&e) => {
            let patch = Patch::Merge(&map);
            maps.patch(CA_CONFIG_MAP, &PatchParams::default(), &patch)
                .await
                .map_err(failed("update the ConfigMap hearth-ca"))?;
            Ok(())
        }
        Err(e) => Err(failed("create the ConfigMap hearth-ca")(e)),
    }
}

/// The cluster's client CA; None when the cluster takes no client certificates.
pub async fn client_ca(client: &Client) -> Result<Option<String>, ClusterCaError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), CLIENT_CA.0);
    let found =
        maps.get_opt(CLIENT_CA.1).await.map_err(failed("read the ConfigMap extension-apiserver-authentication"))?;
    Ok(found.and_then(|m| m.data).and_then(|mut d| d.remove(CLIENT_CA.2)))
}

fn secret(ca: &Ca) -> Secret {
    let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
    Secret {
        metadata: named(CA_SECRET),
        type_: Some("kubernetes.io/tls".to_owned()),
        data: Some(BTreeMap::from([(CERTIFICATE.to_owned(), bytes(ca.pem())), (KEY.to_owned(), bytes(ca.key_pem()))])),
        ..Secret::default()
    }
}

fn named(name: &str) -> ObjectMeta {
    let labels = [
        ("app.kubernetes.io/name", "hearth"),
        ("app.kubernetes.io/component", "operator"),
        ("app.kubernetes.io/managed-by", "hearth"),
    ];
    ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()),
        ..ObjectMeta::default()
    }
}

fn text(secret: &Secret, key: &str) -> String {
    let bytes = secret.data.as_ref().and_then(|d| d.get(key));
    bytes.map(|b| String::from_utf8_lossy(&b.0).into_owned()).unwrap_or_default()
}

fn exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.reason == "AlreadyExists")
}
