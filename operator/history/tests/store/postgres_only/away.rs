//! The store is not there, not ready, hangs or comes back; and what is acknowledged when.

use crate::{
    harness::{Db, quick, short, start, start_with, until, with_postgres},
    postgres_only::proxy::{Proxy, Wire},
    rows::{run, run_batch},
};
use hearth_history::{Class, Error, Order, RunFilter, connect_with};
use sqlx::{Connection, Executor, PgConnection};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::error::TryRecvError;
use uuid::Uuid;

/// How many backends of this database wait for a lock.
async fn waiting(db: &Db) -> i64 {
    db.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        .await
}

/// Other operators of the suite run beside: a limit that was kept may look like twice that.
fn soon(began: Instant) {
    assert!(began.elapsed() < Duration::from_secs(5), "took {:?}", began.elapsed());
}

#[tokio::test]
async fn killed_backends_lose_nothing() {
    with_postgres(|db| async move {
        let mut w = start(&db.store());
        for n in 0..5 {
            let id = Uuid::now_v7();
            w.store(run_batch(run(id, 1, "Succeeded"))).await;
            let killed = db.count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hearth'").await;
            assert!(killed > 0, "round {n}: there was no connection to kill");
        }
        w.store(run_batch(run(Uuid::now_v7(), 1, "Succeeded"))).await;
        assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 6);
    })
    .await;
}

#[tokio::test]
async fn away_and_back_loses_nothing_and_a_full_queue_says_so() {
    with_postgres(|db| async move {
        let proxy = Proxy::to(&db).await;
        let mut w = start_with(&connect_with(&proxy.dsn, short()).unwrap(), quick(), 8);
        w.wait_up(true).await;
        proxy.set(Wire::Cut);
        w.wait_up(false).await;
        let mut sent = Vec::new();
        // One flush is held by the writer; the queue fills behind it, and then the sender is told at once.
        until("the queue is full", || {
            let id = Uuid::now_v7();
            let full = w.batches.try_send(run_batch(run(id, 1, "Succeeded"))).is_err();
            if !full {
                sent.push(id);
            }
            async move { full }
        })
        .await;
        assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
        assert!(!*w.up.borrow());
        proxy.set(Wire::Flows);
        let mut acked = Vec::new();
        for _ in &sent {
            acked.push(w.ack().await.run_id);
        }
        acked.sort();
        sent.sort();
        assert_eq!(acked, sent.iter().map(Uuid::to_string).collect::<Vec<_>>());
        assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, i64::try_from(sent.len()).unwrap());
        w.wait_up(true).await;
    })
    .await;
}

#[tokio::test]
async fn a_hung_store_costs_its_limit_and_no_more() {
    with_postgres(|db| async move {
        let proxy = Proxy::to(&db).await;
        let store = connect_with(&proxy.dsn, short()).unwrap();
        let mut w = start(&store);
        w.wait_up(true).await;
        store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 10).await.unwrap();
        proxy.set(Wire::Hangs);
        let id = Uuid::now_v7();
        let began = Instant::now();
        w.send(run_batch(run(id, 1, "Succeeded")));
        w.wait_up(false).await;
        soon(began);
        for _ in 0..2 {
            let began = Instant::now();
            let error = store.get_run(id).await.unwrap_err();
            assert!(matches!(error, Error::Timeout { .. }), "{error}");
            assert_eq!(error.class(), Class::Transient);
            soon(began);
        }
        assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
        proxy.set(Wire::Flows);
        assert_eq!(w.ack().await.run_id, id.to_string());
        until("reads work again", || async { matches!(store.get_run(id).await, Ok(Some(_))) }).await;
        assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_locked_table_is_waited_for_without_blocking_for_ever() {
    with_postgres(|db| async move {
        let store = connect_with(db.dsn(), short()).unwrap();
        let mut w = start(&store);
        w.wait_up(true).await;
        let mut other = PgConnection::connect_with(db.options()).await.unwrap();
        let mut lock = other.begin().await.unwrap();
        lock.execute("LOCK TABLE hearth.runs IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let id = Uuid::now_v7();
        w.send(run_batch(run(id, 1, "Succeeded")));
        w.wait_up(false).await;
        let began = Instant::now();
        assert_eq!(store.get_run(id).await.unwrap_err().class(), Class::Transient);
        soon(began);
        lock.rollback().await.unwrap();
        assert_eq!(w.ack().await.run_id, id.to_string());
        w.wait_up(true).await;
        // The server gave up by itself each time: nothing of ours is left behind.
        until("no backend waits", || async { waiting(&db).await == 0 }).await;
        assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_ack_comes_after_the_commit_only() {
    with_postgres(|db| async move {
        let mut w = start(&db.store());
        w.wait_up(true).await;
        let id = Uuid::now_v7();
        // A deferred trigger that wants a lock makes the commit itself wait.
        let setup = "CREATE TABLE public.gate (); \
             CREATE FUNCTION public.at_commit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOCK TABLE public.gate IN SHARE MODE; RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON hearth.runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.at_commit()";
        db.sql().execute(setup).await.unwrap();
        let mut other = PgConnection::connect_with(db.options()).await.unwrap();
        let mut lock = other.begin().await.unwrap();
        lock.execute("LOCK TABLE public.gate IN ACCESS EXCLUSIVE MODE").await.unwrap();
        w.send(run_batch(run(id, 1, "Succeeded")));
        until("the commit waits", || async { waiting(&db).await == 1 }).await;
        assert_eq!(db.run(id).await, None, "not committed yet");
        assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
        lock.rollback().await.unwrap();
        assert_eq!(w.ack().await.run_id, id.to_string());
        assert!(db.run(id).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn a_writer_without_senders_and_without_a_store_ends() {
    with_postgres(|db| async move {
        let proxy = Proxy::to(&db).await;
        let mut w = start(&connect_with(&proxy.dsn, short()).unwrap());
        w.wait_up(true).await;
        proxy.set(Wire::Cut);
        w.send(run_batch(run(Uuid::now_v7(), 1, "Succeeded")));
        w.finish().await;
        assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 0);
    })
    .await;
}

/// A database that its administrator made read-only is away to the writer, and still there to readers.
#[tokio::test]
async fn a_read_only_database_is_waited_for_and_can_be_read() {
    with_postgres(|db| async move {
        let store = connect_with(db.dsn(), short()).unwrap();
        let mut w = start(&store);
        let before = Uuid::now_v7();
        w.store(run_batch(run(before, 1, "Succeeded"))).await;
        let name = db.options().get_database().unwrap();
        let set = |value: &str| sqlx::AssertSqlSafe(format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}"));
        db.sql().execute(set("on")).await.unwrap();
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hearth'";
        assert!(db.count(kill).await > 0);
        w.wait_up(false).await;
        let id = Uuid::now_v7();
        w.send(run_batch(run(id, 1, "Succeeded")));
        until("the writer tries and fails", || async {
            w.metrics().contains("hearth_history_failures_total{class=\"transient\"}")
        })
        .await;
        assert_eq!(store.vanish(&[before]).await.unwrap_err().class(), Class::Transient);
        until("reads go on", || async { matches!(store.get_run(before).await, Ok(Some(_))) }).await;
        assert_eq!(w.acks.try_recv(), Err(TryRecvError::Empty));
        let mut admin = PgConnection::connect_with(db.options()).await.unwrap();
        admin.execute("SET default_transaction_read_only = off").await.unwrap();
        admin.execute(set("off")).await.unwrap();
        assert_eq!(w.ack().await.run_id, id.to_string());
        w.wait_up(true).await;
        assert_eq!(db.count("SELECT count(*) FROM hearth.dead_letter").await, 0);
    })
    .await;
}
