//! What other systems have still to be told of runs: an outbox that is filled in the transactions that write runs.

use crate::{error::Error, store::Store};
use hearth_crds::time::Time;
use serde::Serialize;
use uuid::Uuid;

/// Who is told of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportTarget {
    /// Its name.
    #[serde(rename = "target")]
    pub name: &'static str,
    /// Whether it is told of the start of a run too, and not only of its end.
    pub starts: bool,
}

/// What a target has still to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// The run.
    pub run_id: Uuid,
    /// Its end; else its start.
    pub ended: bool,
    /// When there was something to tell, by the clock of the store.
    pub since: Time,
}

impl Store {
    /// Says who is told of runs from now on. What waited for anybody else is dropped.
    ///
    /// # Errors
    /// The store fails.
    pub async fn set_export_targets(&self, targets: &[ExportTarget]) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.set_export_targets(targets).await,
            Self::Sqlite(s) => s.set_export_targets(targets).await,
        }
    }

    /// What a target has still to be told, the oldest first, `limit` of it.
    ///
    /// # Errors
    /// The store fails.
    pub async fn exports(&self, target: &str, limit: u32) -> Result<Vec<Export>, Error> {
        match self {
            Self::Postgres(p) => p.exports(target, limit).await,
            Self::Sqlite(s) => s.exports(target, limit).await,
        }
    }

    /// Notes that a target was told. What came in the meantime, a truer end of the run, waits on.
    ///
    /// # Errors
    /// The store fails.
    pub async fn exported(&self, target: &str, export: &Export) -> Result<(), Error> {
        match self {
            Self::Postgres(p) => p.exported(target, export).await,
            Self::Sqlite(s) => s.exported(target, export).await,
        }
    }
}
