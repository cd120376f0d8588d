//! A proxy between the operator and the API server, whose watches lie.

use crate::{
    chance::Chance,
    tamper::{Counts, EXPIRED, LIE, Say, Tamper},
};
use anyhow::{Context, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::stream;
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};
use http_body_util::BodyExt;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};
use tempfile::NamedTempFile;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

/// What a watch says that was started but has not ended.
type Words = mpsc::Sender<Bytes>;

/// A running proxy; it ends with this value.
pub struct Proxy {
    kubeconfig: NamedTempFile,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    client: Client,
    chance: Mutex<Chance>,
    counts: Mutex<Counts>,
}

impl Proxy {
    /// Starts it before the API server of that kubeconfig, with that one's rights.
    pub fn start(kubeconfig: &Path, chance: Chance) -> Result<Self> {
        let runtime = Runtime::new()?;
        let (shared, address) = runtime.block_on(async {
            let shared = Arc::new(Shared {
                client: client(kubeconfig).await?,
                chance: Mutex::new(chance),
                counts: Mutex::default(),
            });
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
            // It has no end of its own, and goes with the runtime.
            tokio::spawn(async move { axum::serve(listener, router).await });
            anyhow::Ok((shared, address))
        })?;
        Ok(Self { kubeconfig: pointed(kubeconfig, address)?, shared, _runtime: runtime })
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> &Path {
        self.kubeconfig.path()
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.shared.count(|counts| *counts)
    }
}

/// The same kubeconfig for another address, without TLS.
fn pointed(kubeconfig: &Path, address: SocketAddr) -> Result<NamedTempFile> {
    let text = std::fs::read_to_string(kubeconfig).with_context(|| format!("read {}", kubeconfig.display()))?;
    let mut config: Value = serde_yaml::from_str(&text).with_context(|| format!("{}", kubeconfig.display()))?;
    let cluster = config.pointer_mut("/clusters/0/cluster").context("a kubeconfig names a cluster")?;
    *cluster = json!({"server": format!("http://{address}")});
    let mut file = NamedTempFile::new()?;
    file.write_all(config.to_string().as_bytes())?;
    Ok(file)
}

/// A client that repeats nothing: the proxy is to add no behaviour but its lies.
async fn client(kubeconfig: &Path) -> Result<Client> {
    let config = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match shared.forward(request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

impl Shared {
    fn count<T>(&self, f: impl FnOnce(&mut Counts) -> T) -> T {
        f(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the API server, and gives its answer; that of a watch with lies.
    async fn forward(self: Arc<Self>, request: Request) -> Result<Response> {
        let (parts, body) = request.into_parts();
        let watches = parts.uri.query().is_some_and(is_watch);
        let mut asked = http::Request::new(kube::client::Body::from(body.collect().await?.to_bytes()));
        *asked.method_mut() = parts.method;
        *asked.uri_mut() = parts.uri;
        *asked.headers_mut() = of_both_ends(parts.headers);
        let (answer, body) = self.client.send(asked).await?.into_parts();
        let body = if watches && answer.status == StatusCode::OK { self.lying(body) } else { Body::new(body) };
        let mut response = Response::new(body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = of_both_ends(answer.headers);
        Ok(response)
    }

    fn lying(self: Arc<Self>, body: kube::client::Body) -> Body {
        let chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).part();
        self.count(|counts| counts.watches += 1);
        let (say, said) = mpsc::channel(16);
        tokio::spawn(async move {
            if self.lie(body, &say, Tamper::new(chance)).await == Some(End::Expired) {
                self.count(|counts| counts.expired += 1);
                // Whoever watched may be gone.
                let _gone = say.send(Bytes::from_static(EXPIRED.as_bytes())).await;
            }
        });
        Body::from_stream(stream::unfold(said, async |mut said| {
            let line = said.recv().await?;
            Some((Ok::<_, Infallible>(line), said))
        }))
    }

    /// Passes lines on until the stream ends. `None` when nobody listens any more.
    async fn lie(&self, mut body: kube::client::Body, say: &Words, mut tamper: Tamper) -> Option<End> {
        let (mut rest, mut lied) = (Vec::new(), None);
        loop {
            let frame = match lied {
                None => tokio::select! {
                    frame = body.frame() => frame,
                    () = say.closed() => return None,
                },
                Some(at) => match timeout_at(at + LIE, body.frame()).await {
                    Ok(frame) => frame,
                    Err(_) => return Some(End::Expired),
                },
            };
            let Some(Ok(frame)) = frame else {
                // An end that is not the liar's own would let the client go on behind what was dropped.
                return Some(if tamper.has_lied() { End::Expired } else { End::Over });
            };
            rest.extend(frame.into_data().unwrap_or_default());
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line = rest.drain(..=end).collect::<Vec<u8>>().into();
                for word in self.count(|counts| tamper.take(line, counts)) {
                    match word {
                        Say::Line(line) => say.send(line).await.ok()?,
                        Say::Wait(time) => sleep(time).await,
                        Say::Expired => return Some(End::Expired),
                    }
                }
                if tamper.has_lied() {
                    lied.get_or_insert_with(Instant::now);
                }
            }
        }
    }
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The API server ended it.
    Over,
    /// It lied.
    Expired,
}

fn is_watch(query: &str) -> bool {
    query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"))
}

/// What is meant for the other end, not for this connection.
fn of_both_ends(mut headers: HeaderMap) -> HeaderMap {
    for name in [HOST, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_are_known_by_their_query() {
        assert!(is_watch("labelSelector=x&watch=true&timeoutSeconds=290") && is_watch("watch=1"));
        assert!(!is_watch("watch=false") && !is_watch("labelSelector=watch=true%26") && !is_watch(""));
    }

    #[test]
    fn a_kubeconfig_is_pointed_elsewhere_and_keeps_its_user() {
        let mut file = NamedTempFile::new().unwrap();
        let text = "clusters: [{name: a, cluster: {server: 'https://b', certificate-authority-data: eA==}}]\nusers: [{name: c, user: {token: t}}]\n";
        file.write_all(text.as_bytes()).unwrap();
        let pointed = pointed(file.path(), ([127, 0, 0, 1], 7).into()).unwrap();
        let config: Value = serde_json::from_str(&std::fs::read_to_string(pointed.path()).unwrap()).unwrap();
        assert_eq!(config["clusters"][0]["cluster"], json!({"server": "http://127.0.0.1:7"}));
        assert_eq!(config["users"][0]["user"]["token"], "t");
    }

    /// Tells what it was asked for and by whom; a watch gets a hundred events.
    async fn api_server(request: Request) -> String {
        if request.uri().query().is_some_and(is_watch) {
            return (0..100).map(|n| format!("{{\"type\":\"ADDED\",\"object\":{n}}}\n")).collect();
        }
        let rights = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        let uri = request.uri().to_string();
        let body = request.into_body().collect().await.unwrap().to_bytes();
        format!("{uri} {rights:?} {}", String::from_utf8_lossy(&body))
    }

    async fn ask(client: &Client, request: http::Request<Vec<u8>>) -> String {
        let answer = client.send(request.map(kube::client::Body::from)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        String::from_utf8(answer.into_body().collect_bytes().await.unwrap().to_vec()).unwrap()
    }

    #[test]
    fn requests_pass_as_they_are_and_a_watch_that_lied_has_expired() {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let config = json!({"current-context": "a",
            "clusters": [{"name": "a", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
            "users": [{"name": "a", "user": {"token": "t"}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}]});
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(config.to_string().as_bytes()).unwrap();
        runtime.spawn(async move { axum::serve(listener, Router::new().fallback(api_server)).await });
        let proxy = Proxy::start(file.path(), Chance::new(1)).unwrap();

        runtime.block_on(async {
            let client = client(proxy.kubeconfig()).await.unwrap();
            let post = http::Request::post("/api/v1/pods?dryRun=All").body(b"{}".to_vec()).unwrap();
            assert_eq!(ask(&client, post).await, "/api/v1/pods?dryRun=All Some(\"Bearer t\") {}");
            let watch = http::Request::get("/api/v1/pods?watch=true").body(Vec::new()).unwrap();
            let said = ask(&client, watch).await;
            assert!(said.ends_with(EXPIRED), "{said}");
        });
        let counts = proxy.counts();
        assert_eq!((counts.watches, counts.expired), (1, 1));
        assert!(counts.events < 100 && counts.dropped + counts.late > 0, "{counts:?}");
    }
}
