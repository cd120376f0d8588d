//! What is read back: filters, pages, order.

use crate::{
    harness::{Db, start},
    rows::{batch, event, run, run_batch, run_record, step, step_record, time},
};
use hearth_history::{Order, RunCursor, RunFilter, Store};
use hearth_plan::record::{Record, RunRow};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

async fn fill(db: &Db, rows: Vec<RunRow>) {
    let w = start(&db.store());
    rows.into_iter().for_each(|r| w.send(run_batch(r)));
    w.finish().await;
}

async fn all_pages(store: &Store, filter: &RunFilter, order: Order, limit: u32) -> Vec<Uuid> {
    let mut seen = Vec::new();
    let mut after: Option<RunCursor> = None;
    for _ in 0..100 {
        let page = store.list_runs(filter, order, after, limit).await.unwrap();
        assert!(page.items.len() <= usize::try_from(limit).unwrap());
        seen.extend(page.items.iter().map(|r| r.id));
        match page.next {
            Some(next) => after = Some(next),
            None => return seen,
        }
    }
    panic!("pages without end");
}

pub async fn paging_is_exact_under_equal_times(db: Db) {
    let mut ids: Vec<Uuid> = (0..23).map(|_| Uuid::now_v7()).collect();
    // Eleven at one time, twelve at another; ids alone order within.
    let rows = ids
        .iter()
        .enumerate()
        .map(|(n, id)| RunRow { started_at: time(i64::from(n % 2 == 0)), ..run(*id, 1, "Running") });
    fill(&db, rows.collect()).await;
    let store = db.store();
    let late: Vec<Uuid> = ids.iter().copied().step_by(2).collect();
    ids.retain(|id| !late.contains(id));
    let oldest_first: Vec<Uuid> = ids.iter().chain(&late).copied().collect();
    let newest_first: Vec<Uuid> = oldest_first.iter().rev().copied().collect();
    for limit in [1, 4, 11, 12, 22, 23, 24, 500] {
        assert_eq!(
            all_pages(&store, &RunFilter::default(), Order::NewestFirst, limit).await,
            newest_first,
            "limit {limit}"
        );
        assert_eq!(
            all_pages(&store, &RunFilter::default(), Order::OldestFirst, limit).await,
            oldest_first,
            "limit {limit}"
        );
    }
    let exact = store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 23).await.unwrap();
    assert_eq!(exact.next, None, "a page that holds all has no next");
}

pub async fn new_runs_do_not_move_a_page(db: Db) {
    let ids: Vec<Uuid> = (0..6).map(|_| Uuid::now_v7()).collect();
    fill(&db, ids.iter().map(|id| run(*id, 1, "Running")).collect()).await;
    let store = db.store();
    let first = store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 3).await.unwrap();
    fill(&db, vec![RunRow { started_at: time(9), ..run(Uuid::now_v7(), 1, "Running") }]).await;
    let second = store.list_runs(&RunFilter::default(), Order::NewestFirst, first.next, 3).await.unwrap();
    let seen: Vec<Uuid> = first.items.iter().chain(&second.items).map(|r| r.id).collect();
    assert_eq!(seen, ids.into_iter().rev().collect::<Vec<_>>());
}

pub async fn a_page_has_between_one_and_five_hundred_rows(db: Db) {
    fill(&db, (0..510).map(|_| run(Uuid::now_v7(), 1, "Running")).collect()).await;
    let store = db.store();
    for (asked, got) in [(0, 1), (1, 1), (500, 500), (u32::MAX, 500)] {
        assert_eq!(
            store.list_runs(&RunFilter::default(), Order::NewestFirst, None, asked).await.unwrap().items.len(),
            got,
            "limit {asked}"
        );
    }
}

fn odd_one(id: Uuid) -> RunRow {
    let mut odd = run(id, 2, "Failed");
    odd.object.kind = "TrainingJob".into();
    odd.object.namespace = "lab".into();
    odd.object.name = "burgers".into();
    odd.object.uid = "uid-odd".into();
    odd.namespace_uid = "ns-uid-2".into();
    odd.reason = Some("StepFailed".into());
    odd.trigger = "Rerun".into();
    odd.owner = "o'brien; DROP TABLE hearth.runs".into();
    odd.labels = [("team".to_owned(), "heat".to_owned()), ("tier".to_owned(), "gold".to_owned())].into();
    odd.params = json!({"window": 24, "mode": "slow", "flag": true});
    odd.started_at = time(60_000);
    odd.finished_at = Some(time(70_000));
    odd
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn pairs(key: &str, value: &str) -> std::collections::BTreeMap<String, String> {
    [(key.to_owned(), value.to_owned())].into()
}

/// Each filter tells one odd run from a plain one.
pub async fn each_filter_narrows(db: Db) {
    let (plain, odd) = (Uuid::now_v7(), Uuid::now_v7());
    let mut w = start(&db.store());
    let mut failed = step(odd, "fit", 1, 2, "Failed");
    failed.class = Some("Application".into());
    w.store(run_batch(run(plain, 1, "Succeeded"))).await;
    w.store(batch(odd, 2, true, vec![run_record(odd_one(odd)), step_record(failed)])).await;
    let f = RunFilter::default;
    let cases = [
        ("kind", RunFilter { kind: text("TrainingJob"), ..f() }),
        ("namespaces", RunFilter { namespaces: Some(vec!["x".into(), "lab".into()]), ..f() }),
        ("namespace", RunFilter { namespaces: Some(vec!["lab".into()]), ..f() }),
        ("namespace_uids", RunFilter { namespace_uids: Some(vec!["ns-uid-2".into()]), ..f() }),
        ("two namespace_uids", RunFilter { namespace_uids: Some(vec!["".into(), "ns-uid-2".into()]), ..f() }),
        ("phase", RunFilter { phases: vec!["Failed".into()], ..f() }),
        ("name", RunFilter { name: text("burgers"), ..f() }),
        ("uid", RunFilter { uid: text("uid-odd"), ..f() }),
        ("phases", RunFilter { phases: vec!["Cancelled".into(), "Failed".into()], ..f() }),
        ("reason", RunFilter { reason: text("StepFailed"), ..f() }),
        ("class", RunFilter { class: text("Application"), ..f() }),
        ("trigger", RunFilter { trigger: text("Rerun"), ..f() }),
        ("owner", RunFilter { owner: text("o'brien; DROP TABLE hearth.runs"), ..f() }),
        ("label", RunFilter { labels: pairs("team", "heat"), ..f() }),
        ("another label", RunFilter { labels: pairs("tier", "gold"), ..f() }),
        ("number param", RunFilter { params: pairs("window", "24"), ..f() }),
        ("text param", RunFilter { params: pairs("mode", "slow"), ..f() }),
        ("flag param", RunFilter { params: pairs("flag", "true"), ..f() }),
        ("from", RunFilter { from: Some(time(1)), ..f() }),
        ("from, inclusive", RunFilter { from: Some(time(60_000)), ..f() }),
        ("duration", RunFilter { min_duration: Some(Duration::from_secs(10)), ..f() }),
        (
            "all of it",
            RunFilter {
                kind: text("TrainingJob"),
                labels: pairs("team", "heat"),
                params: pairs("mode", "slow"),
                from: Some(time(1)),
                to: Some(time(60_001)),
                ..f()
            },
        ),
    ];
    let store = db.store();
    for (what, filter) in cases {
        assert_eq!(all_pages(&store, &filter, Order::NewestFirst, 10).await, [odd], "{what}");
    }
    let before = RunFilter { to: Some(time(60_000)), ..f() };
    assert_eq!(all_pages(&store, &before, Order::NewestFirst, 10).await, [plain], "to, exclusive");
    for (what, nothing) in [
        ("no namespace may be seen", RunFilter { namespaces: Some(vec![]), ..f() }),
        ("no namespace's UID may be seen", RunFilter { namespace_uids: Some(vec![]), ..f() }),
        ("longer than any", RunFilter { min_duration: Some(Duration::from_millis(10_001)), ..f() }),
        ("quotes are data", RunFilter { name: text("' OR true --"), ..f() }),
        ("NUL is data", RunFilter { owner: text("\0"), labels: pairs("\0", "\0"), params: pairs("\0", "\0"), ..f() }),
    ] {
        assert_eq!(all_pages(&store, &nothing, Order::NewestFirst, 10).await, [] as [Uuid; 0], "{what}");
    }
}

pub async fn a_run_is_read_back_whole(db: Db) {
    let id = Uuid::now_v7();
    fill(&db, vec![odd_one(id)]).await;
    let store = db.store();
    let got = store.get_run(id).await.unwrap().unwrap();
    let want = odd_one(id);
    let s = &got.summary;
    assert_eq!(
        (s.id, s.cluster.as_str(), s.kind.as_str(), s.namespace.as_str(), s.name.as_str(), s.uid.as_str()),
        (id, "cluster-1", "TrainingJob", "lab", "burgers", "uid-odd")
    );
    assert_eq!(
        (s.namespace_uid.as_str(), s.number, s.phase.as_str(), s.terminal, s.reason.as_deref(), s.trigger.as_str()),
        ("ns-uid-2", 1, "Failed", true, Some("StepFailed"), "Rerun")
    );
    assert_eq!(
        (s.started_at, s.finished_at, s.duration_ms, s.minimal),
        (want.started_at, want.finished_at, Some(10_000), false)
    );
    assert_eq!(
        (&got.spec, &got.params, &got.results, &got.labels),
        (&want.spec, &want.params, &want.results, &want.labels)
    );
    assert_eq!((got.revision.as_str(), got.digest.as_str(), got.seq), ("co2-5d4f", "1:abcd", 2));
    let listed = store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 1).await.unwrap();
    assert_eq!(listed.items, [got.summary]);
    assert_eq!(store.get_run(Uuid::now_v7()).await.unwrap(), None);
    let json = serde_json::to_value(&listed.items[0]).unwrap();
    assert_eq!((&json["durationMs"], &json["startedAt"]), (&json!(10_000), &json!(want.started_at.to_string())));
}

pub async fn steps_come_in_the_order_of_their_start(db: Db) {
    let id = Uuid::now_v7();
    let mut w = start(&db.store());
    let mut never = step(id, "after", 0, 1, "Skipped");
    never.started_at = None;
    let mut never_too = step(id, "before", 0, 1, "Skipped");
    never_too.started_at = None;
    let rows = vec![
        never,
        never_too,
        step(id, "b", 1, 1, "Failed"),
        step(id, "b", 2, 1, "Succeeded"),
        step(id, "a", 1, 1, "Succeeded"),
        step(id, "a", 3, 1, "Succeeded"),
    ];
    let mut records: Vec<Record> = rows.into_iter().map(step_record).collect();
    records.push(run_record(run(id, 1, "Failed")));
    records.push(step_record(step(Uuid::now_v7(), "other", 1, 1, "Succeeded")));
    w.store(batch(id, 1, true, records)).await;
    let store = db.store();
    let want = [("a", 1), ("b", 1), ("b", 2), ("a", 3), ("after", 0), ("before", 0)].map(|(s, n)| (s.to_owned(), n));
    for limit in 1..=7 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.list_steps(id, after.as_ref(), limit).await.unwrap();
            seen.extend(page.items.iter().map(|s| (s.step.clone(), s.attempt)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, want, "limit {limit}");
    }
    let first = &store.list_steps(id, None, 1).await.unwrap().items[0];
    assert_eq!(
        (first.duration_ms, first.pod.as_deref(), first.node.as_deref(), first.has_log),
        (Some(100), Some("co2-a-1"), Some("node-1"), false)
    );
}

pub async fn events_come_in_the_order_of_time_and_seq(db: Db) {
    let id = Uuid::now_v7();
    let mut w = start(&db.store());
    let at = |subject: &str, transition: &str, seq: i64, ms: i64| {
        let mut e = event(id, subject, transition, seq);
        e.at = time(ms);
        Record::Event(e)
    };
    let records = vec![
        at("run", "Failed", 4, 9),
        at("run", "Running", 1, 1),
        at("step/a/1", "Running", 2, 1),
        at("step/b/1", "Running", 2, 1),
        at("step/a/1", "Failed", 3, 0),
        run_record(run(id, 4, "Failed")),
    ];
    w.store(batch(id, 4, true, records)).await;
    let store = db.store();
    let want = ["step/a/1 Failed", "run Running", "step/a/1 Running", "step/b/1 Running", "run Failed"];
    for limit in 1..=6 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.list_events(id, after.as_ref(), limit).await.unwrap();
            seen.extend(page.items.iter().map(|e| format!("{} {}", e.subject, e.transition)));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, want, "limit {limit}");
    }
}

pub async fn a_log_is_that_of_the_attempt_or_of_the_last_that_has_one(db: Db) {
    let id = Uuid::now_v7();
    let mut w = start(&db.store());
    let mut first = step(id, "fit", 1, 1, "Failed");
    first.log = Some("one".into());
    let mut second = step(id, "fit", 2, 1, "Failed");
    second.log_unavailable = Some("PodGone".into());
    let mut records: Vec<Record> =
        vec![first, second, step(id, "fit", 3, 1, "Succeeded"), step(id, "fit", 4, 1, "Void")]
            .into_iter()
            .map(step_record)
            .collect();
    records.push(run_record(run(id, 1, "Succeeded")));
    w.store(batch(id, 1, true, records)).await;
    let store = db.store();
    let log = |attempt: Option<i32>| {
        let store = store.clone();
        async move { store.get_log(id, "fit", 0, attempt).await.unwrap() }
    };
    assert_eq!(log(Some(1)).await.unwrap().log.as_deref(), Some("one"));
    let last = log(None).await.unwrap();
    assert_eq!((last.attempt, last.log, last.log_unavailable.as_deref()), (2, None, Some("PodGone")));
    assert_eq!(log(Some(3)).await.unwrap().log, None);
    assert_eq!(log(Some(9)).await, None);
    assert_eq!(store.get_log(id, "none", 0, None).await.unwrap(), None);
}
