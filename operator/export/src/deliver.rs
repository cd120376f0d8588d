//! Posts to one address, and what became of them.

use reqwest::{
    Certificate, Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use std::time::Duration;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a post may take in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes that are read of an answer.
const ANSWER: usize = 64 * 1024;
/// Bytes of an answer that are shown to people.
const SHOWN: usize = 300;

/// What is wrong with the place that was named.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The address, which may hold a secret.
    #[error("it is no address: use http://HOST[:PORT]/PATH or https://…")]
    Url,
    /// A header.
    #[error("header {0}: use NAME=VALUE, with commas between them")]
    Header(String),
    /// The authorities, or the client as a whole.
    #[error("the client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Why a target did not take a post.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undelivered {
    /// It speaks of what was posted.
    #[error("refused: {0}")]
    Refused(String),
    /// It speaks of itself, or says nothing.
    #[error("{0}")]
    Away(String),
}

/// An address that posts go to, and what goes with each.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: Client,
    url: Url,
}

impl Endpoint {
    /// Posts go to `url` with these headers, whose values are secret. Beside the public authorities those of `ca`, in PEM,
    /// may sign its certificate.
    ///
    /// # Errors
    /// The address, a header or the authorities cannot be read.
    pub fn new(url: &str, headers: &[(String, String)], ca: Option<&str>) -> Result<Self, ConfigError> {
        let parsed: Url = url.parse().map_err(|_| ConfigError::Url)?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() {
            return Err(ConfigError::Url);
        }
        let mut roots = Vec::new();
        for root in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
            roots.push(Certificate::from_der(root)?);
        }
        roots.extend(Certificate::from_pem_bundle(ca.unwrap_or_default().as_bytes())?);
        let client = Client::builder()
            .tls_certs_only(roots)
            .default_headers(secret(headers)?)
            .user_agent(concat!("hearth/", env!("CARGO_PKG_VERSION")))
            // A post that is sent elsewhere would take its secrets there.
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .build()?;
        Ok(Self { client, url: parsed })
    }

    /// The address, without what may be secret in it.
    pub(crate) fn place(&self) -> String {
        let port = self.url.port().map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{}{port}{}", self.url.scheme(), self.url.host_str().unwrap_or_default(), self.url.path())
    }

    /// Posts, and gives the answer of a success.
    pub(crate) async fn post(&self, content_type: &'static str, body: Vec<u8>) -> Result<Vec<u8>, Undelivered> {
        let request = self.client.post(self.url.clone()).header(CONTENT_TYPE, content_type).body(body);
        let answer = request.send().await.map_err(|e| Undelivered::Away(reason(&e)))?;
        let status = answer.status();
        let body = read(answer).await.map_err(|e| Undelivered::Away(reason(&e)))?;
        if status.is_success() {
            return Ok(body);
        }
        let text = String::from_utf8_lossy(&body);
        let text: String = text.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        let says = format!("{status} {text}").trim().to_owned();
        Err(if is_about_content(status) { Undelivered::Refused(says) } else { Undelivered::Away(says) })
    }
}

/// The answers that speak of what was posted. All others speak of the target, of the address or of who may post.
fn is_about_content(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

fn secret(headers: &[(String, String)]) -> Result<HeaderMap, ConfigError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = || ConfigError::Header(name.clone());
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong())?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

async fn read(mut answer: Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        let room = ANSWER.saturating_sub(body.len());
        body.extend(piece.into_iter().take(room));
        if room == 0 {
            break;
        }
    }
    Ok(body)
}

/// The whole chain of an error, without the address: that may hold a secret.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::from(if error.is_timeout() { "no answer in time" } else { "no answer" });
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
