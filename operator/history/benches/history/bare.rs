//! The least that can be done: the same events, one statement and one commit per thousand rows, one connection, no
//! reduction, no tombstones, no partitions. What is sent is made before the clock starts.

use crate::feed;
use anyhow::Result;
use hearth_plan::record::EventRow;
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Rows of a commit.
const ROWS: usize = 1000;

const POSTGRES: &str = "INSERT INTO public.bare (run_id, subject, transition, seq, at, reason, message) \
     SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[]::timestamptz[], $6::text[], $7::text[]) ON CONFLICT DO NOTHING";
const SQLITE: &str = "INSERT INTO bare (run_id, subject, transition, seq, at, reason, message) \
     SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING";

/// A connection and its table.
pub enum Bare {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Bare {
    pub async fn postgres(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        connection
            .execute(
                "CREATE TABLE public.bare (run_id uuid NOT NULL, subject text NOT NULL, transition text NOT NULL, seq bigint NOT NULL, \
                 at timestamptz NOT NULL, reason text, message text, PRIMARY KEY (run_id, subject, transition))",
            )
            .await?;
        Ok(Self::Postgres(connection))
    }

    pub async fn sqlite(file: &Path) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        connection
            .execute(
                "CREATE TABLE bare (run_id TEXT NOT NULL, subject TEXT NOT NULL, transition TEXT NOT NULL, seq INTEGER NOT NULL, \
                 at TEXT NOT NULL, reason TEXT, message TEXT, PRIMARY KEY (run_id, subject, transition)) STRICT, WITHOUT ROWID",
            )
            .await?;
        Ok(Self::Sqlite(connection))
    }

    /// Writes the events of these runs, and says how long that took.
    pub async fn write(&mut self, runs: &[Uuid]) -> Result<Duration> {
        let rows: Vec<EventRow> = runs.iter().flat_map(|id| (0..feed::EVENTS).map(|n| feed::event(*id, n))).collect();
        match self {
            Self::Postgres(connection) => postgres(connection, &rows).await,
            Self::Sqlite(connection) => sqlite(connection, &rows).await,
        }
    }
}

async fn postgres(connection: &mut PgConnection, rows: &[EventRow]) -> Result<Duration> {
    let mut spent = Duration::ZERO;
    for chunk in rows.chunks(ROWS) {
        let ids: Vec<Uuid> = chunk.iter().map(|e| e.run_id.parse()).collect::<Result<_, _>>()?;
        let times: Vec<String> = chunk.iter().map(|e| e.at.to_string()).collect();
        let query = sqlx::query(POSTGRES)
            .bind(ids)
            .bind(chunk.iter().map(|e| e.subject.as_str()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|e| e.transition.as_str()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|e| e.seq).collect::<Vec<_>>())
            .bind(times)
            .bind(chunk.iter().map(|e| e.reason.as_deref()).collect::<Vec<_>>())
            .bind(chunk.iter().map(|e| e.message.as_deref()).collect::<Vec<_>>());
        let begun = Instant::now();
        query.execute(&mut *connection).await?;
        spent += begun.elapsed();
    }
    Ok(spent)
}

async fn sqlite(connection: &mut SqliteConnection, rows: &[EventRow]) -> Result<Duration> {
    let mut spent = Duration::ZERO;
    for chunk in rows.chunks(ROWS) {
        let tuples: Vec<_> =
            chunk.iter().map(|e| (&e.run_id, &e.subject, &e.transition, e.seq, &e.at, &e.reason, &e.message)).collect();
        let json = serde_json::to_string(&tuples)?;
        let begun = Instant::now();
        sqlx::query(SQLITE).bind(json).execute(&mut *connection).await?;
        spent += begun.elapsed();
    }
    Ok(spent)
}
