//! Bad rows and odd text: one bad row stops nobody.

use crate::{
    harness::{Db, start},
    rows::{batch, event, object, run, run_batch, run_record, step, step_record},
};
use hearth_crds::time::Time;
use hearth_plan::record::Record;
use serde_json::{Value, json};
use uuid::Uuid;

type Spoil = fn(&mut hearth_plan::record::RunRow, &str);

const LETTERS: &str = "SELECT count(*) FROM hearth.dead_letter";

pub async fn a_bad_row_is_found_among_many_and_the_rest_goes_on(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let mut records: Vec<Record> = (1..=1500).map(|n| step_record(step(id, "fit", n, 1, "Succeeded"))).collect();
    records.insert(700, step_record(step(id, "odd", 1, 1, "NoSuchPhase")));
    let mut negative = step(id, "odd", 2, 1, "Failed");
    negative.item = -1;
    records.insert(1200, step_record(negative));
    records.push(Record::Event(event(id, "run", "Succeeded", 1)));
    records.push(run_record(run(id, 1, "Succeeded")));
    let ack = w.store(batch(id, 1, true, records)).await;
    assert!(!ack.minimal, "the run's own row was good");
    assert_eq!(db.count("SELECT count(*) FROM hearth.steps").await, 1500);
    assert_eq!(db.count("SELECT count(*) FROM hearth.events").await, 1);
    let letters = db.letters().await;
    assert_eq!(letters.len(), 2);
    for (kind, run_id, error, content) in letters {
        assert_eq!((kind.as_str(), run_id), ("steps", id.to_string()));
        assert!(error.to_lowercase().contains("check constraint"), "{error}");
        assert!(content.contains("\"odd\""), "{content}");
    }
    let metrics = w.metrics();
    assert!(metrics.contains("hearth_history_dead_letters_total{table=\"steps\"} 2"), "{metrics}");
    assert!(metrics.contains("hearth_history_rows_total{table=\"steps\"} 1500"), "{metrics}");
}

pub async fn a_refused_run_is_stored_in_minimal_form_and_that_is_its_ack(db: Db) {
    let mut w = start(&db.store());
    let (id, neighbour) = (Uuid::now_v7(), Uuid::now_v7());
    let mut bad = run(id, 4, "Failed");
    // Beyond what a store can hold as a time.
    bad.started_at = Time::from_millis(-377_000_000_000_000);
    bad.params = json!({"window": 12});
    w.send(run_batch(run(neighbour, 2, "Succeeded")));
    w.send(run_batch(bad));
    let acks = [w.ack().await, w.ack().await];
    let of = |id: Uuid| acks.iter().find(|a| a.run_id == id.to_string()).unwrap();
    assert!(of(id).minimal);
    assert_eq!(of(id).seq, 4);
    assert!(!of(neighbour).minimal);
    assert_eq!(db.run(neighbour).await, Some((2, "Succeeded".into(), true)));
    let stored = db.store().get_run(id).await.unwrap().unwrap();
    assert!(stored.summary.minimal && stored.summary.terminal);
    assert_eq!(stored.summary.phase, "Failed");
    assert_eq!(stored.summary.name, "co2");
    let message = stored.summary.message.unwrap();
    assert!(message.starts_with("only the minimal record of this run was stored: the history store"), "{message}");
    assert_eq!(stored.summary.finished_at, Some(crate::rows::time(1500)));
    assert_eq!(stored.params, json!({}));
    let (_, _, _, content) = db.letters().await.remove(0);
    assert!(content.contains("window"), "nothing of the row is lost: {content}");
    assert!(w.metrics().contains("hearth_history_minimal_runs_total 1"));
}

pub async fn every_way_a_run_row_can_be_bad_ends_in_a_row(db: Db) {
    let mut w = start(&db.store());
    let noise: String = (0..600).map(|_| Uuid::new_v4().to_string()).collect();
    let bad: [(&str, Spoil); 4] = [
        ("phase", |r, _| r.phase = "Odd".into()),
        ("number", |r, _| r.number = -1),
        ("too long for an index", |r, noise| r.object.name = noise.into()),
        ("time", |r, _| r.finished_at = Some(Time::from_millis(-377_000_000_000_000))),
    ];
    for (what, spoil) in bad {
        let id = Uuid::now_v7();
        let mut row = run(id, 3, "Succeeded");
        spoil(&mut row, &noise);
        let ack = w.store(run_batch(row)).await;
        assert!(ack.minimal, "{what}");
        assert!(db.run(id).await.is_some_and(|(_, _, terminal)| terminal), "{what}");
    }
}

pub async fn a_run_id_that_is_none_ends_as_a_letter_with_an_ack(db: Db) {
    let mut w = start(&db.store());
    let mut row = run(Uuid::now_v7(), 1, "Failed");
    row.id = "not\0a-uuid".into();
    let ack = w.store(run_batch(row)).await;
    assert!(ack.minimal);
    assert_eq!(ack.object, object("co2"));
    assert_eq!((db.count(LETTERS).await, db.count("SELECT count(*) FROM hearth.runs").await), (1, 0));
}

pub async fn the_same_bad_row_again_counts_up(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let bad =
        batch(id, 1, true, vec![step_record(step(id, "odd", 1, 1, "NoSuchPhase")), run_record(run(id, 1, "Failed"))]);
    w.store(bad.clone()).await;
    w.store(bad).await;
    assert_eq!((db.count(LETTERS).await, db.count("SELECT times FROM hearth.dead_letter").await), (1, 2));
}

pub async fn odd_text_is_stored_and_read_back(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let odd = "tab\t nl\n quote\"' back\\slash \\u0000 \\ud800 {} %s $1 \u{202e} \u{7f} \u{1} 𝄞 \u{fffe}";
    let mut row = run(id, 1, "Failed");
    row.message = Some(format!("{odd}\0end"));
    row.params = json!({"text": odd, "nul\0key": ["a\0b", {"deep": "\0"}], "n": 1.5e300});
    row.labels = [("k\0".to_owned(), odd.to_owned())].into();
    row.owner = "\0".into();
    let mut attempt = step(id, "fit", 1, 1, "Failed");
    attempt.log = Some(format!("{odd}\0\0"));
    attempt.outputs = json!({"x\0": "\0"});
    let mut transition = event(id, "step/fit\0/1", "Failed", 1);
    transition.message = Some("\0".into());
    let ack = w.store(batch(id, 1, true, vec![run_record(row), step_record(attempt), Record::Event(transition)])).await;
    assert!(!ack.minimal);
    assert_eq!(db.count(LETTERS).await, 0);
    let store = db.store();
    let stored = store.get_run(id).await.unwrap().unwrap();
    assert_eq!(stored.summary.message.unwrap(), format!("{odd}\u{fffd}end"));
    assert_eq!(
        stored.params,
        json!({"text": odd, "nul\u{fffd}key": ["a\u{fffd}b", {"deep": "\u{fffd}"}], "n": 1.5e300})
    );
    assert_eq!(stored.labels, [("k\u{fffd}".to_owned(), odd.to_owned())].into());
    assert_eq!(stored.summary.owner, "\u{fffd}");
    let log = store.get_log(id, "fit", 0, Some(1)).await.unwrap().unwrap();
    assert_eq!(log.log.unwrap(), format!("{odd}\u{fffd}\u{fffd}"));
    let events = store.list_events(id, None, 10).await.unwrap().items;
    assert_eq!(events[0].subject, "step/fit\u{fffd}/1");
    let steps = store.list_steps(id, None, 10).await.unwrap().items;
    assert_eq!(steps[0].outputs, json!({"x\u{fffd}": "\u{fffd}"}));
}

/// What is no number comes as text: JSON has none. What is one comes back as it was.
pub async fn numbers_of_any_size_are_read_back(db: Db) {
    let mut w = start(&db.store());
    let id = Uuid::now_v7();
    let mut row = run(id, 1, "Succeeded");
    row.results = json!({
        "loss": "NaN", "best": "-Infinity", "none": f64::NAN, "large": 1.5e300, "small": -2.5e-300,
        "most": u64::MAX, "least": i64::MIN, "half": 0.5,
    });
    let wanted = row.results.clone();
    assert_eq!(wanted["none"], json!(null));
    assert!(!w.store(run_batch(row)).await.minimal);
    assert_eq!(db.store().get_run(id).await.unwrap().unwrap().results, wanted);
}

pub async fn json_of_any_shape_is_stored(db: Db) {
    let mut w = start(&db.store());
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for value in [Value::Null, json!("text"), json!(3), json!([]), deep] {
        let id = Uuid::now_v7();
        let mut row = run(id, 1, "Succeeded");
        row.results = value.clone();
        row.spec = value.clone();
        assert!(!w.store(run_batch(row)).await.minimal, "{value}");
        assert_eq!(db.store().get_run(id).await.unwrap().unwrap().results, value);
    }
}
