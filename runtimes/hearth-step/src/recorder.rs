//! The Recorder, as this program asks it: one connection per call, so that nothing has to be kept alive during a transfer.

use crate::{failure::Failure, place::Place, retry::Trouble};
use hearth_contract::{CA, TOKEN, spec::Spec};
use hearth_recorder_proto::v1::{PresignRequest, PresignResponse, recorder_client::RecorderClient};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tonic::{
    Code, Request, Status,
    transport::{Certificate, ClientTlsConfig, Endpoint},
};

/// For a connection and its call.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gives URLs.
pub struct Recorder<'a> {
    place: &'a Place,
    endpoint: String,
    attempt: u32,
    runtime: Runtime,
}

impl<'a> Recorder<'a> {
    /// The one that the spec names.
    pub fn new(place: &'a Place, spec: &Spec) -> Result<Self, Failure> {
        let recorder = spec.recorder.as_ref();
        let endpoint = recorder.map(|r| r.endpoint.clone()).filter(|e| e.starts_with("https://"));
        let endpoint = endpoint.ok_or_else(|| {
            Failure::Config("spec.json: recorder.endpoint: there is no https:// address to ask for URLs".to_owned())
        })?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::Defect(format!("no runtime for calls: {e}")))?;
        Ok(Self { place, endpoint, attempt: spec.attempt, runtime })
    }

    /// A URL for one artifact.
    pub fn presign(&self, request: PresignRequest) -> Result<PresignResponse, Trouble> {
        let request = PresignRequest { attempt: self.attempt, ..request };
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.call(request)).await });
        answer.unwrap_or_else(|_| Err(Trouble::Passing(format!("the Recorder gave no answer within {PATIENCE:?}"))))
    }

    async fn call(&self, message: PresignRequest) -> Result<PresignResponse, Trouble> {
        // Both files may be replaced while we run.
        let file = |name: &str, e: std::io::Error| Trouble::Passing(format!("{name}: {e}"));
        let ca = self.place.ca().map_err(|e| file(CA, e))?;
        let token = self.place.token().map_err(|e| file(TOKEN, e))?;
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
        let wrong = |e: tonic::transport::Error| Trouble::Lasting(format!("recorder.endpoint: {}", whole(&e)));
        let endpoint = Endpoint::from_shared(self.endpoint.clone()).map_err(wrong)?.tls_config(tls).map_err(wrong)?;
        let channel =
            endpoint.connect().await.map_err(|e| Trouble::Passing(format!("the Recorder is away: {}", whole(&e))))?;
        let mut request = Request::new(message);
        let header = format!("Bearer {token}").parse();
        let header = header.map_err(|_| Trouble::Passing(format!("{TOKEN} holds no token")))?;
        request.metadata_mut().insert("authorization", header);
        let answer = RecorderClient::new(channel).presign(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| refused(&status))
    }
}

fn refused(status: &Status) -> Trouble {
    let why = format!("the Recorder: {}", status.message());
    match status.code() {
        Code::PermissionDenied
        | Code::InvalidArgument
        | Code::NotFound
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented => Trouble::Lasting(why),
        // A token that has expired is replaced by the kubelet; all else passes by itself.
        _ => Trouble::Passing(why),
    }
}

/// An error with its causes.
pub fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
