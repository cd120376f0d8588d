//! The writers' one connection, made when it is needed; and the limit that every operation has on this side.

use crate::error::Error;
use std::{future::Future, time::Duration};
use tokio::sync::{Mutex, MutexGuard};

/// A connection that its users take in turn.
pub(crate) struct Link<C> {
    slot: Mutex<Option<C>>,
}

impl<C> Default for Link<C> {
    fn default() -> Self {
        Self { slot: Mutex::new(None) }
    }
}

impl<C> Link<C> {
    /// Takes the connection, or opens one. While it is held nobody else has it; if the holder is cancelled or fails, it
    /// is closed.
    pub async fn hold<F>(&self, open: impl FnOnce() -> F) -> Result<Held<'_, C>, sqlx::Error>
    where
        F: Future<Output = Result<C, sqlx::Error>>,
    {
        let mut slot = self.slot.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => open().await?,
        };
        Ok(Held { connection, slot })
    }
}

/// The connection in use. It is dropped unless it is kept at the end, so a broken one is never used twice.
pub(crate) struct Held<'a, C> {
    pub connection: C,
    slot: MutexGuard<'a, Option<C>>,
}

impl<C> Held<'_, C> {
    /// Gives it back for the next one.
    pub fn keep(mut self) {
        *self.slot = Some(self.connection);
    }
}

/// Runs `work`, but no longer than `limit`, whatever the store does.
pub(crate) async fn bounded<T>(
    store: &str,
    limit: Duration,
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(limit, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(source)) => Err(Error::of_driver(store, operation, source)),
        Err(_) => Err(Error::Timeout { store: store.to_owned(), operation, limit }),
    }
}
