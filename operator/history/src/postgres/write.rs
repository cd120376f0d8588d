//! Rows in: whole columns as arrays, one statement per table, one transaction.

use super::{Postgres, stamp::Stamp};
use crate::{
    clean::{CleanEvent, CleanLineage, CleanRun, CleanStep},
    error::{Class, Error, sql_class},
    flush::Rows,
    refusal::Letter,
};
use sqlx::{Connection, PgConnection};

pub(super) const UPSERT_RUNS: &str = include_str!("sql/upsert_runs.sql");
pub(super) const UPSERT_STEPS: &str = include_str!("sql/upsert_steps.sql");
pub(super) const INSERT_EVENTS: &str = include_str!("sql/insert_events.sql");
pub(super) const INSERT_LINEAGE: &str = include_str!("sql/insert_lineage.sql");
pub(super) const INSERT_DEAD_LETTER: &str = include_str!("sql/insert_dead_letter.sql");

/// The most rows of one statement.
const CHUNK: usize = 1000;

impl Postgres {
    pub(crate) async fn insert(&self, rows: &Rows) -> Result<[u64; 4], Error> {
        self.bounded("writing rows", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            let result = insert_all(&mut transaction, rows).await;
            match &result {
                Ok(_) => transaction.commit().await?,
                Err(e) if sql_class(e) == Class::Invalid => transaction.rollback().await?,
                // A connection that is read-only, say, would stay so: the next one may not be.
                Err(_) => return result,
            }
            held.keep();
            result
        })
        .await
    }

    pub(crate) async fn insert_dead_letter(&self, letter: &Letter) -> Result<(), Error> {
        self.bounded("writing a dead letter", async {
            let mut held = self.hold().await?;
            sqlx::query(INSERT_DEAD_LETTER)
                .bind(letter.table.as_str())
                .bind(&letter.run_id)
                .bind(letter.seq)
                .bind(&letter.error)
                .bind(&letter.content)
                .bind(letter.digest())
                .execute(&mut held.connection)
                .await?;
            held.keep();
            Ok(())
        })
        .await
    }
}

async fn insert_all(connection: &mut PgConnection, rows: &Rows) -> Result<[u64; 4], sqlx::Error> {
    let mut counts = [0; 4];
    let [runs, steps, events, lineage] = &mut counts;
    for chunk in rows.runs.chunks(CHUNK) {
        *runs += upsert_runs(connection, chunk).await?;
    }
    for chunk in rows.steps.chunks(CHUNK) {
        *steps += upsert_steps(connection, chunk).await?;
    }
    for chunk in rows.events.chunks(CHUNK) {
        *events += insert_events(connection, chunk).await?;
    }
    for chunk in rows.lineage.chunks(CHUNK) {
        *lineage += insert_lineage(connection, chunk).await?;
    }
    Ok(counts)
}

/// One column of many rows.
fn column<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

async fn upsert_runs(connection: &mut PgConnection, rows: &[CleanRun]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(UPSERT_RUNS)
        .bind(column(rows, |r| r.id))
        .bind(column(rows, |r| r.cluster.as_str()))
        .bind(column(rows, |r| r.kind.as_str()))
        .bind(column(rows, |r| r.namespace.as_str()))
        .bind(column(rows, |r| r.namespace_uid.as_str()))
        .bind(column(rows, |r| r.name.as_str()))
        .bind(column(rows, |r| r.uid.as_str()))
        .bind(column(rows, |r| r.number))
        .bind(column(rows, |r| r.seq))
        .bind(column(rows, |r| r.phase.as_str()))
        .bind(column(rows, |r| r.terminal))
        .bind(column(rows, |r| r.reason.as_deref()))
        .bind(column(rows, |r| r.message.as_deref()))
        .bind(column(rows, |r| r.trigger.as_str()))
        .bind(column(rows, |r| r.revision.as_str()))
        .bind(column(rows, |r| r.digest.as_str()))
        .bind(column(rows, |r| r.spec.as_str()))
        .bind(column(rows, |r| r.params.as_str()))
        .bind(column(rows, |r| r.results.as_str()))
        .bind(column(rows, |r| r.labels.as_str()))
        .bind(column(rows, |r| r.owner.as_str()))
        .bind(column(rows, |r| Stamp::from(r.started_at)))
        .bind(column(rows, |r| r.finished_at.map(Stamp::from)))
        .bind(column(rows, |r| r.minimal))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn upsert_steps(connection: &mut PgConnection, rows: &[CleanStep]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(UPSERT_STEPS)
        .bind(column(rows, |s| s.run_id))
        .bind(column(rows, |s| Stamp::from(s.run_started_at)))
        .bind(column(rows, |s| s.step.as_str()))
        .bind(column(rows, |s| s.item))
        .bind(column(rows, |s| s.attempt))
        .bind(column(rows, |s| s.seq))
        .bind(column(rows, |s| s.phase.as_str()))
        .bind(column(rows, |s| s.terminal))
        .bind(column(rows, |s| s.class.as_deref()))
        .bind(column(rows, |s| s.reason.as_deref()))
        .bind(column(rows, |s| s.message.as_deref()))
        .bind(column(rows, |s| s.exit_code))
        .bind(column(rows, |s| s.pod.as_deref()))
        .bind(column(rows, |s| s.node.as_deref()))
        .bind(column(rows, |s| s.image.as_deref()))
        .bind(column(rows, |s| s.image_id.as_deref()))
        .bind(column(rows, |s| s.outputs.as_str()))
        .bind(column(rows, |s| s.log.as_deref()))
        .bind(column(rows, |s| s.log_unavailable.as_deref()))
        .bind(column(rows, |s| s.started_at.map(Stamp::from)))
        .bind(column(rows, |s| s.finished_at.map(Stamp::from)))
        .bind(column(rows, |s| s.artifacts.as_str()))
        .bind(column(rows, |s| s.work_key.as_deref()))
        .bind(column(rows, |s| s.cached_from.as_deref()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

pub(super) async fn insert_events(connection: &mut PgConnection, rows: &[CleanEvent]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(INSERT_EVENTS)
        .bind(column(rows, |e| e.run_id))
        .bind(column(rows, |e| e.subject.as_str()))
        .bind(column(rows, |e| e.transition.as_str()))
        .bind(column(rows, |e| e.seq))
        .bind(column(rows, |e| Stamp::from(e.at)))
        .bind(column(rows, |e| e.reason.as_deref()))
        .bind(column(rows, |e| e.message.as_deref()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

async fn insert_lineage(connection: &mut PgConnection, rows: &[CleanLineage]) -> Result<u64, sqlx::Error> {
    let done = sqlx::query(INSERT_LINEAGE)
        .bind(column(rows, |l| l.run_id))
        .bind(column(rows, |l| l.relation))
        .bind(column(rows, |l| l.from_id.as_str()))
        .bind(column(rows, |l| l.to_id.as_str()))
        .bind(column(rows, |l| l.step.as_str()))
        .bind(column(rows, |l| l.attempt))
        .bind(column(rows, |l| l.name.as_str()))
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
