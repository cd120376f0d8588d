//! What is acknowledged when, and what the writer does at its end.

use crate::{
    harness::{Db, quick, short, start, start_with},
    rows::{run, run_batch},
};
use hearth_history::Class;
use tokio::sync::mpsc::error::TryRecvError;
use uuid::Uuid;

pub async fn the_last_flush_is_stored_before_the_writer_ends(db: Db) {
    let w = start(&db.store());
    for _ in 0..50 {
        w.send(run_batch(run(Uuid::now_v7(), 1, "Running")));
    }
    w.finish().await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 50);
}

/// Whoever holds the store locked makes the writer wait, and neither an answer nor a row comes of it.
pub async fn a_locked_store_is_waited_for_without_blocking_for_ever(db: Db) {
    let store = db.store_with(short());
    let mut w = start_with(&store, quick(), 64);
    w.wait_up(true).await;
    let lock = db.lock().await;
    let id = Uuid::now_v7();
    w.send(run_batch(run(id, 1, "Succeeded")));
    w.wait_up(false).await;
    assert_eq!(store.vanish(&[id]).await.unwrap_err().class(), Class::Transient);
    assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
    lock.release().await;
    assert_eq!(w.ack().await.run_id, id.to_string());
    w.wait_up(true).await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 1);
}

/// A place where no store can be: made all the same, and each use says that it is away.
pub async fn a_store_that_was_never_there_is_made_without_it(db: Db) {
    let store = db.nowhere();
    let error = store.migrate().await.unwrap_err();
    assert_eq!(error.class(), Class::Transient, "{error}");
    assert!(!error.to_string().contains("hidden"), "{error}");
    assert_eq!(store.healthy().await.unwrap_err().class(), Class::Transient);
    let mut w = start(&store);
    w.send(run_batch(run(Uuid::now_v7(), 1, "Succeeded")));
    assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
    w.finish().await;
}
