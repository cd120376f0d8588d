//! Runs that an outside system made itself and reports.

use crate::{
    harness::{Db, start},
    rows::{run, run_batch, time},
};
use hearth_history::{Order, Report, ReportEnd, Reported, ReportedStep, RunFilter, UsageFilter};
use hearth_plan::record::RunRow;
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

fn report(id: &str, phase: &str) -> Report {
    let ends = !matches!(phase, "Pending" | "Running");
    Report {
        reported_id: id.into(),
        namespace: "climate".into(),
        namespace_uid: "ns-uid-1".into(),
        name: "co2".into(),
        by: "system:serviceaccount:ci:bot".into(),
        at: time(100_000),
        phase: phase.into(),
        end: ends.then_some(ReportEnd::After(Duration::from_millis(2500))),
        message: None,
        started_at: None,
        inputs: json!({"window": 12}),
        outputs: json!({}),
        digest: format!("reported:{phase}"),
        steps: vec![],
    }
}

fn step(name: &str, phase: &str, log: Option<&str>) -> ReportedStep {
    let ends = phase != "Running";
    ReportedStep {
        step: name.into(),
        item: 0,
        attempt: 1,
        phase: phase.into(),
        terminal: ends,
        message: None,
        exit_code: ends.then_some(0),
        outputs: json!({"rows": 3}),
        log: log.map(str::to_owned),
        started_at: Some(time(100_000)),
        finished_at: ends.then(|| time(101_000)),
    }
}

fn id(answer: &Reported) -> Uuid {
    match answer {
        Reported::New(id)
        | Reported::Changed(id)
        | Reported::Same(id)
        | Reported::Ended(id, _)
        | Reported::OtherStart(id, _)
        | Reported::Deleted(id) => *id,
    }
}

pub async fn a_reported_run_is_one_row_however_often_it_is_told(db: Db) {
    let store = db.store();
    let first = Report { steps: vec![step("fit", "Running", None)], ..report("ci/77", "Running") };
    let new = store.report(&first).await.unwrap();
    let Reported::New(run) = new else { panic!("{new:?}") };
    assert_eq!((run.get_version_num(), store.report(&first).await.unwrap()), (8, Reported::Same(run)));
    let other = Report { started_at: Some(time(5)), ..report("ci/77", "Failed") };
    assert_eq!(store.report(&other).await.unwrap(), Reported::OtherStart(run, time(100_000)));
    let done = Report {
        at: time(200_000),
        outputs: json!({"best": 3, "a\0b": "\0"}),
        message: Some("well".into()),
        steps: vec![step("fit", "Succeeded", Some("done")), step("plot", "Skipped", None)],
        ..report("ci/77", "Succeeded")
    };
    assert_eq!(store.report(&done).await.unwrap(), Reported::Changed(run));
    assert_eq!(store.report(&done).await.unwrap(), Reported::Same(run));
    for late in [&first, &Report { digest: "other".into(), ..done.clone() }] {
        assert_eq!(store.report(late).await.unwrap(), Reported::Ended(run, "Succeeded".into()));
    }
    let row = store.get_run(run).await.unwrap().unwrap();
    let s = &row.summary;
    assert_eq!(
        (s.reported_id.as_deref(), s.trigger.as_str(), s.phase.as_str()),
        (Some("ci/77"), "Reported", "Succeeded")
    );
    assert_eq!((s.started_at, s.finished_at, s.duration_ms), (time(100_000), Some(time(102_500)), Some(2500)));
    assert_eq!((s.message.as_deref(), row.seq, &row.params), (Some("well"), 2, &json!({"window": 12})));
    assert_eq!(row.results, json!({"best": 3, "a\u{FFFD}b": "\u{FFFD}"}));
    let steps = store.list_steps(run, None, 10).await.unwrap().items;
    let told: Vec<_> = steps.iter().map(|s| (s.step.as_str(), s.phase.as_str(), s.has_log)).collect();
    assert_eq!(told, [("fit", "Succeeded", true), ("plot", "Skipped", false)]);
    let events = store.list_events(run, None, 10).await.unwrap().items;
    let told: Vec<_> = events.iter().map(|e| (e.transition.as_str(), e.message.as_deref())).collect();
    assert_eq!(told, [("Started", Some("reported by system:serviceaccount:ci:bot")), ("Succeeded", Some("well"))]);
    assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 1);

    // The same id is another run elsewhere.
    for other in [
        Report { name: "other".into(), ..report("ci/77", "Failed") },
        Report { namespace_uid: "ns-uid-2".into(), ..report("ci/77", "Failed") },
        report("ci/78", "Failed"),
    ] {
        assert!(matches!(store.report(&other).await.unwrap(), Reported::New(id) if id != run));
    }
}

pub async fn first_reports_at_once_are_one_run(db: Db) {
    let (a, b, c) = (db.store(), db.store(), db.store());
    let of = |n: i64| Report { at: time(n), digest: n.to_string(), ..report("ci/1", "Running") };
    let (x, y, z) = (of(1), of(2), of(3));
    let (x, y, z) = tokio::join!(a.report(&x), b.report(&y), c.report(&z));
    let ids = [x, y, z].map(|answer| id(&answer.unwrap()));
    assert!(ids.iter().all(|i| *i == ids[0]), "{ids:?}");
    assert_eq!(db.count("SELECT count(*) FROM hearth.runs").await, 1);
}

pub async fn reported_runs_and_those_of_the_operator_keep_apart(db: Db) {
    let store = db.store();
    let mut w = start(&store);
    let reported = id(&store.report(&report("ci/1", "Running")).await.unwrap());
    // A row of the operator that bears its id, whatever may have brought that about.
    w.send(run_batch(RunRow { cluster: String::new(), ..run(Uuid::now_v7(), 1, "Running") }));
    w.store(run_batch(run(reported, 9, "Failed"))).await;
    let row = store.get_run(reported).await.unwrap().unwrap().summary;
    assert_eq!((row.phase.as_str(), row.reported_id.as_deref()), ("Running", Some("ci/1")));
    // No sweep ends it.
    db.age().await;
    for cluster in ["cluster-1", ""] {
        let open = store.running(cluster, Duration::ZERO).await.unwrap();
        assert!(open.iter().all(|u| u.run_id != reported), "{cluster:?}");
    }
    assert_eq!(store.vanish(&[reported]).await.unwrap(), 0);
    assert_eq!(db.run(reported).await, Some((1, "Running".into(), false)));
    // It is listed with the others, and asked nothing of the cluster.
    let listed = store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 10).await.unwrap().items;
    assert_eq!(listed.iter().filter(|r| r.reported_id.is_some()).count(), 1);
    let only = RunFilter { trigger: Some("Reported".into()), ..RunFilter::default() };
    assert_eq!(store.list_runs(&only, Order::NewestFirst, None, 10).await.unwrap().items.len(), 1);
    let done = Report { steps: vec![step("fit", "Succeeded", None)], ..report("ci/1", "Succeeded") };
    assert_eq!(store.report(&done).await.unwrap(), Reported::Changed(reported));
    let all = UsageFilter { from: time(-1), to: time(1_000_000), namespace: None, namespace_uid: None };
    let usage = store.usage(&all).await.unwrap();
    assert_eq!(usage.iter().map(|u| (u.runs, u.attempts)).collect::<Vec<_>>(), [(1, 0)]);
    // What is deleted does not come back under its id.
    assert_eq!(store.bury(&[reported], "test").await.unwrap(), 1);
    let again = Report { started_at: Some(time(100_000)), ..done };
    assert_eq!(store.report(&again).await.unwrap(), Reported::Deleted(reported));
    assert_eq!(db.count("SELECT count(*) FROM hearth.steps").await, 0);
}

pub async fn workflow_runs_shows_reported_runs_under_their_own_ids(db: Db) {
    let store = db.store();
    let mut w = start(&store);
    let own = Uuid::now_v7();
    w.store(run_batch(run(own, 1, "Succeeded"))).await;
    let done = Report {
        outputs: json!({"best": 3}),
        steps: vec![step("fit", "Succeeded", Some("done"))],
        ..report("ci/77", "Succeeded")
    };
    let id = id(&store.report(&done).await.unwrap());
    let rows = db.contract().await;
    let row = rows.iter().find(|r| r.id == id.to_string()).unwrap();
    assert_eq!((row.wpk_id.as_str(), row.run_id.as_str(), row.status.as_str()), ("climate/co2", "ci/77", "completed"));
    assert_eq!((&row.inputs, &row.outputs, row.duration_ms), (&json!({"window": 12}), &json!({"best": 3}), Some(2500)));
    assert_eq!((&row.node_logs[0]["step"], &row.node_logs[0]["log"]), (&json!("fit"), &json!("done")));
    let row = rows.iter().find(|r| r.id == own.to_string()).unwrap();
    assert_eq!(row.run_id, own.to_string());
}
