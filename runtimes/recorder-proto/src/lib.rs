//! The Recorder's service, version 1: `proto/recorder.proto` as Rust types.
//!
//! The code is generated and committed, so that nothing but this crate's own test needs a protobuf compiler. After a
//! change of the `.proto` file: `HEARTH_WRITE=1 cargo test -p hearth-recorder-proto`.

#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from proto/recorder.proto, which is where the documentation is"
)]
#[rustfmt::skip]
pub mod v1;
