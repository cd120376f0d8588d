//! Months: made ahead, dropped when they are too old. Whoever migrates does this; the writers' connection has no part.

use super::{Postgres, connection::open};
use crate::{
    error::Error,
    link::bounded,
    retention::{AT_ONCE, Aged},
};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

pub(super) const MAKE_PARTITIONS: &str = include_str!("sql/make_partitions.sql");
pub(super) const DROP_PARTITIONS: &str = include_str!("sql/drop_partitions.sql");
pub(super) const PRUNE_LINEAGE: &str = include_str!("sql/prune_lineage.sql");
pub(super) const PRUNE_LOGS: &str = include_str!("sql/prune_logs.sql");
pub(super) const PRUNE_EVENTS: &str = include_str!("sql/prune_events.sql");
pub(super) const PRUNE_STEPS: &str = include_str!("sql/prune_steps.sql");
pub(super) const PRUNE_RUNS: &str = include_str!("sql/prune_runs.sql");
pub(super) const PRUNE_LETTERS: &str = include_str!("sql/prune_letters.sql");

/// Months that have a partition before they begin. What is later all the same is kept in the default partition.
const AHEAD: i32 = 2;
/// A partition that others use is tried again later: who waits for its lock makes all others wait behind.
const PATIENCE: &str = "SET lock_timeout = '2s'";

impl Postgres {
    pub(crate) async fn make_partitions(&self) -> Result<(), Error> {
        bounded(&self.place, self.limits.migrate, "making partitions", async {
            let mut connection = self.steward().await?;
            sqlx::query(MAKE_PARTITIONS).bind(AHEAD).execute(&mut connection).await?;
            Ok(())
        })
        .await
    }

    pub(crate) async fn drop_partitions(&self, cutoff: Uuid) -> Result<u64, Error> {
        bounded(&self.place, self.limits.migrate, "dropping partitions", async {
            let mut connection = self.steward().await?;
            let dropped: i64 = sqlx::query_scalar(DROP_PARTITIONS).bind(cutoff).fetch_one(&mut connection).await?;
            Ok(u64::try_from(dropped).unwrap_or(0))
        })
        .await
    }

    pub(super) async fn steward(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = open(&self.owner, self.limits.connect, self.limits.migrate).await?;
        connection.execute(PATIENCE).await?;
        Ok(connection)
    }

    /// What a partition holds that is not too old as a whole: the first one, and the default one.
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
            let done = sqlx::query(statement).bind(cutoff).bind(AT_ONCE).execute(&mut held.connection).await?;
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
