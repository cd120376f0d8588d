//! What can go wrong in a pass, and what class of trouble it is.

use kube::core::response::Status;

/// A pass that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server said no.
    #[error("{what}: {} {}: {}", status.code, status.reason, status.message)]
    Refused {
        /// What was asked.
        what: String,
        /// Its answer.
        status: Box<Status>,
    },
    /// No answer, or one that does not say what happened.
    #[error("{what}: no clear answer: {cause}")]
    NoAnswer {
        /// What was asked.
        what: String,
        /// Why there is no answer.
        cause: String,
    },
    /// The request could not be written.
    #[error("{what}: {cause}")]
    Unsendable {
        /// What was to be asked.
        what: String,
        /// Why it was not.
        cause: String,
    },
    /// The lease was renewed too long ago: nothing may be created until it is renewed.
    #[error("the lease was not renewed in time; nothing is created")]
    LeaseStale,
    /// A decision panicked.
    #[error("the decision panicked: {0}")]
    Panicked(String),
    /// The object does not decode.
    #[error("the object does not decode: {0}")]
    Undecodable(String),
}

/// What class of trouble an error is: it decides how soon the pass is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may go away by itself.
    Transient,
    /// It stays until somebody changes something.
    Invalid,
    /// Something else must happen first.
    Blocked,
    /// Somebody else wrote or deleted the object; the watch brings it.
    Conflict,
    /// The namespace is going: nothing is tried again, nothing is said.
    Terminating,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Transient, Self::Invalid, Self::Blocked, Self::Conflict, Self::Terminating];

    /// The word itself, for metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Invalid => "invalid",
            Self::Blocked => "blocked",
            Self::Conflict => "conflict",
            Self::Terminating => "terminating",
        }
    }
}

impl Error {
    /// The class of this error.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { status, .. } => class_of(status),
            Self::NoAnswer { .. } => Class::Transient,
            Self::Unsendable { .. } | Self::Panicked(_) | Self::Undecodable(_) => Class::Invalid,
            Self::LeaseStale => Class::Blocked,
        }
    }

    /// Whether the server said that the object is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Refused { status, .. } => status.code == 404,
            Self::NoAnswer { .. }
            | Self::Unsendable { .. }
            | Self::LeaseStale
            | Self::Panicked(_)
            | Self::Undecodable(_) => false,
        }
    }
}

fn class_of(status: &Status) -> Class {
    match status.code {
        _ if is_terminating(status) => Class::Terminating,
        404 | 409 => Class::Conflict,
        403 | 429 => Class::Blocked,
        400..=499 => Class::Invalid,
        _ => Class::Transient,
    }
}

/// Whether a 403 was said because the namespace is being deleted.
#[must_use]
pub fn is_terminating(status: &Status) -> bool {
    let named = |d: &kube::core::response::StatusDetails| d.causes.iter().any(|c| c.reason == "NamespaceTerminating");
    status.code == 403 && status.details.as_ref().is_some_and(named)
}
