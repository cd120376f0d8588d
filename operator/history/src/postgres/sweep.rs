//! Runs that ended unseen, and runs that are deleted for good.

use super::Postgres;
use crate::{
    error::Error,
    fields::{all, unfinished},
    model::Unfinished,
};
use sqlx::Connection;
use std::time::Duration;
use uuid::Uuid;

pub(super) const RUNNING: &str = include_str!("sql/running.sql");
pub(super) const VANISH_RUNS: &str = include_str!("sql/vanish_runs.sql");
pub(super) const VANISH_STEPS: &str = include_str!("sql/vanish_steps.sql");
pub(super) const BURY_STONES: &str = include_str!("sql/bury_stones.sql");
pub(super) const BURY_LOCK: &str = include_str!("sql/bury_lock.sql");
pub(super) const BURY_LINEAGE: &str = include_str!("sql/bury_lineage.sql");
pub(super) const BURY_LOGS: &str = include_str!("sql/bury_logs.sql");
pub(super) const BURY_EVENTS: &str = include_str!("sql/bury_events.sql");
pub(super) const BURY_STEPS: &str = include_str!("sql/bury_steps.sql");
pub(super) const BURY_RUNS: &str = include_str!("sql/bury_runs.sql");

impl Postgres {
    pub(crate) async fn running_after(
        &self,
        cluster: &str,
        older_than: Duration,
        after: Uuid,
        most: usize,
    ) -> Result<Vec<Unfinished>, Error> {
        let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let query =
            sqlx::query(RUNNING).bind(cluster).bind(after).bind(age).bind(i64::try_from(most).unwrap_or(i64::MAX));
        self.read("listing runs without an end", |pool| async move { all(&query.fetch_all(&pool).await?, unfinished) })
            .await
    }

    pub(crate) async fn vanish(&self, runs: &[Uuid]) -> Result<u64, Error> {
        self.bounded("marking vanished runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            let changed = sqlx::query(VANISH_RUNS).bind(runs).execute(&mut *transaction).await?.rows_affected();
            sqlx::query(VANISH_STEPS).bind(runs).execute(&mut *transaction).await?;
            transaction.commit().await?;
            held.keep();
            Ok(changed)
        })
        .await
    }

    /// The lock waits for writers that may have looked for a tombstone before it was there.
    pub(crate) async fn bury(&self, runs: &[Uuid], reason: &str) -> Result<u64, Error> {
        self.bounded("deleting runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            sqlx::query(BURY_STONES).bind(runs).bind(crate::clean::borrowed(reason)).execute(&mut *transaction).await?;
            sqlx::query(BURY_LOCK).execute(&mut *transaction).await?;
            sqlx::query(BURY_LINEAGE).bind(runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_LOGS).bind(runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_EVENTS).bind(runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_STEPS).bind(runs).execute(&mut *transaction).await?;
            let deleted = sqlx::query(BURY_RUNS).bind(runs).execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            held.keep();
            Ok(deleted)
        })
        .await
    }
}
