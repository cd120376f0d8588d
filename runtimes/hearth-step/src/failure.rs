//! Why a task was not done, and what the step's exit code then is.

use hearth_contract::exit;

/// A task that was not done. The text names the artifact and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command left wrong data, or none.
    #[error("{0}")]
    Data(String),
    /// Input or output failed for good.
    #[error("{0}")]
    Io(String),
    /// It may work another time.
    #[error("{0}")]
    Again(String),
    /// The spec or the command cannot be used.
    #[error("{0}")]
    Config(String),
    /// Was told to stop before it was done.
    #[error("{0}")]
    Stopped(String),
    /// A defect of this program or of what it runs on.
    #[error("{0}")]
    Defect(String),
}

impl Failure {
    /// The contract's exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Data(_) => exit::DATA,
            Self::Io(_) => exit::IO,
            Self::Again(_) => exit::AGAIN,
            Self::Config(_) => exit::CONFIG,
            Self::Stopped(_) => exit::STOPPED,
            Self::Defect(_) => exit::DEFECT,
        }
    }
}
