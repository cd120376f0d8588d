//! Bytes over HTTP, by a URL that the Recorder gave.

use crate::{failure::Failure, place::Place, retry::Trouble};
use hearth_contract::{CA, STORE_CA};
use hearth_recorder_proto::v1::PresignResponse;
use rustls::crypto::ring::default_provider;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};
use ureq::{
    Agent, Body, SendBody,
    http::Response,
    tls::{Certificate, RootCerts, TlsConfig, TlsProvider},
};

/// For a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest pause of the other side.
const PAUSE: Duration = Duration::from_secs(60);
/// How long an upload waits to be refused before it sends its body.
const REFUSAL: Duration = Duration::from_secs(2);
/// The most that is read of a refusal.
const MAX_REFUSAL: u64 = 16 * 1024;

/// Uploads and downloads. It follows no redirect and no proxy: a signed URL leads where it says.
pub struct Transfer(Agent);

impl Transfer {
    /// Trusts the public certificate authorities and those of [`CA`] and [`STORE_CA`].
    pub fn new(place: &Place) -> Result<Self, Failure> {
        let mut own = certificates(CA, place.ca())?;
        own.extend(certificates(STORE_CA, place.store_ca())?);
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().chain(&own);
        let roots = roots.map(|der| Certificate::from_der(der).to_owned()).collect::<Vec<_>>();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("hearth-step/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_await_100(Some(REFUSAL))
            .timeout_per_read(Some(PAUSE))
            .timeout_per_write(Some(PAUSE));
        Ok(Self(config.build().new_agent()))
    }

    /// Uploads. The size is among the headers that were signed.
    pub fn put(&self, leave: &PresignResponse, body: &mut dyn Read) -> Result<(), Trouble> {
        let mut request = self.0.put(&leave.url).header("expect", "100-continue");
        for (name, value) in &leave.headers {
            request = request.header(name, value);
        }
        accepted(request.send(SendBody::from_reader(body)).map_err(|e| broken(&e))?).map(drop)
    }

    /// Downloads.
    pub fn get(&self, leave: &PresignResponse) -> Result<impl Read + use<>, Trouble> {
        let mut request = self.0.get(&leave.url);
        for (name, value) in &leave.headers {
            request = request.header(name, value);
        }
        Ok(accepted(request.call().map_err(|e| broken(&e))?)?.into_body().into_reader())
    }
}

fn certificates(file: &str, pem: io::Result<String>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let pem = pem.map_err(|e| Failure::Again(format!("{file}: {e}")))?;
    let all = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    all.map_err(|e| Failure::Config(format!("{file}: {e}")))
}

fn accepted(mut answer: Response<Body>) -> Result<Response<Body>, Trouble> {
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(answer);
    }
    let text = answer.body_mut().with_config().limit(MAX_REFUSAL).lossy_utf8(true).read_to_string().unwrap_or_default();
    let why = format!("the artifact store answered {status}: {}", words(&text));
    match status {
        408 | 425 | 429 | 500..=599 => Err(Trouble::Passing(why)),
        _ => Err(Trouble::Lasting(why)),
    }
}

/// What a refusal says: the detail of a problem document, the message of S3, or its beginning.
fn words(text: &str) -> String {
    let problem = serde_json::from_str::<serde_json::Value>(text).ok();
    let detail = problem.as_ref().and_then(|p| p.get("detail")?.as_str());
    let message = || text.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>")).map(|(m, _)| m);
    let text = detail.or_else(message).unwrap_or(text);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// An error of the connection. The URL is no part of what is said.
fn broken(error: &ureq::Error) -> Trouble {
    match error {
        ureq::Error::BadUri(_) => Trouble::Lasting("the Recorder gave an address that is none".to_owned()),
        other => Trouble::Passing(format!("the artifact store: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_in_its_own_words() {
        assert_eq!(words(r#"{"title":"x","detail":"the volume is full"}"#), "the volume is full");
        assert_eq!(words("<Error><Code>X</Code><Message>Access Denied</Message></Error>"), "Access Denied");
        assert_eq!(words("plain\ntext"), "plain text");
        assert_eq!(words(&"x".repeat(1000)).len(), 300);
    }
}
