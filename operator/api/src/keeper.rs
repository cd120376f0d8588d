//! Keeps the certificates fresh while the server runs.

use crate::{
    ca::{Ca, CaError, Leaf},
    cluster_ca::{self, ClusterCaError},
    cursor::CursorKey,
    tls::server_config,
};
use jiff::Timestamp;
use kube::Client;
use rustls::ServerConfig;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often the cluster's client CA is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// Not from the cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterCaError),
    /// No leaf.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// Not for TLS.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// What other servers of this process need: a certificate for the same names, and what secrets are derived from.
pub struct Issued {
    /// The certificate of the authority, in PEM.
    pub authority: String,
    /// The certificate and its key.
    pub leaf: Leaf,
    secret: Vec<u8>,
}

impl Issued {
    fn of(ca: &Ca, leaf: &Leaf) -> Arc<Self> {
        Arc::new(Self { authority: ca.pem().to_owned(), leaf: leaf.clone(), secret: ca.secret().to_vec() })
    }

    /// Bytes that live as long as the authority; derive keys from them.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

/// What new connections use, and how to make the next.
pub struct Keeper {
    client: Client,
    namespace: String,
    names: Vec<String>,
    ca: Ca,
    leaf: Leaf,
    client_ca: Option<String>,
    config: watch::Sender<Arc<ServerConfig>>,
    issued: watch::Sender<Option<Arc<Issued>>>,
}

impl Keeper {
    /// Reads or makes all that is needed, once. `issued` is told each certificate.
    pub async fn start(
        client: Client,
        namespace: String,
        names: Vec<String>,
        issued: watch::Sender<Option<Arc<Issued>>>,
    ) -> Result<Self, KeeperError> {
        let now = Timestamp::now();
        let ca = cluster_ca::our_ca(&client, &namespace, now).await?;
        cluster_ca::publish(&client, &namespace, &ca).await?;
        let client_ca = cluster_ca::client_ca(&client).await?;
        let leaf = ca.issue(&names, now)?;
        let config = watch::Sender::new(server_config(&leaf, client_ca.as_deref())?);
        issued.send_replace(Some(Issued::of(&ca, &leaf)));
        Ok(Self { client, namespace, names, ca, leaf, client_ca, config, issued })
    }

    /// What a new connection uses: borrow it at each one.
    #[must_use]
    pub fn config(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.config.subscribe()
    }

    /// The key of cursors.
    #[must_use]
    pub fn cursor_key(&self) -> CursorKey {
        CursorKey::derive(self.ca.secret())
    }

    /// Looks again, for ever. What fails is tried again at the next turn: the old certificates last for days.
    pub async fn keep(mut self) {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.refresh(Timestamp::now()).await {
                tracing::warn!(%error, "the API's certificates were not refreshed");
            }
        }
    }

    pub(crate) async fn refresh(&mut self, now: Timestamp) -> Result<(), KeeperError> {
        let client_ca = cluster_ca::client_ca(&self.client).await?;
        let due = now >= self.leaf.renew_at;
        if client_ca == self.client_ca && !due {
            return Ok(());
        }
        if due {
            self.ca = cluster_ca::our_ca(&self.client, &self.namespace, now).await?;
            cluster_ca::publish(&self.client, &self.namespace, &self.ca).await?;
            self.leaf = self.ca.issue(&self.names, now)?;
            self.issued.send_replace(Some(Issued::of(&self.ca, &self.leaf)));
        }
        self.client_ca = client_ca;
        self.config.send_replace(server_config(&self.leaf, self.client_ca.as_deref())?);
        tracing::info!(new_leaf = due, "the API's TLS was refreshed");
        Ok(())
    }
}
