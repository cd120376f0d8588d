//! One role owns the tables, another one reads and writes rows.

use crate::{
    harness::{quick, start_with, with_empty_postgres},
    rows::{batch, event, lineage, run, run_record, step, step_record},
};
use hearth_crds::time::Time;
use hearth_history::{
    AttemptKey, AuditEntry, AuditFilter, ExportTarget, LineageQuery, LineageRoot, Order, Retention, RunFilter,
    WholeLog, connect, open,
};
use hearth_plan::record::{Record, Relation};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn the_role_that_writes_changes_no_table() {
    with_empty_postgres(|db| async move {
        let some = Uuid::new_v4().simple();
        let (owner, writer) = (format!("owner_{some}"), format!("writer_{some}"));
        let database = db.options().get_database().unwrap().to_owned();
        let setup = format!(
            "CREATE ROLE {owner} LOGIN; CREATE ROLE {writer} LOGIN; GRANT CREATE ON DATABASE {database} TO {owner}"
        );
        db.sql().execute(AssertSqlSafe(setup)).await.unwrap();
        let as_role = |role: &str| db.options().clone().username(role).to_url_lossy().to_string();
        let store = connect(&as_role(&writer)).unwrap().owned_by(&as_role(&owner)).unwrap();
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        store.healthy().await.unwrap();

        store.set_export_targets(&[ExportTarget { name: "traces", starts: true }]).await.unwrap();
        let mut w = start_with(&store, quick(), 64);
        let (id, gone, open_run) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        for id in [id, gone] {
            let records = vec![
                run_record(run(id, 3, "Failed")),
                step_record(step(id, "fit", 1, 3, "Failed")),
                step_record(step(id, "odd", 1, 3, "NoSuchPhase")),
                Record::Event(event(id, "run", "Failed", 3)),
                lineage(id, Relation::Wrote, "sha256:a", "fit"),
            ];
            assert!(!w.store(batch(id, 3, true, records)).await.minimal);
        }
        for run_id in [id, gone] {
            let of = AttemptKey { run_id, step: "fit".into(), item: 0, attempt: 1 };
            store.put_log(&of, Err("gone")).await.unwrap();
            store.put_log(&of, Ok(&WholeLog { digest: "sha256:a".into(), bytes: 1, left_out: 0 })).await.unwrap();
        }
        w.store(batch(open_run, 3, true, vec![run_record(run(open_run, 3, "Running"))])).await;
        assert_eq!(store.running("cluster-1", Duration::ZERO).await.unwrap().len(), 1);
        assert_eq!(store.vanish(&[open_run]).await.unwrap(), 1);
        assert_eq!(store.bury(&[gone], "asked for").await.unwrap(), 1);
        assert_eq!(store.list_runs(&RunFilter::default(), Order::NewestFirst, None, 10).await.unwrap().items.len(), 2);
        assert_eq!(store.list_steps(id, None, 10).await.unwrap().items.len(), 1);
        let query = LineageQuery { root: LineageRoot::Run(id), namespace: None, namespace_uid: None, depth: 3, limit: 9 };
        assert_eq!(store.lineage(&query).await.unwrap().downstream.len(), 1);
        let waiting = store.exports("traces", 10).await.unwrap();
        assert_eq!(waiting.len(), 6);
        store.exported("traces", &waiting[0]).await.unwrap();
        store.set_export_targets(&[]).await.unwrap();
        assert_eq!(store.exports("traces", 10).await.unwrap(), []);
        let at = Time::from_millis(1_600_000_000_000);
        for who in ["ada", "bob"] {
            store.record(&AuditEntry { who: who.to_owned(), ..audit_entry(at) }).await.unwrap();
        }
        assert_eq!(store.list_audit(&AuditFilter::default(), None, 10).await.unwrap().items.len(), 2);
        let mut plain = PgConnection::connect_with(&db.options().clone().username(&writer)).await.unwrap();
        assert!(plain.execute("DELETE FROM hearth.audit").await.is_err());
        store.upkeep(Retention(Some(Duration::from_secs(365 * 86_400)))).await.unwrap();
        assert_eq!(store.list_audit(&AuditFilter::default(), None, 10).await.unwrap().items, []);
        assert_eq!(store.audit_anchors(None, 10).await.unwrap().items.len(), 1, "the owner's role keeps the last");

        for ddl in [
            "CREATE TABLE hearth.mine ()",
            "DROP TABLE hearth.runs_default",
            "ALTER TABLE hearth.runs ADD COLUMN mine text",
            "TRUNCATE hearth.runs",
            "SELECT hearth.make_partitions(9)",
            "SELECT hearth.drop_partitions(hearth.first_id(now()))",
            "SELECT hearth.admit(current_user)",
            "UPDATE hearth.audit SET who = 'eve'",
            "DELETE FROM hearth.audit",
            "TRUNCATE hearth.audit",
            "INSERT INTO hearth.audit_anchors (writer, number, at, hash) SELECT writer, number, at, hash FROM hearth.audit",
            "ALTER TABLE hearth.audit DISABLE TRIGGER USER",
        ] {
            let error = plain.execute(ddl).await.unwrap_err();
            let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
            assert_eq!(code, "42501", "{ddl}: {error}");
        }
        plain.close().await.unwrap();
        w.finish().await;
        let cleanup = format!("DROP OWNED BY {owner}, {writer} CASCADE; DROP ROLE {owner}, {writer}");
        db.sql().execute(AssertSqlSafe(cleanup)).await.unwrap();
    })
    .await;
}

fn audit_entry(at: Time) -> AuditEntry {
    AuditEntry {
        at,
        who: String::new(),
        verb: "delete".to_owned(),
        resource: "workflows.hearth.dev".to_owned(),
        namespace: "climate".to_owned(),
        name: "co2".to_owned(),
        run: None,
        from: String::new(),
        allowed: true,
        reason: String::new(),
    }
}

#[tokio::test]
async fn a_file_has_no_roles() {
    let error = open(std::path::Path::new("history.db")).owned_by("postgres://u:hidden@h/d").unwrap_err().to_string();
    assert!(error.contains("no roles") && !error.contains("hidden"), "{error}");
}
