//! Tests over real TLS on loopback: who gets in with which certificate, and what a change of certificates does.

use crate::{
    keeper::Keeper,
    metrics::ApiMetrics,
    server::{Front, accept},
    testing::{FakeCluster, FakeStore, UID, app, run},
};
use axum::{body::Body, http::Request};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject},
};
use serde_json::json;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsConnector;

const NAME: &str = "hearth.hearth-system.svc";
const CLIENT_CA: &str = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
const OUR_CA: &str = "/api/v1/namespaces/hearth-system/configmaps/hearth-ca";

type Authority = CertifiedIssuer<'static, KeyPair>;
type Credential = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn certificate(authority: &Authority, user: &str) -> Credential {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, user);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    let signed = params.signed_by(&key, authority).unwrap();
    (vec![signed.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
}

/// A cluster whose client CA is `authority`.
fn cluster(authority: &Authority) -> FakeCluster {
    let cluster = FakeCluster::with(&[("ada", "get", "workflows", "climate")]);
    trust(&cluster, Some(authority));
    cluster
}

fn trust(cluster: &FakeCluster, authority: Option<&Authority>) {
    let data = authority.map_or(json!({}), |a| json!({"client-ca-file": a.pem()}));
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": data});
    cluster.objects.lock().unwrap().insert(CLIENT_CA.to_owned(), map);
}

async fn keeper(cluster: &FakeCluster) -> Keeper {
    Keeper::start(
        cluster.client(),
        "hearth-system".to_owned(),
        vec![NAME.to_owned()],
        tokio::sync::watch::Sender::new(None),
    )
    .await
    .unwrap()
}

/// A server on loopback; it ends when the sender is dropped.
async fn serve(cluster: &FakeCluster, keeper: &Keeper) -> (SocketAddr, oneshot::Sender<()>) {
    let store = FakeStore::default();
    store.runs.lock().unwrap().push(run(1, "climate", UID));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (tls, router) = (keeper.config(), app(cluster, &store, true));
    tokio::spawn(async move {
        let stopped = Box::pin(async move { drop(stopped.await) });
        accept(listener, Front::Tls(tls, ApiMetrics::default()), router, stopped).await;
    });
    (addr, stop)
}

/// The status of run 1 for a client that pins the published CA, or why there is none.
async fn status(cluster: &FakeCluster, addr: SocketAddr, credential: Option<Credential>) -> Result<u16, String> {
    let pem = cluster.objects.lock().unwrap()[OUR_CA]["data"]["ca.crt"].as_str().unwrap().to_owned();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let builder =
        ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_root_certificates(roots);
    let config = match credential {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(addr).await.map_err(|e| e.to_string())?;
    let name = ServerName::try_from(NAME).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|e| e.to_string())?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    let request =
        Request::get("/api/v1/runs/00000000-0000-0000-0000-000000000001").header("host", NAME).body(Body::empty());
    sender.send_request(request.unwrap()).await.map(|r| r.status().as_u16()).map_err(|e| e.to_string())
}

#[tokio::test]
async fn a_certificate_of_the_clusters_ca_is_an_identity_and_no_other_is() {
    let authority = authority("cluster");
    let cluster = cluster(&authority);
    let keeper = keeper(&cluster).await;
    let (addr, _stop) = serve(&cluster, &keeper).await;
    assert_eq!(status(&cluster, addr, Some(certificate(&authority, "ada"))).await, Ok(200));
    assert_eq!(status(&cluster, addr, Some(certificate(&authority, "bob"))).await, Ok(403));
    assert_eq!(status(&cluster, addr, None).await, Ok(401));
    let forged = status(&cluster, addr, Some(certificate(&self::authority("cluster"), "ada"))).await;
    assert!(forged.is_err(), "{forged:?}");
}

#[tokio::test]
async fn new_certificates_count_from_the_next_connection_on() {
    let (old, new) = (authority("old"), authority("new"));
    let cluster = cluster(&old);
    let mut keeper = keeper(&cluster).await;
    let (addr, _stop) = serve(&cluster, &keeper).await;
    trust(&cluster, Some(&new));
    assert!(status(&cluster, addr, Some(certificate(&new, "ada"))).await.is_err(), "not looked at yet");
    keeper.refresh(Timestamp::now()).await.unwrap();
    assert_eq!(status(&cluster, addr, Some(certificate(&new, "ada"))).await, Ok(200));
    assert!(status(&cluster, addr, Some(certificate(&old, "ada"))).await.is_err());
    // Without a client CA nobody is asked for a certificate, and nobody is known by one.
    trust(&cluster, None);
    keeper.refresh(Timestamp::now()).await.unwrap();
    assert_eq!(status(&cluster, addr, Some(certificate(&new, "ada"))).await, Ok(401));
    let before = keeper.config().borrow().clone();
    keeper.refresh(Timestamp::now()).await.unwrap();
    assert!(Arc::ptr_eq(&before, &keeper.config().borrow()), "nothing changed");
    keeper.refresh(Timestamp::now() + SignedDuration::from_hours(5 * 24)).await.unwrap();
    assert!(!Arc::ptr_eq(&before, &keeper.config().borrow()), "the leaf was replaced before its end");
}

#[tokio::test]
async fn all_replicas_use_the_first_ones_ca() {
    let cluster = cluster(&authority("cluster"));
    let first = keeper(&cluster).await;
    let published = cluster.objects.lock().unwrap()[OUR_CA].clone();
    let second = keeper(&cluster).await;
    assert_eq!(cluster.objects.lock().unwrap()[OUR_CA]["data"], published["data"]);
    let cursor = first.cursor_key().sign(&1, "q");
    assert_eq!(second.cursor_key().open(&cursor, "q"), Ok(1), "a cursor of one is good at the other");
    let (addr, _stop) = serve(&cluster, &second).await;
    assert_eq!(status(&cluster, addr, None).await, Ok(401), "the handshake went through");
}

#[tokio::test]
async fn a_server_that_stops_takes_no_more() {
    let cluster = cluster(&authority("cluster"));
    let keeper = keeper(&cluster).await;
    let (addr, stop) = serve(&cluster, &keeper).await;
    assert_eq!(status(&cluster, addr, None).await, Ok(401));
    drop(stop);
    let mut last = status(&cluster, addr, None).await;
    for _ in 0..1000 {
        if last.is_err() {
            return;
        }
        tokio::task::yield_now().await;
        last = status(&cluster, addr, None).await;
    }
    panic!("it still answers: {last:?}");
}
