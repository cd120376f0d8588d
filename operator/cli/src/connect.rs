//! The way to the API: the operator's pod by port-forward, TLS inside, its CA pinned.

use crate::{args::Target, client::ApiClient, credentials::Credentials, error::CliError};
use anyhow::{Context, anyhow};
use hearth_wire::{CA_CONFIG_MAP, CA_KEY, POD_SELECTOR, PORT, server_name};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, Config,
    api::ListParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// For each step of the way.
const PATIENCE: Duration = Duration::from_secs(15);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the API, and the namespace that the kubeconfig's context names.
pub struct Connected {
    /// The API.
    pub api: ApiClient,
    /// The namespace to look in.
    pub namespace: String,
}

/// The cluster itself, and the namespace of the Workflows.
pub async fn cluster(target: &Target) -> Result<(Client, String), CliError> {
    let config = config(target).await?;
    let namespace = namespace(target, &config);
    Ok((Client::try_from(config).context("the kubeconfig cannot be used")?, namespace))
}

/// Goes there.
pub async fn connect(target: &Target) -> Result<Connected, CliError> {
    let config = config(target).await?;
    let namespace = namespace(target, &config);
    let credentials = Credentials::of(&config).await?;
    let client = Client::try_from(config).context("the kubeconfig cannot be used")?;
    let ca = pinned_ca(&client, target).await?;
    let stream = stream(&client, target).await?;
    let name = server_name(&target.hearth_service, &target.hearth_namespace);
    let tls = TlsConnector::from(tls_config(&ca, &credentials)?);
    let dns = ServerName::try_from(name.clone()).context("the name of the API's Service")?;
    let stream = within("TLS with the API", tls.connect(dns, stream)).await?.map_err(|e| {
        CliError::Other(anyhow!(e).context(format!(
            "the API's certificate does not fit the CA in ConfigMap {}/{CA_CONFIG_MAP}",
            target.hearth_namespace
        )))
    })?;
    let api = ApiClient::over(stream, &name, credentials.authorization).await?;
    Ok(Connected { api, namespace })
}

fn namespace(target: &Target, config: &Config) -> String {
    target.namespace.clone().unwrap_or_else(|| config.default_namespace.clone())
}

async fn config(target: &Target) -> Result<Config, CliError> {
    let options = KubeConfigOptions { context: target.context.clone(), ..KubeConfigOptions::default() };
    let config = match &target.kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path).with_context(|| format!("{} cannot be read", path.display()))?;
            Config::from_custom_kubeconfig(file, &options)
                .await
                .with_context(|| format!("{} cannot be used", path.display()))?
        }
        None if target.context.is_some() => {
            Config::from_kubeconfig(&options).await.context("the kubeconfig cannot be used")?
        }
        None => Config::infer().await.context("there is no kubeconfig that can be used")?,
    };
    Ok(config)
}

/// The certificate of the API's CA, as the operator publishes it for every user of the cluster.
async fn pinned_ca(client: &Client, target: &Target) -> Result<String, CliError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &target.hearth_namespace);
    let what = format!("read the ConfigMap {}/{CA_CONFIG_MAP}", target.hearth_namespace);
    match within(&what, maps.get_opt(CA_CONFIG_MAP)).await? {
        Ok(found) => found.and_then(|m| m.data).and_then(|mut d| d.remove(CA_KEY)).ok_or_else(|| {
            CliError::NotFound(format!(
                "there is no ConfigMap {}/{CA_CONFIG_MAP}; is Hearth installed there and running? Another namespace is named with --hearth-namespace",
                target.hearth_namespace
            ))
        }),
        Err(error) => Err(tunnel_error(&what, error, target)),
    }
}

/// The right to go this way is one that administrators give with a Role of the chart.
fn tunnel_error(what: &str, error: kube::Error, target: &Target) -> CliError {
    match CliError::from_kube(what, error) {
        CliError::Forbidden(detail) => CliError::Forbidden(format!(
            "{detail}; ask to be bound to the Role hearth-tunnel in namespace {}",
            target.hearth_namespace
        )),
        other => other,
    }
}

/// The bytes' way to the API: straight, or through the API server to the operator's pod.
async fn stream(client: &Client, target: &Target) -> Result<Box<dyn Stream>, CliError> {
    if let Some(address) = &target.api_address {
        let stream = within("connect", TcpStream::connect(address)).await?;
        return Ok(Box::new(stream.with_context(|| format!("cannot connect to {address}"))?));
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &target.hearth_namespace);
    let pod = operator_pod(client, &pods, target).await?;
    let what = format!("forward a port of pod {}/{pod}", target.hearth_namespace);
    let mut forwarder =
        within(&what, pods.portforward(&pod, &[PORT])).await?.map_err(|e| tunnel_error(&what, e, target))?;
    let stream = forwarder.take_stream(PORT).ok_or_else(|| anyhow!("{what}: no stream"))?;
    Ok(Box::new(stream))
}

/// A pod of the operator that is ready, else the reason why there is none.
async fn operator_pod(client: &Client, pods: &Api<Pod>, target: &Target) -> Result<String, CliError> {
    let what = format!("list the operator's pods in {}", target.hearth_namespace);
    let found = within(&what, pods.list(&ListParams::default().labels(POD_SELECTOR)))
        .await?
        .map_err(|e| tunnel_error(&what, e, target))?;
    if let Some(name) = found.items.iter().find(|p| is_ready(p)).and_then(|p| p.metadata.name.clone()) {
        return Ok(name);
    }
    if found.items.is_empty() {
        return Err(not_here(client, target).await);
    }
    Err(CliError::Away(format!(
        "no pod of the operator in {} is ready; see: kubectl get pods -n {} -l {POD_SELECTOR}",
        target.hearth_namespace, target.hearth_namespace
    )))
}

/// Says where else the operator may be. It is never gone to unasked: whoever may create pods somewhere could put up one
/// that looks like the operator and be sent the user's token.
async fn not_here(client: &Client, target: &Target) -> CliError {
    let everywhere: Api<Pod> = Api::all(client.clone());
    let elsewhere = match within("list pods", everywhere.list(&ListParams::default().labels(POD_SELECTOR))).await {
        Ok(Ok(list)) => {
            list.items.into_iter().filter_map(|p| p.metadata.namespace).collect::<std::collections::BTreeSet<_>>()
        }
        Ok(Err(_)) | Err(_) => std::collections::BTreeSet::new(),
    };
    let hint = if elsewhere.is_empty() {
        "is Hearth installed? Its namespace is named with --hearth-namespace or $HEARTH_NAMESPACE".to_owned()
    } else {
        let names: Vec<_> = elsewhere.into_iter().collect();
        format!(
            "pods with its labels are in {}; if you trust one, say --hearth-namespace or $HEARTH_NAMESPACE",
            names.join(", ")
        )
    };
    CliError::NotFound(format!("there is no operator in namespace {}; {hint}", target.hearth_namespace))
}

fn is_ready(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let ready = status
        .and_then(|s| s.conditions.as_ref())
        .is_some_and(|c| c.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    ready && pod.metadata.deletion_timestamp.is_none()
}

fn tls_config(ca: &str, credentials: &Credentials) -> Result<Arc<ClientConfig>, CliError> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(CertificateDer::pem_slice_iter(ca.as_bytes()).flatten());
    if taken == 0 {
        return Err(anyhow!("the ConfigMap {CA_CONFIG_MAP} holds no certificate").into());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .context("TLS")?;
    let mut config = builder.with_root_certificates(roots).with_client_cert_resolver(credentials.certificate.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Waits no longer than [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> Result<T, CliError> {
    tokio::time::timeout(PATIENCE, future)
        .await
        .map_err(|_| CliError::Away(format!("{what}: no answer within {PATIENCE:?}")))
}
