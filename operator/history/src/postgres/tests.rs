//! Every statement is prepared once against a real server.

use super::{Postgres, STATEMENTS, list::statement};
use crate::{
    filter::{Order, RunFilter, filled},
    flush::{Flush, Rows},
    model::RunCursor,
    store::Limits,
};
use hearth_crds::time::Time;
use hearth_plan::record::{EventRow, ObjectKey, Record, RecordBatch, RunRow};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqlSafeStr, postgres::PgConnectOptions};
use uuid::Uuid;

/// A store in a database of its own, which is dropped whatever happens.
async fn with_store<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Postgres) -> F) {
    let dsn = std::env::var("HEARTH_TEST_POSTGRES")
        .expect("HEARTH_TEST_POSTGRES must be the DSN of a Postgres in which databases may be made");
    let options: PgConnectOptions = dsn.parse().unwrap();
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    let name = format!("hearth_unit_{}", Uuid::new_v4().simple());
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await.unwrap();
    let own = options.database(&name).to_url_lossy();
    let end = tokio::spawn(test(Postgres::new(own.as_str(), Limits::default()).unwrap())).await;
    admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
    end.unwrap();
}

#[tokio::test]
async fn every_statement_prepares() {
    with_store(|store| async move {
        store.migrate().await.unwrap();
        let mut held = store.hold().await.unwrap();
        for (name, sql) in STATEMENTS {
            held.connection.prepare(sql.into_sql_str()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let cursor = RunCursor { started_at: Time::from_millis(0), id: Uuid::nil() };
        for order in [Order::NewestFirst, Order::OldestFirst] {
            for (filter, after) in [(RunFilter::default(), None), (filled(), None), (filled(), Some(cursor))] {
                held.connection.prepare(statement(&filter, order, after, 50).sql()).await.unwrap();
            }
        }
    })
    .await;
}

fn rows_of(ids: &[Uuid]) -> Rows {
    let object = ObjectKey { kind: "Workflow".into(), namespace: "n".into(), name: "n".into(), uid: "u".into() };
    let mut flush = Flush::default();
    for id in ids {
        let run = RunRow {
            id: id.to_string(),
            cluster: "c".into(),
            object: object.clone(),
            namespace_uid: "nu".into(),
            number: 1,
            seq: 3,
            phase: "Running".into(),
            terminal: false,
            reason: None,
            message: None,
            trigger: "Created".into(),
            revision: "r".into(),
            digest: "d".into(),
            spec: serde_json::json!({"steps": []}),
            params: serde_json::json!({"window": 12}),
            results: serde_json::json!({}),
            labels: [("team".to_owned(), "carbon".to_owned())].into(),
            owner: "ada".into(),
            started_at: Time::from_millis(1_795_248_000_000),
            finished_at: None,
        };
        let event = EventRow {
            run_id: id.to_string(),
            subject: "run".into(),
            transition: "Running".into(),
            seq: 1,
            at: Time::from_millis(1_795_248_000_000),
            reason: None,
            message: None,
        };
        let records = vec![Record::Run(Box::new(run)), Record::Event(event)];
        flush.add(RecordBatch { object: object.clone(), run_id: id.to_string(), seq: 3, last: false, records });
    }
    flush.rows(None)
}

const FIRST_RUN: &str = "INSERT INTO hearth.runs (id, cluster, kind, namespace, namespace_uid, name, uid, number, seq, phase, terminal, trigger, \
     revision, digest, spec, params, results, labels, owner, started_at, minimal) \
     VALUES ($1, 'c', 'Workflow', 'n', 'nu', 'n', 'u', 1, 3, 'Running', false, 'Created', 'r', 'd', '{}', '{\"window\": 12}', '{}', '{}', 'ada', \
     '2026-11-21T08:00:00Z', false)";
const FIRST_EVENT: &str = "INSERT INTO hearth.events (run_id, subject, transition, seq, at) VALUES ($1, 'run', 'Running', 1, '2026-11-21T08:00:00Z')";

/// From the schema before partitions: all rows stay, also those of a clock that was ahead, and the views go on.
#[tokio::test]
async fn the_partitions_take_over_what_was_there() {
    with_store(|store| async move {
        store.migrate_to(1).await.unwrap();
        let (old, now) = (Uuid::from_u128((1_600_000_000_000 << 80) | (7 << 76) | (2 << 62)), Uuid::now_v7());
        let ahead = Uuid::from_u128((2_000_000_000_000 << 80) | (7 << 76) | (2 << 62));
        let ids = [old, now, ahead];
        let mut held = store.hold().await.unwrap();
        for id in ids {
            // By the columns of that time.
            for sql in [FIRST_RUN, FIRST_EVENT] {
                sqlx::query(sql).bind(id).execute(&mut held.connection).await.unwrap();
            }
        }
        held.keep();
        store.migrate().await.unwrap();
        for id in &ids {
            let run = store.get_run(*id).await.unwrap().unwrap();
            assert_eq!((run.seq, run.summary.owner.as_str(), &run.params["window"]), (3, "ada", &12.into()));
            assert_eq!(store.list_events(*id, None, 10).await.unwrap().items.len(), 1);
        }
        // The same rows again change nothing, and later ones do.
        assert_eq!(store.insert(&rows_of(&ids)).await.unwrap(), [0, 0, 0, 0]);
        assert_eq!(store.vanish(&ids).await.unwrap(), 3);
        let mut held = store.hold().await.unwrap();
        let places: Vec<String> = sqlx::query_scalar("SELECT tableoid::regclass::text FROM hearth.runs ORDER BY id")
            .fetch_all(&mut held.connection)
            .await
            .unwrap();
        assert_eq!(places, ["hearth.runs_first", "hearth.runs_first", "hearth.runs_default"]);
        for view in ["SELECT count(*) FROM hearth.workflow_runs", "SELECT count(*) FROM public.workflow_runs"] {
            let shown: i64 = sqlx::query_scalar(view).fetch_one(&mut held.connection).await.unwrap();
            assert_eq!(shown, 3, "{view}");
        }
        // Each index of the parent has its counterpart: none was made twice.
        let invalid: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
            .fetch_one(&mut held.connection)
            .await
            .unwrap();
        assert_eq!(invalid, 0);
        let own: Vec<String> = sqlx::query_scalar(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'hearth.runs_first'::regclass ORDER BY 1",
        )
        .fetch_all(&mut held.connection)
        .await
        .unwrap();
        assert_eq!(own.len(), 8, "{own:?}");
    })
    .await;
}

#[test]
fn every_sql_file_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/postgres/sql");
    let files: std::collections::BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    // public_view is a script, run whole by each migration.
    let listed = STATEMENTS.iter().map(|(name, _)| (*name).to_owned()).chain(["public_view".to_owned()]).collect();
    assert_eq!(files, listed);
}

#[test]
fn a_dsn_shows_no_password() {
    for dsn in ["mysql://u:secret@h/d", "postgres://u:secret@h:70000/d", "postgres://u:secret@h/d?sslmode=odd"] {
        let error = Postgres::new(dsn, Limits::default()).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn the_store_names_its_place_only() {
    let store = Postgres::new("postgres://u:secret@db.example:5433/hist", Limits::default()).unwrap();
    assert_eq!(store.to_string(), "postgres at db.example:5433 (hist)");
    assert!(!format!("{store:?}").contains("secret"));
}
