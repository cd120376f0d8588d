//! What is too old is deleted in small steps, so that the writer waits a moment only.

use super::Sqlite;
use crate::{
    error::Error,
    retention::{AT_ONCE, Aged},
};
use uuid::Uuid;

pub(super) const PRUNE_LINEAGE: &str = include_str!("sql/prune_lineage.sql");
pub(super) const PRUNE_LOGS: &str = include_str!("sql/prune_logs.sql");
pub(super) const PRUNE_EVENTS: &str = include_str!("sql/prune_events.sql");
pub(super) const PRUNE_STEPS: &str = include_str!("sql/prune_steps.sql");
pub(super) const PRUNE_RUNS: &str = include_str!("sql/prune_runs.sql");
pub(super) const PRUNE_LETTERS: &str = include_str!("sql/prune_letters.sql");

impl Sqlite {
    pub(crate) async fn prune(&self, table: Aged, cutoff: Uuid) -> Result<u64, Error> {
        let statement = match table {
            Aged::Lineage => PRUNE_LINEAGE,
            Aged::Logs => PRUNE_LOGS,
            Aged::Events => PRUNE_EVENTS,
            Aged::Steps => PRUNE_STEPS,
            Aged::Runs => PRUNE_RUNS,
        };
        self.bounded("deleting what is too old", async {
            let mut held = self.hold().await?;
            let done =
                sqlx::query(statement).bind(cutoff.to_string()).bind(AT_ONCE).execute(&mut held.connection).await?;
            held.keep();
            Ok(done.rows_affected())
        })
        .await
    }

    pub(crate) async fn prune_letters(&self, keep_ms: i64) -> Result<u64, Error> {
        self.bounded("deleting old dead letters", async {
            let mut held = self.hold().await?;
            let done = sqlx::query(PRUNE_LETTERS).bind(keep_ms).execute(&mut held.connection).await?;
            held.keep();
            Ok(done.rows_affected())
        })
        .await
    }
}
