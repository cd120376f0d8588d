//! Late, repeated and disordered rows.

use crate::{
    harness::{Db, quick, start, start_with},
    rows::{batch, event, run, run_batch, run_record, step, step_record},
};
use hearth_history::RecordBatch;
use proptest::{
    prelude::*,
    test_runner::{Config, RngAlgorithm, RngSeed, TestRng, TestRunner},
};
use std::time::Duration;
use uuid::Uuid;

const RUNS: &str = "SELECT count(*) FROM hearth.runs";
const EVENTS: &str = "SELECT count(*) FROM hearth.events";

pub async fn a_late_row_changes_nothing(db: Db) {
    let mut w = start(&db.store());
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    w.send(run_batch(run(a, 3, "Running")));
    w.send(batch(a, 3, false, vec![step_record(step(a, "fit", 1, 3, "Running"))]));
    w.store(run_batch(run(b, 1, "Succeeded"))).await;
    // In a later flush, so that the database decides and not the reduction.
    w.send(batch(a, 2, false, vec![run_record(run(a, 2, "Pending")), step_record(step(a, "fit", 1, 2, "Waiting"))]));
    w.finish().await;
    assert_eq!(db.run(a).await, Some((3, "Running".into(), false)));
    assert_eq!(db.attempt(a, "fit", 1).await, Some((3, "Running".into(), false)));
}

pub async fn a_repeated_final_batch_is_acknowledged_again_and_writes_nothing(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let last = batch(id, 5, true, vec![run_record(run(id, 5, "Succeeded")), event_record(id)]);
    let first = w.store(last.clone()).await;
    let second = w.store(last).await;
    assert_eq!(first, second);
    assert_eq!((first.run_id.as_str(), first.seq, first.minimal), (id.to_string().as_str(), 5, false));
    let metrics = w.metrics();
    for table in ["runs", "events"] {
        let once = format!("hearth_history_rows_total{{table=\"{table}\"}} 1\n");
        assert!(metrics.contains(&once), "a row was written again: {metrics}");
    }
    assert_eq!((db.count(RUNS).await, db.count(EVENTS).await), (1, 1));
}

fn event_record(id: Uuid) -> hearth_plan::Record {
    hearth_plan::Record::Event(event(id, "run", "Succeeded", 5))
}

pub async fn terminal_is_terminal(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    w.store(batch(id, 5, true, vec![run_record(run(id, 5, "Failed")), step_record(step(id, "fit", 1, 5, "Failed"))]))
        .await;
    w.store(batch(
        id,
        9,
        true,
        vec![run_record(run(id, 9, "Succeeded")), step_record(step(id, "fit", 1, 9, "Succeeded"))],
    ))
    .await;
    w.send(batch(
        id,
        10,
        false,
        vec![run_record(run(id, 10, "Running")), step_record(step(id, "fit", 1, 10, "Running"))],
    ));
    w.finish().await;
    assert_eq!(db.run(id).await, Some((5, "Failed".into(), true)));
    assert_eq!(db.attempt(id, "fit", 1).await, Some((5, "Failed".into(), true)));
}

pub async fn an_event_is_kept_as_it_was_first(db: Db) {
    let w = start(&db.store());
    let id = Uuid::now_v7();
    let mut again = event(id, "run", "Running", 7);
    again.message = Some("derived again".into());
    w.send(batch(id, 1, false, vec![hearth_plan::Record::Event(event(id, "run", "Running", 1))]));
    w.send(batch(id, 7, false, vec![hearth_plan::Record::Event(again)]));
    w.finish().await;
    let seq = db.count("SELECT seq FROM hearth.events").await;
    assert_eq!((db.count(EVENTS).await, seq), (1, 1));
}

pub async fn attempts_and_items_are_rows_of_their_own(db: Db) {
    let w = start(&db.store());
    let id = Uuid::now_v7();
    let mut item = step(id, "fit", 1, 1, "Running");
    item.item = 1;
    let rows = vec![
        step(id, "fit", 1, 1, "Failed"),
        step(id, "fit", 2, 1, "Running"),
        item,
        step(id, "fit2", 1, 1, "Running"),
    ];
    w.send(batch(id, 1, false, rows.into_iter().map(step_record).collect()));
    w.finish().await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.steps").await, 4);
}

pub async fn a_batch_larger_than_a_flush_is_stored_whole(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let mut records: Vec<_> = (1..=2500).map(|n| step_record(step(id, "fit", n, 1, "Succeeded"))).collect();
    records.push(run_record(run(id, 1, "Succeeded")));
    w.store(batch(id, 1, true, records)).await;
    assert_eq!(db.count("SELECT count(*) FROM hearth.steps").await, 2500);
}

/// What the store must hold after these (seq, phase) rows came one after the other.
fn model(rows: &[(i64, &'static str)]) -> Option<(i64, String, bool)> {
    let mut kept: Option<(i64, &str, bool)> = None;
    for (seq, phase) in rows {
        let terminal = !matches!(*phase, "Pending" | "Running");
        match kept {
            Some((_, _, true)) => {}
            Some((old, _, false)) if *seq <= old => {}
            Some(_) | None => kept = Some((*seq, phase, terminal)),
        }
    }
    kept.map(|(seq, phase, terminal)| (seq, phase.to_owned(), terminal))
}

fn as_batches(id: Uuid, rows: &[(i64, &'static str)]) -> Vec<RecordBatch> {
    rows.iter().map(|(seq, phase)| RecordBatch { last: false, ..run_batch(run(id, *seq, phase)) }).collect()
}

/// However rows come and however they fall into flushes, the end is that of one row after the other.
pub async fn any_order_in_any_flush_ends_alike(db: Db) {
    const SEED: u64 = 20_261_121;
    println!("seed {SEED}");
    let handle = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let config =
            Config { cases: 48, failure_persistence: None, rng_seed: RngSeed::Fixed(SEED), ..Config::default() };
        let seed: Vec<u8> = SEED.to_le_bytes().repeat(4);
        let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let phase = prop::sample::select(vec!["Pending", "Running", "Running", "Succeeded", "Failed"]);
        let rows = prop::collection::vec((1i64..8, phase), 1..12);
        runner
            .run(&(rows, any::<bool>()), |(rows, one_by_one)| {
                let id = Uuid::now_v7();
                let got = handle.block_on(async {
                    let pace = if one_by_one {
                        hearth_history::Pace { rows: 1, linger: Duration::ZERO, ..quick() }
                    } else {
                        quick()
                    };
                    let w = start_with(&db.store(), pace, 64);
                    as_batches(id, &rows).into_iter().for_each(|b| w.send(b));
                    w.finish().await;
                    db.run(id).await
                });
                prop_assert_eq!(got, model(&rows));
                Ok(())
            })
            .unwrap();
    });
    work.await.unwrap();
}
