//! Content-addressed blobs: on S3, or on a volume that the operator serves.
//!
//! A blob's key is the UID of the namespace that it belongs to and the SHA-256 of its bytes, so no tenant reads another's
//! and nothing is stored twice. Whoever uploads or downloads gets a URL that is good for one method, one key and a short
//! time ([`Artifacts::presign_put`], [`Artifacts::presign_get`]); for S3 that is S3's own, for the volume one of
//! [`volume::UrlKeys`], served by [`volume::router`]. What nothing refers to is removed by [`Artifacts::collect`].

#![cfg_attr(
    test,
    allow(
        missing_docs,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

mod collect;
mod key;
mod range;
mod s3;
mod sigv4;
mod spool;
mod store;
mod verify;
pub mod volume;

pub use collect::Collected;
pub use key::{BadKey, BlobKey};
pub use range::byte_range;
pub use s3::S3Config;
pub use store::{Artifacts, Blob, Bytes, Signed, StoreError, Written};
pub use verify::Corrupt;
