//! Blobs on a volume, over a real socket.

#![allow(missing_docs, reason = "tests document themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

mod collecting;
mod harness;
mod reading;
mod streaming;
mod uploading;
mod urls;
