//! Every statement is prepared once against a real server.

use super::{Postgres, STATEMENTS, list::statement};
use crate::{
    filter::{Order, RunFilter, filled},
    model::RunCursor,
    store::Limits,
};
use hearth_crds::time::Time;
use sqlx::{Connection, Executor, PgConnection, SqlSafeStr, postgres::PgConnectOptions};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn every_statement_prepares() {
    let dsn = std::env::var("HEARTH_TEST_POSTGRES")
        .expect("HEARTH_TEST_POSTGRES must be the DSN of a Postgres in which databases may be made");
    let options: PgConnectOptions = dsn.parse().unwrap();
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    let name = format!("hearth_prepare_{}", Uuid::new_v4().simple());
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await.unwrap();
    let mut store = Postgres::new(&dsn, Limits::default()).unwrap();
    store.options = options.database(&name).into();
    store.migrate().await.unwrap();
    let mut connection =
        super::connection::open(&store.options, Duration::from_secs(10), Duration::from_secs(10)).await.unwrap();
    for (name, sql) in STATEMENTS {
        connection.prepare(sql.into_sql_str()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    let cursor = RunCursor { started_at: Time::from_millis(0), id: Uuid::nil() };
    for order in [Order::NewestFirst, Order::OldestFirst] {
        for (filter, after) in [(RunFilter::default(), None), (filled(), None), (filled(), Some(cursor))] {
            connection.prepare(statement(&filter, order, after, 50).sql()).await.unwrap();
        }
    }
    connection.close().await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
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
