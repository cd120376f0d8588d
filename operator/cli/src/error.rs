//! What can go wrong, in words for people and as an exit status for programs.

use hearth_wire::{Problem, ProblemKind};
use std::process::ExitCode;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(String),
    /// The user lacks a right.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The user is not known.
    #[error("not authenticated: {0}")]
    Unauthenticated(String),
    /// Something that is needed is away for now.
    #[error("{0}")]
    Away(String),
    /// Anything else.
    #[error("{0:#}")]
    Other(anyhow::Error),
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let detail = problem.detail.clone();
        match problem.kind() {
            Some(ProblemKind::NotFound) => Self::NotFound(detail),
            Some(ProblemKind::Forbidden) => Self::Forbidden(detail),
            Some(ProblemKind::Unauthenticated) => Self::Unauthenticated(detail),
            Some(ProblemKind::BadRequest) => Self::Usage(detail),
            Some(
                ProblemKind::StoreAway
                | ProblemKind::ClusterAway
                | ProblemKind::TimedOut
                | ProblemKind::TooManyRequests,
            ) => Self::Away(detail),
            Some(ProblemKind::Conflict) => Self::Other(anyhow::anyhow!(detail)),
            Some(
                ProblemKind::MethodNotAllowed | ProblemKind::TooLarge | ProblemKind::Range | ProblemKind::Internal,
            )
            | None => Self::Other(anyhow::anyhow!("{} ({}): {detail}", problem.title, problem.status)),
        }
    }
}

impl CliError {
    /// An answer of the Kubernetes API server, with what was asked.
    pub fn from_kube(what: &str, error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) if status.code == 403 => Self::Forbidden(format!("{what}: {}", status.message)),
            kube::Error::Api(status) if status.code == 401 => {
                Self::Unauthenticated(format!("{what}: the cluster does not take the kubeconfig's credentials"))
            }
            kube::Error::Api(status) if status.code == 404 => Self::NotFound(format!("{what}: {}", status.message)),
            // A foreign enum: whatever else it is, people read its words.
            _ => Self::Other(anyhow::Error::new(error).context(what.to_owned())),
        }
    }

    /// Says it on standard error.
    pub fn report(&self) -> ExitCode {
        eprintln!("error: {self}");
        ExitCode::from(self.status())
    }

    fn status(&self) -> u8 {
        match self {
            Self::Other(_) => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Forbidden(_) | Self::Unauthenticated(_) => 4,
            Self::Away(_) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_has_its_status() {
        let status = |kind| CliError::from(Problem::new(kind, "x")).status();
        assert_eq!(status(ProblemKind::NotFound), 3);
        assert_eq!(status(ProblemKind::Forbidden), 4);
        assert_eq!(status(ProblemKind::Unauthenticated), 4);
        assert_eq!(status(ProblemKind::StoreAway), 5);
        assert_eq!(status(ProblemKind::BadRequest), 2);
        assert_eq!(status(ProblemKind::Internal), 1);
    }
}
