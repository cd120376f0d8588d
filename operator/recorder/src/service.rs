//! The calls.

use crate::{
    asker::{Askers, Attempt},
    refusal::Refusal,
};
use hearth_artifacts::{Artifacts, BlobKey, Signed, StoreError};
use hearth_bounds::Limiter;
use hearth_contract::digest::Digest;
use hearth_recorder_proto::v1::{
    Access, GetSpecRequest, GetSpecResponse, PresignRequest, PresignResponse,
    recorder_server::{Recorder, RecorderServer},
};
use std::time::{Duration, Instant};
use tonic::{Request, Response, Status};

/// How long a URL is good for. An upload that has begun may take longer.
const TTL: Duration = Duration::from_secs(600);
/// The longest message, in bytes.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// Answers attempts.
pub struct Service {
    askers: Askers,
    artifacts: Artifacts,
    calls: Limiter<String>,
}

impl Service {
    /// Artifacts lie in that store.
    #[must_use]
    pub fn new(askers: Askers, artifacts: Artifacts) -> Self {
        // An attempt with all inputs and artifacts that are allowed asks 72 times.
        Self { askers, artifacts, calls: Limiter::new(10.0, 200.0, 50_000) }
    }

    /// The service, with its limits.
    #[must_use]
    pub fn into_server(self) -> RecorderServer<Self> {
        RecorderServer::new(self).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE)
    }

    async fn attempt<T>(&self, request: &Request<T>) -> Result<Attempt, Refusal> {
        let attempt = self.askers.attempt(request.metadata()).await?;
        if self.calls.take(attempt.pod_uid.clone(), Instant::now()) { Ok(attempt) } else { Err(Refusal::TooMany) }
    }

    async fn sign(&self, attempt: &Attempt, asked: &PresignRequest) -> Result<Signed, Refusal> {
        let spec = &attempt.spec;
        if asked.attempt != spec.attempt {
            return Err(Refusal::Bad(format!("attempt {} asks for attempt {}", spec.attempt, asked.attempt)));
        }
        let digest: Digest = asked.digest.parse().map_err(|e| Refusal::Bad(format!("digest: {e}")))?;
        let key = BlobKey::new(&attempt.namespace_uid, digest).map_err(|e| Refusal::Bad(e.to_string()))?;
        match asked.access() {
            Access::Read => {
                let input = spec.input(&asked.name).ok_or_else(|| undeclared(&asked.name, "input"))?;
                if (input.digest, input.bytes) != (digest, asked.size) {
                    let declared =
                        format!("input {}: its spec has {} of {} bytes", input.name, input.digest, input.bytes);
                    return Err(Refusal::Forbidden(declared));
                }
                self.artifacts.presign_get(&key, TTL).await.map_err(refused)
            }
            Access::Write => {
                spec.artifact(&asked.name).ok_or_else(|| undeclared(&asked.name, "output artifact"))?;
                self.artifacts.presign_put(&key, asked.size, TTL).await.map_err(refused)
            }
            Access::Unspecified => Err(Refusal::Bad("access: say READ or WRITE".to_owned())),
        }
    }
}

fn undeclared(name: &str, what: &str) -> Refusal {
    Refusal::Forbidden(format!("{name:?} is no {what} of this step: declare it in the step's artifacts"))
}

fn refused(error: StoreError) -> Refusal {
    if let StoreError::TooLong(_) = error {
        return Refusal::Bad(error.to_string());
    }
    tracing::warn!(%error, "the artifact store gave no URL");
    Refusal::StoreAway
}

#[tonic::async_trait]
impl Recorder for Service {
    async fn get_spec(&self, request: Request<GetSpecRequest>) -> Result<Response<GetSpecResponse>, Status> {
        let attempt = self.attempt(&request).await?;
        Ok(Response::new(GetSpecResponse { spec: attempt.text }))
    }

    async fn presign(&self, request: Request<PresignRequest>) -> Result<Response<PresignResponse>, Status> {
        let attempt = self.attempt(&request).await?;
        let leave = self.sign(&attempt, request.get_ref()).await?;
        let headers = leave.headers.into_iter().collect();
        Ok(Response::new(PresignResponse { url: leave.url, headers, expires: leave.expires.as_second() }))
    }
}
