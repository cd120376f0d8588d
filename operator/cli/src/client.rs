//! Requests to the API over one connection.

use crate::{connect::within, error::CliError};
use anyhow::{Context, anyhow};
use hearth_contract::digest::Hasher;
use hearth_wire::Problem;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use std::io::{ErrorKind, Write};
use tokio::io::{AsyncRead, AsyncWrite};

/// The longest answer that is read.
const LONGEST: usize = 64 * 1024 * 1024;

/// The API.
pub struct ApiClient {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    authorization: Option<HeaderValue>,
}

impl ApiClient {
    /// Speaks HTTP over `stream`.
    pub async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        host: &str,
        authorization: Option<HeaderValue>,
    ) -> Result<Self, CliError> {
        let (sender, connection) =
            within("HTTP with the API", handshake(TokioIo::new(stream))).await?.context("HTTP with the API")?;
        tokio::spawn(connection);
        Ok(Self { sender, host: HeaderValue::from_str(host).context("the name of the API")?, authorization })
    }

    /// The document under `path` with these parameters.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str, query: &[(&str, String)]) -> Result<T, CliError> {
        decoded(path, &self.fetch(Asking::plain(Method::GET, &url(path, query))).await?)
    }

    /// Sends `body` to `path`, and gives the answer. The same `id` again is the same request.
    pub async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        id: Option<&str>,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(body).context("JSON")?;
        decoded(path, &self.raw(path, id, body).await?)
    }

    /// Sends `body` to `path`, and gives the answer as it is.
    pub async fn raw(&mut self, path: &str, id: Option<&str>, body: Vec<u8>) -> Result<Bytes, CliError> {
        let id =
            id.map(HeaderValue::from_str).transpose().map_err(|_| CliError::Usage("--id: no plain text".into()))?;
        self.fetch(Asking { id, body: body.into(), ..Asking::plain(Method::POST, path) }).await
    }

    /// Deletes what is under `path`.
    pub async fn delete(&mut self, path: &str) -> Result<(), CliError> {
        self.fetch(Asking::plain(Method::DELETE, path)).await.map(drop)
    }

    /// Begins to read the file under `path`. It comes as fast as it does: nothing limits its length or its time.
    pub async fn download(&mut self, path: &str, query: &[(&str, String)]) -> Result<Download, CliError> {
        let response = self.ask(Asking::plain(Method::GET, &url(path, query))).await?;
        let status = response.status();
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
        let digest = header("repr-digest").and_then(|d| d.strip_prefix("sha-256=:")).and_then(|d| d.strip_suffix(':'));
        let digest = digest.map(str::to_owned);
        let is_tar = header("content-type") == Some("application/x-tar");
        if status.is_success() {
            return Ok(Download { body: response.into_body(), digest, is_tar });
        }
        let body = within("the API", Limited::new(response.into_body(), LONGEST).collect()).await?;
        Err(refused(status, path, &body.map_err(|e| anyhow!(e))?.to_bytes()))
    }

    /// The body of an answer that is none of a problem.
    async fn fetch(&mut self, asking: Asking<'_>) -> Result<Bytes, CliError> {
        let url = asking.url;
        let (status, body) = self.send(asking).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, url, &body)) }
    }

    async fn send(&mut self, asking: Asking<'_>) -> Result<(StatusCode, Bytes), CliError> {
        let response = self.ask(asking).await?;
        let status = response.status();
        let body = within("the API", Limited::new(response.into_body(), LONGEST).collect()).await?;
        Ok((status, body.map_err(|e| broke(anyhow!(e)))?.to_bytes()))
    }

    /// The answer's head.
    async fn ask(&mut self, asking: Asking<'_>) -> Result<Response<Incoming>, CliError> {
        let Asking { method, url, id, body } = asking;
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::HOST, self.host.clone())
            .header(header::ACCEPT, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(id) = id {
            request = request.header("idempotency-key", id);
        }
        let request = request.body(Full::new(body)).context("the request")?;
        within("the API", async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        })
        .await?
        .map_err(|e| broke(e.into()))
    }
}

/// What is asked of the API.
struct Asking<'a> {
    method: Method,
    url: &'a str,
    id: Option<HeaderValue>,
    body: Bytes,
}

impl<'a> Asking<'a> {
    fn plain(method: Method, url: &'a str) -> Self {
        Self { method, url, id: None, body: Bytes::new() }
    }
}

fn decoded<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, CliError> {
    Ok(serde_json::from_slice(body)
        .with_context(|| format!("the API's answer to {path} is not what this version of kubectl hearth expects"))?)
}

/// A file that comes.
pub struct Download {
    /// Its bytes.
    pub body: Incoming,
    /// Their SHA-256 in base64.
    pub digest: Option<String>,
    /// Whether it is the tar of a directory.
    pub is_tar: bool,
}

impl Download {
    /// Copies what comes, and fails if it is not what the answer said that it would be. A reader that has gone is no error.
    pub async fn copy(mut self, to: &mut impl Write) -> Result<u64, CliError> {
        let mut hasher = Hasher::default();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.context("the download broke off: try again")?;
            let Some(piece) = frame.data_ref() else { continue };
            hasher.update(piece);
            match to.write_all(piece) {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(hasher.bytes()),
                written => written.context("write what comes")?,
            }
        }
        let bytes = hasher.bytes();
        let found = hasher.finish().checksum_header();
        if self.digest.as_deref().is_some_and(|wanted| wanted != found) {
            return Err(anyhow!(
                "what came is not what the record says (SHA-256 {found} in base64): run the step again"
            )
            .into());
        }
        Ok(bytes)
    }
}

fn broke(error: anyhow::Error) -> CliError {
    CliError::Other(error.context("the connection to the API broke"))
}

/// An answer that says no.
fn refused(status: StatusCode, url: &str, body: &[u8]) -> CliError {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => problem.into(),
        Err(_) => anyhow!("the API answered {url} with {status}").into(),
    }
}

fn url(path: &str, query: &[(&str, String)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// A name as a part of a path.
pub fn segment(name: &str) -> String {
    // A plus sign means a space in a query only.
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(segment("../x?y#z a"), "..%2Fx%3Fy%23z%20a");
        assert_eq!(url("/runs", &[("label", "a=b&c".to_owned())]), "/runs?label=a%3Db%26c");
        assert_eq!(url("/runs", &[]), "/runs");
    }
}
