//! Rows on their way to the store. Nothing waits here: a full channel means that the object offers its rows again later.

use crate::shared::Shared;
use hearth_plan::record::RecordBatch;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;

/// When an object offers its rows again after it found the channel full.
pub(crate) const AGAIN: Duration = Duration::from_secs(5);

impl Shared {
    /// Hands a batch to the writer. False: it was not taken and must be derived again.
    pub(crate) fn offer(&self, batch: RecordBatch) -> bool {
        match self.to_store.records.try_send(batch) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                self.metrics.full.inc();
                false
            }
        }
    }
}
