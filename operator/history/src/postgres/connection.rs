//! Connections: one for writers, a pool for readers. Each has an empty search_path and limits of its own on the
//! server, a little below ours, so that a server that is well gives up before we do and leaves nothing behind.

use crate::store::Limits;
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::{
    io,
    sync::{PoisonError, RwLock},
    time::Duration,
};

/// Connections of the API's queries.
const READERS: u32 = 6;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Reads,
    Writes,
}

/// Commits are durable when they are answered, whatever the server's default.
const SETTINGS: &str = "SELECT set_config('search_path', '', false), set_config('TimeZone', 'UTC', false), \
     set_config('statement_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $2, false), \
     set_config('default_transaction_read_only', coalesce($3, current_setting('default_transaction_read_only')), false), \
     set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)";

async fn settle(connection: &mut PgConnection, purpose: Use, limit: Duration) -> Result<(), sqlx::Error> {
    let read_only = match purpose {
        Use::Reads => Some("on"),
        // Whoever made the database read-only meant it.
        Use::Writes => None,
    };
    sqlx::query(SETTINGS)
        .bind((limit.as_millis() * 4 / 5).max(1).to_string())
        .bind((limit.as_millis() * 2).to_string())
        .bind(read_only)
        .execute(connection)
        .await?;
    Ok(())
}

/// A new connection for writing, with a limit for its statements.
pub(super) async fn open(
    options: &PgConnectOptions,
    connect: Duration,
    statements: Duration,
) -> Result<PgConnection, sqlx::Error> {
    let opening = async {
        let mut connection = PgConnection::connect_with(options).await?;
        settle(&mut connection, Use::Writes, statements).await?;
        Ok(connection)
    };
    tokio::time::timeout(connect, opening)
        .await
        .map_err(|_| sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no connection in time")))?
}

/// The readers' pool, which can be made anew.
pub(super) struct Readers {
    options: PgConnectOptions,
    limits: Limits,
    pool: RwLock<PgPool>,
}

impl Readers {
    pub fn new(options: PgConnectOptions, limits: Limits) -> Self {
        let pool = RwLock::new(make(options.clone(), limits));
        Self { options, limits, pool }
    }

    pub fn pool(&self) -> PgPool {
        self.pool.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new pool in the place of `old`, once.
    pub fn renew(&self, old: &PgPool) {
        let mut pool = self.pool.write().unwrap_or_else(PoisonError::into_inner);
        // Only one of those that failed together finds it open.
        if old.is_closed() {
            return;
        }
        *pool = make(self.options.clone(), self.limits);
        // The call marks it closed. Nobody waits for its connections, which may hang: those in use are closed when they
        // come back, the others with the last clone of the pool.
        drop(old.close());
    }
}

fn make(options: PgConnectOptions, limits: Limits) -> PgPool {
    PgPoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(limits.connect)
        .after_connect(move |connection, _| Box::pin(async move { settle(connection, Use::Reads, limits.read).await }))
        .connect_lazy_with(options)
}
