//! PostgreSQL as the store; 15 is what it is tested on.

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
mod stamp;
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
use connection::{Readers, open};
use hearth_crds::time::Time;
use serde_json::Value;
use sqlx::{
    PgConnection, Row,
    postgres::{PgConnectOptions, PgPool, PgRow},
};
use stamp::Stamp;
use std::{fmt, future::Future, sync::Arc};
use uuid::Uuid;

/// A Postgres database. Writers share one connection, readers a small pool, so that neither can starve the other.
#[derive(Clone)]
pub struct Postgres {
    options: Arc<PgConnectOptions>,
    /// Who makes and drops tables; the same unless another role was named.
    owner: Arc<PgConnectOptions>,
    limits: Limits,
    place: Arc<str>,
    link: Arc<Link<PgConnection>>,
    readers: Arc<Readers>,
    chain: Chain,
}

impl Postgres {
    /// Nothing is connected yet.
    pub(crate) fn new(dsn: &str, limits: Limits) -> Result<Self, Error> {
        let options = Arc::new(options(dsn)?);
        Ok(Self {
            place: place(&options).into(),
            link: Arc::default(),
            chain: Chain::default(),
            readers: Arc::new(Readers::new((*options).clone(), limits)),
            owner: options.clone(),
            options,
            limits,
        })
    }

    /// The same, with another role for what makes, changes and drops tables.
    pub(crate) fn owned_by(self, dsn: &str) -> Result<Self, Error> {
        Ok(Self { owner: Arc::new(options(dsn)?), ..self })
    }

    /// An operation of the writers.
    async fn bounded<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        bounded(&self.place, self.limits.write, operation, work).await
    }

    /// A query of the API. After one that got no answer the pool is made anew: its connections are not to be trusted.
    async fn read<T, F: Future<Output = Result<T, sqlx::Error>>>(
        &self,
        operation: &'static str,
        query: impl FnOnce(PgPool) -> F,
    ) -> Result<T, Error> {
        let pool = self.readers.pool();
        let answer = bounded(&self.place, self.limits.read, operation, query(pool.clone())).await;
        match answer {
            Err(Error::Sql { source: sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed, store, .. }) => {
                self.readers.renew(&pool);
                Err(Error::Timeout { store, operation: "connecting", limit: self.limits.connect })
            }
            Err(e @ Error::Timeout { .. }) => {
                self.readers.renew(&pool);
                Err(e)
            }
            other => other,
        }
    }

    /// The writers' connection.
    async fn hold(&self) -> Result<Held<'_, PgConnection>, sqlx::Error> {
        self.link.hold(|| open(&self.options, self.limits.connect, self.limits.write)).await
    }

    pub(crate) async fn healthy(&self) -> Result<(), Error> {
        bounded(&self.place, self.limits.read, "probe", async {
            let mut held = self.hold().await?;
            sqlx::query(HEALTHY).execute(&mut held.connection).await?;
            held.keep();
            Ok(())
        })
        .await
    }
}

impl Fields for PgRow {
    plain_fields!();

    fn id(&self, column: &str) -> Result<Uuid, sqlx::Error> {
        self.try_get(column)
    }

    fn time(&self, column: &str) -> Result<Time, sqlx::Error> {
        self.try_get::<Stamp, _>(column).map(Into::into)
    }

    fn time_opt(&self, column: &str) -> Result<Option<Time>, sqlx::Error> {
        Ok(self.try_get::<Option<Stamp>, _>(column)?.map(Into::into))
    }

    fn json(&self, column: &str) -> Result<Value, sqlx::Error> {
        self.try_get(column)
    }
}

const HEALTHY: &str = include_str!("sql/healthy.sql");

/// Every statement with fixed text, by name. A test prepares each of them.
#[cfg(test)]
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("healthy", HEALTHY),
    ("upsert_runs", write::UPSERT_RUNS),
    ("upsert_steps", write::UPSERT_STEPS),
    ("insert_events", write::INSERT_EVENTS),
    ("insert_lineage", write::INSERT_LINEAGE),
    ("insert_dead_letter", write::INSERT_DEAD_LETTER),
    ("running", sweep::RUNNING),
    ("vanish_runs", sweep::VANISH_RUNS),
    ("vanish_steps", sweep::VANISH_STEPS),
    ("bury_stones", sweep::BURY_STONES),
    ("bury_lock", sweep::BURY_LOCK),
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
    ("make_partitions", aging::MAKE_PARTITIONS),
    ("drop_partitions", aging::DROP_PARTITIONS),
    ("admit", migrate::ADMIT),
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
    ("usage_runs", usage::USAGE_RUNS),
    ("usage_specs", usage::USAGE_SPECS),
    ("usage_steps", usage::USAGE_STEPS),
    ("blobs", blobs::BLOBS),
    ("artifact", blobs::ARTIFACT),
    ("find_work", work::FIND_WORK),
    ("find_report", report::FIND_REPORT),
    ("report_run", report::REPORT_RUN),
    ("report_lock", report::REPORT_LOCK),
    ("lineage_up", lineage::LINEAGE_UP),
    ("lineage_down", lineage::LINEAGE_DOWN),
    ("runs_by_id", lineage::RUNS_BY_ID),
];

fn options(dsn: &str) -> Result<PgConnectOptions, Error> {
    if !dsn.starts_with("postgres://") && !dsn.starts_with("postgresql://") {
        return Err(Error::Dsn("it must start with postgres://".into()));
    }
    let options: PgConnectOptions = dsn.parse().map_err(|e: sqlx::Error| Error::Dsn(e.to_string()))?;
    Ok(options.application_name("hearth"))
}

/// Host, port and database: what people may know of a DSN.
fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("postgres at {} ({database})", socket.display()),
        None => format!("postgres at {}:{} ({database})", options.get_host(), options.get_port()),
    }
}

impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Options hold the password, so they are left out.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
