//! Runs that ended unseen, and runs that are deleted for good.

use super::{Sqlite, migrate::BEGIN};
use crate::{
    clean::borrowed,
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
pub(super) const BURY_LINEAGE: &str = include_str!("sql/bury_lineage.sql");
pub(super) const BURY_LOGS: &str = include_str!("sql/bury_logs.sql");
pub(super) const BURY_EVENTS: &str = include_str!("sql/bury_events.sql");
pub(super) const BURY_STEPS: &str = include_str!("sql/bury_steps.sql");
pub(super) const BURY_RUNS: &str = include_str!("sql/bury_runs.sql");

impl Sqlite {
    pub(crate) async fn running_after(
        &self,
        cluster: &str,
        older_than: Duration,
        after: Uuid,
        most: usize,
    ) -> Result<Vec<Unfinished>, Error> {
        let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
        let query = sqlx::query(RUNNING)
            .bind(cluster.to_owned())
            .bind(after.to_string())
            .bind(age)
            .bind(i64::try_from(most).unwrap_or(i64::MAX));
        self.read("listing runs without an end", |mut connection| async move {
            all(&query.fetch_all(&mut *connection).await?, unfinished)
        })
        .await
    }

    pub(crate) async fn vanish(&self, runs: &[Uuid]) -> Result<u64, Error> {
        let runs = ids(runs);
        self.bounded("marking vanished runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            let changed = sqlx::query(VANISH_RUNS).bind(&runs).execute(&mut *transaction).await?.rows_affected();
            sqlx::query(VANISH_STEPS).bind(&runs).execute(&mut *transaction).await?;
            transaction.commit().await?;
            held.keep();
            Ok(changed)
        })
        .await
    }

    pub(crate) async fn bury(&self, runs: &[Uuid], reason: &str) -> Result<u64, Error> {
        let runs = ids(runs);
        self.bounded("deleting runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            sqlx::query(BURY_STONES).bind(&runs).bind(borrowed(reason).into_owned()).execute(&mut *transaction).await?;
            sqlx::query(BURY_LINEAGE).bind(&runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_LOGS).bind(&runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_EVENTS).bind(&runs).execute(&mut *transaction).await?;
            sqlx::query(BURY_STEPS).bind(&runs).execute(&mut *transaction).await?;
            let deleted = sqlx::query(BURY_RUNS).bind(&runs).execute(&mut *transaction).await?.rows_affected();
            transaction.commit().await?;
            held.keep();
            Ok(deleted)
        })
        .await
    }
}

/// Ids as a JSON array of texts.
pub(super) fn ids(runs: &[Uuid]) -> String {
    let texts: Vec<String> = runs.iter().map(Uuid::to_string).collect();
    serde_json::Value::from(texts).to_string()
}
