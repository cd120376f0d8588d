//! The API's own certificate authority: ten years, and leaves of seven days.

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the CA lives.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// How long a leaf lives.
const LEAF_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A leaf is replaced this long before its end.
const LEAF_MARGIN: Duration = Duration::from_secs(3 * 24 * 3600);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Make(#[from] rcgen::Error),
    /// What is stored is not a CA.
    #[error("the stored CA cannot be used ({0}); delete the Secret hearth-api-ca and the operator makes a new one")]
    Unusable(&'static str),
}

/// A certificate authority with its key.
pub struct Ca {
    pem: String,
    key_pem: String,
    key_der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

/// A server certificate with its key.
pub struct Leaf {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// When it should be replaced.
    pub renew_at: Timestamp,
}

impl Clone for Leaf {
    fn clone(&self) -> Self {
        Self { certificate: self.certificate.clone(), key: self.key.clone_key(), renew_at: self.renew_at }
    }
}

impl Ca {
    /// A new one.
    pub fn generate(now: Timestamp) -> Result<Self, CaError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Hearth API CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        lives(&mut params, now, CA_LIFE);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, key_pem: key.serialize_pem(), key_der: key.serialize_der(), issuer: Issuer::new(params, key) })
    }

    /// One that was stored.
    pub fn from_pem(pem: &str, key_pem: &str, now: Timestamp) -> Result<Self, CaError> {
        let key = KeyPair::from_pem(key_pem).map_err(|_| CaError::Unusable("its key cannot be read"))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| CaError::Unusable("its certificate cannot be read"))?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| CaError::Unusable("its certificate cannot be read"))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(CaError::Unusable("its key is not the certificate's"));
        }
        if parsed.validity().not_after.timestamp() < now.as_second() {
            return Err(CaError::Unusable("it has expired"));
        }
        let key_der = key.serialize_der();
        let issuer =
            Issuer::from_ca_cert_der(&der, key).map_err(|_| CaError::Unusable("its certificate cannot be read"))?;
        Ok(Self { pem: pem.to_owned(), key_pem: key_pem.to_owned(), key_der, issuer })
    }

    /// The certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key; it goes into the Secret and nowhere else.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// What other keys are derived from.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.key_der
    }

    /// A server certificate for `names`.
    pub fn issue(&self, names: &[String], now: Timestamp) -> Result<Leaf, CaError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = named("Hearth API");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        lives(&mut params, now, LEAF_LIFE);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.der().clone();
        let renew_at =
            now + SignedDuration::try_from(LEAF_LIFE.saturating_sub(LEAF_MARGIN)).unwrap_or(SignedDuration::ZERO);
        Ok(Leaf { certificate, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(), renew_at })
    }
}

/// From a day ago, for clocks that go slow, until `life` from now.
fn lives(params: &mut CertificateParams, now: Timestamp, life: Duration) {
    let now = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0));
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(DAY);
    params.not_after = date_time_ymd(1970, 1, 1) + now + life;
}

fn named(name: &str) -> DistinguishedName {
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name);
    dn
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{RootCertStore, client::WebPkiServerVerifier, pki_types::UnixTime};
    use std::sync::Arc;

    fn now() -> Timestamp {
        "2026-11-21T08:00:00Z".parse().unwrap()
    }

    fn verifies(ca: &str, leaf: &Leaf, name: &str, at: Timestamp) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into().unwrap()));
        rustls::client::danger::ServerCertVerifier::verify_server_cert(
            &*verifier,
            &leaf.certificate,
            &[],
            &name.to_owned().try_into().unwrap(),
            &[],
            at,
        )
        .is_ok()
    }

    #[test]
    fn a_leaf_is_trusted_for_its_names_and_its_time() {
        let ca = Ca::generate(now()).unwrap();
        let again = Ca::from_pem(ca.pem(), ca.key_pem(), now()).unwrap();
        let leaf = again.issue(&["hearth.hearth-system.svc".to_owned(), "127.0.0.1".to_owned()], now()).unwrap();
        assert!(verifies(ca.pem(), &leaf, "hearth.hearth-system.svc", now()));
        assert!(verifies(ca.pem(), &leaf, "127.0.0.1", now()));
        assert!(!verifies(ca.pem(), &leaf, "other.svc", now()));
        assert!(!verifies(ca.pem(), &leaf, "127.0.0.1", now() + SignedDuration::from_hours(8 * 24)));
        assert!(leaf.renew_at < now() + SignedDuration::from_hours(7 * 24));
        assert_eq!(ca.secret(), again.secret());
    }

    #[test]
    fn what_is_not_a_ca_is_refused_with_the_way_out() {
        let (ca, other) = (Ca::generate(now()).unwrap(), Ca::generate(now()).unwrap());
        let late = now() + SignedDuration::from_hours(24 * 366 * 10);
        for bad in [
            Ca::from_pem(ca.pem(), other.key_pem(), now()),
            Ca::from_pem("", ca.key_pem(), now()),
            Ca::from_pem(ca.pem(), "", now()),
            Ca::from_pem(ca.pem(), ca.key_pem(), late),
        ] {
            assert!(bad.err().unwrap().to_string().contains("delete the Secret"));
        }
    }
}
