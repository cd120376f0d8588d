//! Blobs in a bucket of a real S3 server, versitygw, and what is done when it fails.

#![allow(missing_docs, reason = "tests document themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

mod faults;
mod gateway;
mod proxy;
mod signing;
mod streaming;
