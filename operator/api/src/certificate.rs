//! What a client certificate says of its holder, read as the Kubernetes API server reads it: the common name is the user,
//! each organisation a group.

use crate::identity::{AUTHENTICATED, CertificateIdentity, Identity};
use jiff::Timestamp;
use std::collections::BTreeMap;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The holder of a certificate that TLS has verified; None when it names no user.
#[must_use]
pub fn holder(der: &[u8]) -> Option<CertificateIdentity> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let user = subject.iter_common_name().last()?.as_str().ok()?.to_owned();
    if user.is_empty() {
        return None;
    }
    let mut groups: Vec<String> =
        subject.iter_organization().map(|o| o.as_str().map(str::to_owned)).collect::<Result<_, _>>().ok()?;
    if !groups.iter().any(|g| g == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?;
    Some(CertificateIdentity { identity: Identity::new(user, None, groups, BTreeMap::new()), not_after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(names: &[(DnType, &str)]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in names {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn common_name_is_the_user_and_organisation_the_group() {
        let found = holder(&certificate(&[(DnType::CommonName, "ada"), (DnType::OrganizationName, "lab")])).unwrap();
        assert_eq!(found.identity.user(), "ada");
        assert_eq!(found.identity.groups(), ["lab", AUTHENTICATED]);
    }

    #[test]
    fn a_certificate_without_a_name_is_nobody() {
        assert_eq!(holder(&certificate(&[(DnType::OrganizationName, "system:masters")])), None);
        assert_eq!(holder(&certificate(&[(DnType::CommonName, "")])), None);
        assert_eq!(holder(b"junk"), None);
    }
}
