//! URLs of the volume: signed with HMAC-SHA256, good for one method, one blob and a short time.
//!
//! ```text
//! /blobs/<namespace uid>/<sha256>?kid=<key id>&expires=<seconds since 1970>[&size=<bytes>]&sig=<HMAC>
//! ```
//!
//! The HMAC is over `hearth.dev/blob-url/v1`, the method and all of the path and the query that stands before `&sig=`,
//! byte by byte as sent: there is one text for each meaning, so nothing can be written in another way.

use crate::key::BlobKey;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;

/// What the HMAC begins with, so that it is good for nothing else.
const DOMAIN: &[u8] = b"hearth.dev/blob-url/v1\0";

/// What URLs are signed with. After a change of the secret the old one still opens URLs that it signed.
#[derive(Clone)]
pub struct UrlKeys {
    current: Key,
    previous: Option<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    hmac: Hmac<Sha256>,
}

/// What a URL gives leave to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) key: BlobKey,
    /// Length of an upload in bytes.
    pub(crate) size: Option<u64>,
}

/// Why a URL gives no leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadUrl {
    #[error("the URL was not made by this server for this request: ask the Recorder for one")]
    Forged,
    #[error("the URL has expired: ask the Recorder for a new one")]
    Expired,
}

impl Key {
    /// HMAC takes keys of any length, so the fallback is never used.
    fn derive(secret: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(secret);
        let hmac = Hmac::new_from_slice(&hash.finalize()).unwrap_or_else(|_| Hmac::new(&Default::default()));
        let id = hex(&hmac.clone().chain_update(b"id").finalize().into_bytes()).chars().take(8).collect();
        Self { id, hmac }
    }

    fn tag(&self, method: &str, target: &str) -> String {
        let mut hmac = self.hmac.clone();
        for part in [method.as_bytes(), b"\0", target.as_bytes()] {
            hmac.update(part);
        }
        hex(&hmac.finalize().into_bytes())
    }
}

impl UrlKeys {
    /// Keys derived from a secret that outlives the process, and from the one before it while that may still be in use.
    #[must_use]
    pub fn derive(secret: &[u8], previous: Option<&[u8]>) -> Self {
        Self { current: Key::derive(secret), previous: previous.map(Key::derive) }
    }

    /// Path and query of a URL, without the folder that all of them are in.
    pub(crate) fn sign(&self, method: &str, grant: Grant, expires: Timestamp) -> String {
        let mut target = format!("{}?kid={}&expires={}", grant.key, self.current.id, expires.as_second());
        if let Some(size) = grant.size {
            target += &format!("&size={size}");
        }
        let tag = self.current.tag(method, &target);
        format!("{target}&sig={tag}")
    }

    /// What a request for `method` of that path and query may do.
    pub(crate) fn open(&self, method: &str, text: &str, now: Timestamp) -> Result<Grant, BadUrl> {
        let (target, tag) = text.rsplit_once("&sig=").ok_or(BadUrl::Forged)?;
        let (key, query) = target.split_once('?').ok_or(BadUrl::Forged)?;
        let mut fields = query.split('&');
        let mut field = |name: &str| fields.next().and_then(|f| f.strip_prefix(name)?.strip_prefix('='));
        let kid = field("kid").ok_or(BadUrl::Forged)?;
        let expires = field("expires").ok_or(BadUrl::Forged)?;
        let signer = [Some(&self.current), self.previous.as_ref()].into_iter().flatten().find(|k| k.id == kid);
        let expected = signer.ok_or(BadUrl::Forged)?.tag(method, target);
        if !bool::from(expected.as_bytes().ct_eq(tag.as_bytes())) {
            return Err(BadUrl::Forged);
        }
        // From here on it is our own text.
        let expires: i64 = expires.parse().map_err(|_| BadUrl::Forged)?;
        if now.as_second() >= expires {
            return Err(BadUrl::Expired);
        }
        let size = field("size").map(str::parse).transpose().map_err(|_| BadUrl::Forged)?;
        Ok(Grant { key: key.parse().map_err(|_| BadUrl::Forged)?, size })
    }
}

impl fmt::Debug for UrlKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UrlKeys").field("current", &self.current.id).finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_contract::digest::Digest;
    use proptest::prelude::*;

    fn grant(size: Option<u64>) -> Grant {
        Grant { key: BlobKey::new("6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b", Digest::of(b"x")).unwrap(), size }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_url_is_good_for_its_method_until_it_expires() {
        let keys = UrlKeys::derive(b"secret", None);
        for size in [None, Some(0), Some(17)] {
            let url = keys.sign("PUT", grant(size), at(1000));
            assert_eq!(keys.open("PUT", &url, at(999)), Ok(grant(size)));
            assert_eq!(keys.open("PUT", &url, at(1000)), Err(BadUrl::Expired));
            for method in ["GET", "HEAD", "DELETE", "put", ""] {
                assert_eq!(keys.open(method, &url, at(999)), Err(BadUrl::Forged), "{method}");
            }
        }
    }

    #[test]
    fn an_old_key_opens_what_it_signed_until_it_is_dropped() {
        let old = UrlKeys::derive(b"old", None).sign("GET", grant(None), at(1000));
        assert!(UrlKeys::derive(b"new", Some(b"old")).open("GET", &old, at(1)).is_ok());
        assert_eq!(UrlKeys::derive(b"new", None).open("GET", &old, at(1)), Err(BadUrl::Forged));
        let new = UrlKeys::derive(b"new", Some(b"old")).sign("GET", grant(None), at(1000));
        assert!(UrlKeys::derive(b"new", None).open("GET", &new, at(1)).is_ok(), "new URLs are signed with the new key");
    }

    #[test]
    fn no_bit_of_a_url_can_be_changed() {
        let keys = UrlKeys::derive(b"secret", Some(b"old"));
        for size in [None, Some(1234)] {
            let url = keys.sign("PUT", grant(size), at(2_000_000_000));
            for at_bit in 0..url.len() * 8 {
                let mut bytes = url.clone().into_bytes();
                bytes[at_bit / 8] ^= 1 << (at_bit % 8);
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert_eq!(keys.open("PUT", &changed, at(1)), Err(BadUrl::Forged), "bit {at_bit}: {changed}");
            }
        }
    }

    #[test]
    fn another_digest_or_size_or_a_way_out_is_refused() {
        let keys = UrlKeys::derive(b"secret", None);
        let url = keys.sign("PUT", grant(Some(10)), at(1000));
        let other = url.replace(&Digest::of(b"x").hex(), &Digest::of(b"y").hex());
        for bad in [
            other,
            url.replace("size=10", "size=11"),
            url.replace("&size=10", ""),
            url.replace("expires=1000", "expires=9000"),
            format!("../{url}"),
            format!("%2e%2e/{url}"),
            url.replace("&size", "&size=99&size"),
            format!("{url}&sig=00"),
            format!("{url}&size=11"),
            url.replace("&sig=", "&sig=&sig="),
            String::new(),
            "?".to_owned(),
            "&sig=".to_owned(),
        ] {
            assert_eq!(keys.open("PUT", &bad, at(1)), Err(BadUrl::Forged), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_url_with_anything_changed_is_refused(at_byte in 0_usize..200, by in 1_u8..=255, cut in 0_usize..200, tail in ".{0,20}") {
            let keys = UrlKeys::derive(b"secret", None);
            let url = keys.sign("GET", grant(None), at(2_000_000_000));
            let mut bytes = url.clone().into_bytes();
            let place = at_byte % bytes.len();
            bytes[place] = bytes[place].wrapping_add(by);
            prop_assert_eq!(keys.open("GET", &String::from_utf8_lossy(&bytes), at(1)), Err(BadUrl::Forged));
            let head = url.get(..cut.min(url.len() - 1)).unwrap_or_default();
            let spliced = format!("{head}{tail}");
            prop_assume!(spliced != url);
            prop_assert_eq!(keys.open("GET", &spliced, at(1)), Err(BadUrl::Forged));
        }
    }
}
