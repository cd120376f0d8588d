//! Why a call is not answered.

use tonic::Status;

/// A call that is not answered, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody known asked.
    #[error("{0}")]
    Unknown(&'static str),
    /// The asker may not have it.
    #[error("{0}")]
    Forbidden(String),
    /// The call says something that cannot be answered.
    #[error("{0}")]
    Bad(String),
    /// Too many calls.
    #[error("too many calls of this pod: try again in a second")]
    TooMany,
    /// The Kubernetes API server does not answer. Why is in the log: it may name what the asker must not see.
    #[error("who asks could not be asked of the Kubernetes API server: try again")]
    ClusterAway,
    /// The artifact store does not answer. Likewise.
    #[error("the artifact store does not answer: try again")]
    StoreAway,
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Unknown(_) => Self::unauthenticated(text),
            Refusal::Forbidden(_) => Self::permission_denied(text),
            Refusal::Bad(_) => Self::invalid_argument(text),
            Refusal::TooMany => Self::resource_exhausted(text),
            Refusal::ClusterAway | Refusal::StoreAway => Self::unavailable(text),
        }
    }
}
