//! What a blob is called.

use hearth_contract::digest::Digest;
use std::{fmt, str::FromStr};
use uuid::Uuid;

/// The key of a blob: `<namespace uid>/<sha256 in hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey {
    namespace: Uuid,
    digest: Digest,
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob's key is the UID of a namespace, a slash and 64 lower-case hex digits")]
pub struct BadKey;

impl BlobKey {
    /// The blob with these bytes in the namespace of that UID.
    ///
    /// # Errors
    /// The UID is not one.
    pub fn new(namespace_uid: &str, digest: Digest) -> Result<Self, BadKey> {
        let namespace = Uuid::try_parse(namespace_uid).map_err(|_| BadKey)?;
        // Uuid reads other forms as well; a key has one.
        if namespace.as_hyphenated().to_string() == namespace_uid {
            Ok(Self { namespace, digest })
        } else {
            Err(BadKey)
        }
    }

    /// UID of the namespace.
    #[must_use]
    pub fn namespace(&self) -> Uuid {
        self.namespace
    }

    /// Digest of the bytes.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub(crate) fn path(&self) -> object_store::path::Path {
        object_store::path::Path::from(self.to_string())
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace.as_hyphenated(), self.digest.hex())
    }
}

impl FromStr for BlobKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let (namespace, digest) = text.split_once('/').ok_or(BadKey)?;
        Self::new(namespace, Digest::from_hex(digest).map_err(|_| BadKey)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UID: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";

    #[test]
    fn a_key_has_one_text() {
        let key = BlobKey::new(UID, Digest::of(b"x")).unwrap();
        assert_eq!(key.to_string().parse(), Ok(key));
        let hex = Digest::of(b"x").hex();
        for bad in [
            format!("{}/{hex}", UID.to_uppercase()),
            format!("{}/{hex}", UID.replace('-', "")),
            format!("{UID}/{}", hex.to_uppercase()),
            format!("{UID}//{hex}"),
            format!("{UID}/{hex}/"),
            format!("/{UID}/{hex}"),
            format!("../{UID}/{hex}"),
            format!("{UID}/../{hex}"),
            format!("{{{UID}}}/{hex}"),
            hex,
        ] {
            assert_eq!(bad.parse::<BlobKey>(), Err(BadKey), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_reads_as_a_key_is_written_the_same(text in "[0-9a-f./-]{30,110}") {
            if let Ok(key) = text.parse::<BlobKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }
}
