//! Work that may have been done before: what is asked of the history store, and what it answers.

use hearth_crds::{artifacts::StoredArtifact, json::Json, time::Time};
use std::{collections::BTreeMap, time::Duration};

/// Work that is about to be done, and for whom it is looked up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sought {
    /// The run that needs it.
    pub run_id: String,
    /// The step that needs it.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: u32,
    /// UID of the namespace: work of others is never looked at.
    pub namespace_uid: String,
    /// What the work is: equal for equal work, and for no other.
    pub key: String,
    /// How long ago it may have ended.
    pub max_age: Duration,
}

/// What became known of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was done, and all that it left is there.
    Done(Box<Work>),
    /// It was not, or too long ago, or what it left is gone.
    Nothing,
    /// The store did not say; why.
    Unknown(String),
}

/// Work that was done.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The run that did it.
    pub run_id: String,
    /// The step that did it.
    pub step: String,
    /// Item of a fan-out; 0 when there is none.
    pub item: u32,
    /// When it ended.
    pub finished_at: Time,
    /// What it wrote.
    pub outputs: BTreeMap<String, Json>,
    /// What it left in the artifact store.
    pub artifacts: BTreeMap<String, StoredArtifact>,
}

impl Work {
    /// Whether it ended no longer than `max_age` ago.
    #[must_use]
    pub fn is_fresh(&self, max_age: Duration, now: Time) -> bool {
        self.finished_at.after(max_age) >= now
    }
}
