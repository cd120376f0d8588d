//! What the kubeconfig has to say who the user is: a token (given, in a file, or from a plugin) or a client certificate.

use crate::error::CliError;
use anyhow::Context;
use http::{HeaderValue, Request, Response, header::AUTHORIZATION};
use kube::{
    Config,
    client::{Body, ConfigExt},
};
use rustls::client::ResolvesClientCert;
use std::sync::Arc;
use tower::{BoxError, Layer, ServiceExt, service_fn};

/// Who the user is, for the API.
pub struct Credentials {
    /// The header with the token.
    pub authorization: Option<HeaderValue>,
    /// The certificate, if the kubeconfig or its plugin has one.
    pub certificate: Arc<dyn ResolvesClientCert>,
}

impl Credentials {
    /// What `config` has. Plugins run as they do for any other command.
    pub async fn of(config: &Config) -> Result<Self, CliError> {
        if config.auth_info.impersonate.is_some() || config.auth_info.impersonate_groups.is_some() {
            return Err(CliError::Usage("the kubeconfig impersonates another user (as:), which the API of Hearth does not; use that user's own credentials".to_owned()));
        }
        let tls = config.rustls_client_config().context("the client certificate of the kubeconfig cannot be used")?;
        Ok(Self { authorization: authorization(config).await?, certificate: tls.client_auth_cert_resolver })
    }
}

/// The header that kube would send: its own layer writes it, so that files and plugins are read as kube reads them.
async fn authorization(config: &Config) -> Result<Option<HeaderValue>, CliError> {
    let Some(layer) = config.auth_layer().context("the credentials of the kubeconfig cannot be used")? else {
        return Ok(None);
    };
    let read = service_fn(|request: Request<Body>| async move {
        Ok::<_, BoxError>(Response::new(request.headers().get(AUTHORIZATION).cloned()))
    });
    let header = layer.layer(read).oneshot(Request::new(Body::empty())).await;
    header.map(Response::into_body).map_err(|e| CliError::Unauthenticated(format!("the kubeconfig gave no token: {e}")))
}
