//! What the operator and the program in a pod agree on about artifacts.
//!
//! [`spec`] is the part of `/hearth/spec.json` that names them, [`message`] how a step says what it wrote, [`digest`] how
//! bytes are named, [`exit`] what exit codes mean. Pure: nothing in here reads a file, a clock or the network.

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

pub mod digest;
pub mod exit;
pub mod message;
pub mod name;
pub mod spec;

/// The most bytes of one artifact: what S3 takes in a single PUT.
pub const MAX_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// The most artifacts that a step may write.
pub const MAX_ARTIFACTS: usize = 8;
/// The most artifacts that a step may read.
pub const MAX_INPUTS: usize = 64;
/// The audience of the token in [`TOKEN`].
pub const AUDIENCE: &str = "recorder.hearth.dev";
/// The pod's token for the Recorder. Its folder is a mount: the kubelet keeps no file fresh that is mounted alone.
pub const TOKEN: &str = "/hearth/recorder/token";
/// The certificate authorities of the operator, in PEM. There may be two while they change.
pub const CA: &str = "/hearth/recorder/ca.crt";
/// The certificate authorities of the artifact store, in PEM; only there when the public ones are not enough.
pub const STORE_CA: &str = "/hearth/recorder/store.crt";
