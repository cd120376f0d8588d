//! The client's settings that the protocol depends on.

use http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config};

/// A client that never repeats a request by itself.
///
/// kube's own retry sends a POST again after 429, 503 and 504. Here an unknown outcome is a fact for the next pass,
/// and nothing but a placeholder may be posted twice.
///
/// # Errors
/// The configuration names no usable server or credential.
pub fn build(mut config: Config) -> Result<Client, kube::Error> {
    config.default_retry = false;
    // So that the audit log tells our requests from others'.
    config.headers.push((USER_AGENT, HeaderValue::from_static(concat!("hearth/", env!("CARGO_PKG_VERSION")))));
    Client::try_from(config)
}
