//! Connections: one for writers, a few for readers. What is answered is on the disk: WAL with `synchronous = FULL`.

use crate::store::Limits;
use sqlx::{
    ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, Instant},
};

/// Connections of the API's queries.
const READERS: u32 = 4;
/// How many steps of SQLite's machine go by between two looks at the clock.
const LOOK: i32 = 20_000;

fn options(file: &Path, limit: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(limit * 4 / 5)
        // 32 MiB of pages, and a log that shrinks again after a burst.
        .pragma("cache_size", "-32768")
        .pragma("journal_size_limit", "67108864")
        .pragma("trusted_schema", "OFF")
        // The container has no other place to write to.
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

/// A new connection for writing. The file is made when it is not there, readable by its owner alone.
pub(super) async fn open(file: &Path, limits: Limits) -> Result<SqliteConnection, sqlx::Error> {
    make(file).map_err(sqlx::Error::Io)?;
    let options = options(file, limits.write);
    let opening = SqliteConnection::connect_with(&options);
    tokio::time::timeout(limits.connect, opening)
        .await
        .map_err(|_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "not opened in time")))?
}

/// SQLite gives the files beside it (the log and its index) the mode of the first.
fn make(file: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            // A read-only volume that holds the file is found by the first write.
            if file.exists() { Ok(()) } else { Err(e) }
        }
        _ => Ok(()),
    }
}

/// The readers; each is opened when it is needed.
pub(super) fn readers(file: &Path, limits: Limits) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(limits.connect)
        .connect_lazy_with(options(file, limits.read).pragma("query_only", "ON"))
}

/// Lets what runs on this connection end by itself when `limit` is over: a query that nobody waits for would go on.
pub(super) async fn end_after(connection: &mut SqliteConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let begun = Instant::now();
    connection.lock_handle().await?.set_progress_handler(LOOK, move || begun.elapsed() < limit);
    Ok(())
}
