//! Runs that ended unseen, and runs that are deleted for good.

use super::Postgres;
use crate::{error::Error, model::Unfinished};
use hearth_plan::record::ObjectKey;
use sqlx::{Connection, Row, postgres::PgRow};
use std::time::Duration;
use uuid::Uuid;

pub(super) const RUNNING: &str = include_str!("sql/running.sql");
pub(super) const VANISH_RUNS: &str = include_str!("sql/vanish_runs.sql");
pub(super) const VANISH_STEPS: &str = include_str!("sql/vanish_steps.sql");
pub(super) const BURY_STONES: &str = include_str!("sql/bury_stones.sql");
pub(super) const BURY_LOCK: &str = include_str!("sql/bury_lock.sql");
pub(super) const BURY_EVENTS: &str = include_str!("sql/bury_events.sql");
pub(super) const BURY_STEPS: &str = include_str!("sql/bury_steps.sql");
pub(super) const BURY_RUNS: &str = include_str!("sql/bury_runs.sql");

/// Rows of one query; the sweep makes as many as it takes.
const CHUNK: usize = 1000;

impl Postgres {
    pub(crate) async fn running(&self, cluster: &str, older_than: Duration) -> Result<Vec<Unfinished>, Error> {
        let mut all: Vec<Unfinished> = Vec::new();
        loop {
            let after = all.last().map_or(Uuid::nil(), |u| u.run_id);
            let some = self.running_after(cluster, older_than, after).await?;
            let full = some.len() == CHUNK;
            all.extend(some);
            if !full {
                return Ok(all);
            }
        }
    }

    async fn running_after(&self, cluster: &str, older_than: Duration, after: Uuid) -> Result<Vec<Unfinished>, Error> {
        let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let query =
            sqlx::query(RUNNING).bind(cluster).bind(after).bind(age).bind(i64::try_from(CHUNK).unwrap_or(i64::MAX));
        self.read("listing runs without an end", |pool| async move {
            query.fetch_all(&pool).await?.iter().map(unfinished).collect()
        })
        .await
    }

    pub(crate) async fn vanish(&self, runs: &[Uuid]) -> Result<u64, Error> {
        self.bounded(self.limits.write, "marking vanished runs", async {
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
        self.bounded(self.limits.write, "deleting runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            sqlx::query(BURY_STONES).bind(runs).bind(crate::clean::borrowed(reason)).execute(&mut *transaction).await?;
            sqlx::query(BURY_LOCK).execute(&mut *transaction).await?;
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

fn unfinished(row: &PgRow) -> Result<Unfinished, sqlx::Error> {
    Ok(Unfinished {
        object: ObjectKey {
            kind: row.try_get("kind")?,
            namespace: row.try_get("namespace")?,
            name: row.try_get("name")?,
            uid: row.try_get("uid")?,
        },
        run_id: row.try_get("id")?,
        number: row.try_get("number")?,
    })
}
