//! Rows in: one JSON array per table, one statement for it, one transaction.

use super::{Sqlite, migrate::BEGIN};
use crate::{
    error::{Class, Error, sql_class},
    flush::Rows,
    refusal::Letter,
};
use serde::Serialize;
use sqlx::{Connection, SqliteConnection};

pub(super) const UPSERT_RUNS: &str = include_str!("sql/upsert_runs.sql");
pub(super) const UPSERT_STEPS: &str = include_str!("sql/upsert_steps.sql");
pub(super) const INSERT_EVENTS: &str = include_str!("sql/insert_events.sql");
pub(super) const INSERT_LINEAGE: &str = include_str!("sql/insert_lineage.sql");
pub(super) const INSERT_DEAD_LETTER: &str = include_str!("sql/insert_dead_letter.sql");

/// The most rows of one statement.
const CHUNK: usize = 1000;

impl Sqlite {
    pub(crate) async fn insert(&self, rows: &Rows) -> Result<[u64; 4], Error> {
        self.bounded("writing rows", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            let result = insert_all(&mut transaction, rows).await;
            match &result {
                Ok(_) => transaction.commit().await?,
                Err(e) if sql_class(e) == Class::Invalid => transaction.rollback().await?,
                // A full disk or a failed read may have ended the transaction already: the connection goes.
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

async fn insert_all(connection: &mut SqliteConnection, rows: &Rows) -> Result<[u64; 4], sqlx::Error> {
    Ok([
        insert(connection, UPSERT_RUNS, &rows.runs).await?,
        insert(connection, UPSERT_STEPS, &rows.steps).await?,
        insert(connection, INSERT_EVENTS, &rows.events).await?,
        insert(connection, INSERT_LINEAGE, &rows.lineage).await?,
    ])
}

/// The statement takes the rows as they serialise: their fields have the names of the columns.
pub(super) async fn insert<R: Serialize>(
    connection: &mut SqliteConnection,
    statement: &'static str,
    rows: &[R],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for chunk in rows.chunks(CHUNK) {
        let json = serde_json::to_string(chunk).map_err(|e| sqlx::Error::Encode(e.into()))?;
        changed += sqlx::query(statement).bind(json).execute(&mut *connection).await?.rows_affected();
    }
    Ok(changed)
}
