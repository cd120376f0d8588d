//! SQLite as the store: one file on the volume of the one replica.

mod aging;
mod audit;
mod blobs;
mod connection;
mod exports;
mod lineage;
mod list;
mod logs;
mod migrate;
mod read;
mod report;
mod sweep;
mod usage;
mod work;
mod write;

use crate::{
    audit::Chain,
    error::Error,
    fields::{Fields, plain_fields},
    link::{Held, Link, bounded},
    store::Limits,
};
use connection::{end_after, open, readers};
use hearth_crds::time::Time;
use migrate::BEGIN;
use serde_json::Value;
use sqlx::{
    Connection, Row, SqliteConnection,
    pool::PoolConnection,
    sqlite::{SqlitePool, SqliteRow},
};
use std::{fmt, future::Future, path::Path, sync::Arc};
use uuid::Uuid;

/// A SQLite file. Writers share one connection, readers have a few of their own.
#[derive(Clone)]
pub struct Sqlite {
    file: Arc<Path>,
    limits: Limits,
    place: Arc<str>,
    link: Arc<Link<SqliteConnection>>,
    readers: SqlitePool,
    chain: Chain,
}

impl Sqlite {
    /// Nothing is opened yet.
    pub(crate) fn new(file: &Path, limits: Limits) -> Self {
        Self {
            file: file.into(),
            limits,
            place: format!("sqlite at {}", file.display()).into(),
            link: Arc::default(),
            chain: Chain::default(),
            readers: readers(file, limits),
        }
    }

    /// An operation of the writers.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        bounded(&self.place, self.limits.write, operation, work).await
    }

    /// A query of the API.
    async fn read<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        operation: &'static str,
        query: impl FnOnce(PoolConnection<sqlx::Sqlite>) -> F,
    ) -> Result<T, Error> {
        bounded(&self.place, self.limits.read, operation, async {
            let mut connection = self.readers.acquire().await?;
            end_after(&mut connection, self.limits.read).await?;
            query(connection).await
        })
        .await
    }

    /// The writers' connection.
    async fn hold(&self) -> Result<Held<'_, SqliteConnection>, sqlx::Error> {
        self.link.hold(|| open(&self.file, self.limits)).await
    }

    /// Whether the file is there, has its schema, and may be written.
    pub(crate) async fn healthy(&self) -> Result<(), Error> {
        bounded(&self.place, self.limits.read, "probe", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            sqlx::query(HEALTHY).execute(&mut *transaction).await?;
            transaction.rollback().await?;
            held.keep();
            Ok(())
        })
        .await
    }
}

impl Fields for SqliteRow {
    plain_fields!();

    fn id(&self, column: &str) -> Result<Uuid, sqlx::Error> {
        let text: &str = self.try_get(column)?;
        Uuid::parse_str(text).map_err(|e| sqlx::Error::Decode(e.into()))
    }

    fn time(&self, column: &str) -> Result<Time, sqlx::Error> {
        let text: &str = self.try_get(column)?;
        time(text)
    }

    fn time_opt(&self, column: &str) -> Result<Option<Time>, sqlx::Error> {
        self.try_get::<Option<&str>, _>(column)?.map(time).transpose()
    }

    fn json(&self, column: &str) -> Result<Value, sqlx::Error> {
        let text: &str = self.try_get(column)?;
        serde_json::from_str(text).map_err(|e| sqlx::Error::Decode(e.into()))
    }
}

fn time(text: &str) -> Result<Time, sqlx::Error> {
    serde_json::from_value(Value::String(text.to_owned())).map_err(|e| sqlx::Error::Decode(e.into()))
}

const HEALTHY: &str = include_str!("sql/healthy.sql");

/// Every statement with fixed text, by name. A test prepares each of them.
#[cfg(test)]
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("healthy", HEALTHY),
    ("upsert_runs", write::UPSERT_RUNS),
    ("usage_runs", usage::USAGE_RUNS),
    ("usage_specs", usage::USAGE_SPECS),
    ("usage_steps", usage::USAGE_STEPS),
    ("blobs", blobs::BLOBS),
    ("artifact", blobs::ARTIFACT),
    ("find_work", work::FIND_WORK),
    ("find_report", report::FIND_REPORT),
    ("report_run", report::REPORT_RUN),
    ("lineage_up", lineage::LINEAGE_UP),
    ("lineage_down", lineage::LINEAGE_DOWN),
    ("runs_by_id", lineage::RUNS_BY_ID),
    ("upsert_steps", write::UPSERT_STEPS),
    ("insert_events", write::INSERT_EVENTS),
    ("insert_lineage", write::INSERT_LINEAGE),
    ("insert_dead_letter", write::INSERT_DEAD_LETTER),
    ("running", sweep::RUNNING),
    ("vanish_runs", sweep::VANISH_RUNS),
    ("vanish_steps", sweep::VANISH_STEPS),
    ("bury_stones", sweep::BURY_STONES),
    ("bury_lineage", sweep::BURY_LINEAGE),
    ("bury_logs", sweep::BURY_LOGS),
    ("bury_events", sweep::BURY_EVENTS),
    ("bury_steps", sweep::BURY_STEPS),
    ("bury_runs", sweep::BURY_RUNS),
    ("prune_lineage", aging::PRUNE_LINEAGE),
    ("prune_logs", aging::PRUNE_LOGS),
    ("prune_events", aging::PRUNE_EVENTS),
    ("prune_steps", aging::PRUNE_STEPS),
    ("prune_runs", aging::PRUNE_RUNS),
    ("prune_letters", aging::PRUNE_LETTERS),
    ("audit_head", audit::AUDIT_HEAD),
    ("audit_newest", audit::AUDIT_NEWEST),
    ("insert_audit", audit::INSERT_AUDIT),
    ("list_audit", audit::LIST_AUDIT),
    ("audit_chain", audit::AUDIT_CHAIN),
    ("audit_anchors", audit::AUDIT_ANCHORS),
    ("anchor_audit", audit::ANCHOR_AUDIT),
    ("forget_audit", audit::FORGET_AUDIT),
    ("exports", exports::EXPORTS),
    ("exported", exports::EXPORTED),
    ("put_export_targets", exports::PUT_EXPORT_TARGETS),
    ("drop_export_targets", exports::DROP_EXPORT_TARGETS),
    ("drop_exports", exports::DROP_EXPORTS),
    ("get_run", read::GET_RUN),
    ("list_steps", read::LIST_STEPS),
    ("list_events", read::LIST_EVENTS),
    ("get_log", logs::GET_LOG),
    ("put_log", logs::PUT_LOG),
];

impl fmt::Display for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("place", &self.place).field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
