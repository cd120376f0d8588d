//! Where a page ends: signed, so that nobody can make one up or use it with another query.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

#[derive(Serialize, Deserialize)]
struct Signed<P> {
    #[serde(rename = "p")]
    position: P,
    #[serde(rename = "q")]
    query: String,
}

/// The key that cursors are signed with. It comes from the CA's key, so it outlives restarts and all replicas share it.
#[derive(Clone)]
pub struct CursorKey(Hmac<Sha256>);

/// A cursor that is not ours, or not for this query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cursor was not made by this API for this query; start again without one")]
pub struct BadCursor;

impl CursorKey {
    /// Derives the key from a secret.
    #[must_use]
    pub fn derive(secret: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"hearth.dev/cursor/v1\0");
        hash.update(secret);
        Self(mac(&hash.finalize()))
    }

    /// The text that leads to the page after `position` of `query`.
    #[must_use]
    pub fn sign<P: Serialize>(&self, position: &P, query: &str) -> String {
        let body = serde_json::to_vec(&Signed { position, query: digest(query) }).unwrap_or_default();
        let tag = self.0.clone().chain_update(&body).finalize().into_bytes();
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(body), BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    /// The position in a text that [`Self::sign`] made for the same query.
    pub fn open<P: DeserializeOwned>(&self, text: &str, query: &str) -> Result<P, BadCursor> {
        let (body, tag) = text.split_once('.').ok_or(BadCursor)?;
        let body = BASE64_URL_SAFE_NO_PAD.decode(body).map_err(|_| BadCursor)?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).map_err(|_| BadCursor)?;
        self.0.clone().chain_update(&body).verify_slice(&tag).map_err(|_| BadCursor)?;
        let signed: Signed<P> = serde_json::from_slice(&body).map_err(|_| BadCursor)?;
        if signed.query == digest(query) { Ok(signed.position) } else { Err(BadCursor) }
    }
}

/// HMAC takes keys of any length, so the fallback is never used.
fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&hmac::digest::Key::<Hmac<Sha256>>::default()))
}

fn digest(query: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(query).get(..12).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: (u64, char) = (17, 'x');

    #[test]
    fn a_cursor_opens_with_its_key_and_query_only() {
        let key = CursorKey::derive(b"secret");
        let text = key.sign(&PLACE, "phase=Failed");
        assert_eq!(key.open(&text, "phase=Failed"), Ok(PLACE));
        assert_eq!(CursorKey::derive(b"secret").open(&text, "phase=Failed"), Ok(PLACE), "the same after a restart");
        assert_eq!(key.open::<(u64, char)>(&text, "phase=Running"), Err(BadCursor));
        assert_eq!(CursorKey::derive(b"other").open::<(u64, char)>(&text, "phase=Failed"), Err(BadCursor));
    }

    #[test]
    fn no_byte_of_a_cursor_can_be_changed() {
        let key = CursorKey::derive(b"secret");
        let text = key.sign(&PLACE, "");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = match bytes[at] {
                b'.' => b'x',
                b'A' => b'Q',
                _ => b'A',
            };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(key.open::<(u64, char)>(&changed, ""), Err(BadCursor), "byte {at}");
        }
        for junk in ["", ".", "a", "a.b", "💥.💥"] {
            assert_eq!(key.open::<(u64, char)>(junk, ""), Err(BadCursor));
        }
    }
}
