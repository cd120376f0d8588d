//! TLS of the API: our leaf, and client certificates of the cluster's client CA for those who have one.

use crate::{ca::Leaf, certificate::holder, identity::Peer};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::sync::Arc;

/// A configuration for new connections. Each verifies its certificate anew: no session is resumed, so a client CA that is
/// withdrawn counts from the next connection on.
pub fn server_config(leaf: &Leaf, client_ca: Option<&str>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder =
        ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
    let mut config = builder
        .with_client_cert_verifier(verifier(client_ca))
        .with_single_cert(vec![leaf.certificate.clone()], leaf.key.clone_key())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Verifies certificates of that CA and lets those without one in: who they are is decided later.
fn verifier(client_ca: Option<&str>) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    let certificates = client_ca.into_iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()).flatten());
    let (taken, left) = roots.add_parsable_certificates(certificates);
    if left > 0 {
        tracing::warn!(taken, left, "some certificates of the cluster's client CA cannot be used");
    }
    let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider()))
        .allow_unauthenticated()
        .build();
    // It fails when there is no certificate at all: then only tokens are taken.
    built.unwrap_or_else(|_| WebPkiClientVerifier::no_client_auth())
}

/// Who is at the other end of a connection whose handshake is done.
#[must_use]
pub fn peer(certificates: Option<&[CertificateDer<'_>]>) -> Peer {
    Peer(certificates.and_then(<[_]>::first).and_then(|c| holder(c)))
}
