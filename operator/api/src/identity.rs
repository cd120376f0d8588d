//! Who asks.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, net::IpAddr};

/// The group of everybody whom the cluster knows.
pub const AUTHENTICATED: &str = "system:authenticated";

/// Somebody whom the cluster knows. Made by [`crate::authn`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    user: String,
    uid: Option<String>,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
    key: [u8; 32],
    from: Option<IpAddr>,
}

impl Identity {
    pub(crate) fn new(
        user: String,
        uid: Option<String>,
        groups: Vec<String>,
        extra: BTreeMap<String, Vec<String>>,
    ) -> Self {
        let key = key(&user, uid.as_deref(), &groups, &extra);
        Self { user, uid, groups, extra, key, from: None }
    }

    /// The same, who asks from that address.
    pub(crate) fn asking_from(self, from: Option<IpAddr>) -> Self {
        Self { from, ..self }
    }

    /// The address of the connection: that of the last hop, for example of the kubelet that forwards a port.
    #[must_use]
    pub fn from(&self) -> Option<IpAddr> {
        self.from
    }

    /// The user's name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's UID, if the cluster gives one.
    #[must_use]
    pub fn uid(&self) -> Option<&str> {
        self.uid.as_deref()
    }

    /// The user's groups.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// What else the cluster's authorisers may want to know.
    #[must_use]
    pub fn extra(&self) -> &BTreeMap<String, Vec<String>> {
        &self.extra
    }

    /// The same for the same identity: the key of caches and limits.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        self.key
    }
}

/// Length-prefixed, so that no two identities share a key.
fn key(user: &str, uid: Option<&str>, groups: &[String], extra: &BTreeMap<String, Vec<String>>) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    };
    field(user);
    field(uid.unwrap_or_default());
    field(&groups.len().to_string());
    groups.iter().for_each(|g| field(g));
    for (name, values) in extra {
        field(name);
        field(&values.len().to_string());
        values.iter().for_each(|v| field(v));
    }
    hash.finalize().into()
}

/// What a client certificate says, once TLS has verified it against the cluster's client CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateIdentity {
    pub(crate) identity: Identity,
    pub(crate) not_after: Timestamp,
}

/// The client certificate of a connection, if it has one. The server puts it in each request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer(pub(crate) Option<CertificateIdentity>);

/// The address that a connection came from. The server puts it in each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin(pub IpAddr);
