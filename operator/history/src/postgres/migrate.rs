//! The schema, and how it comes to be. Migrations only add; what an older operator reads stays readable.

use super::{Postgres, connection::open};
use crate::error::Error;
use sqlx::{
    Executor, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

/// In order; what is here never changes once it was released, a change is a further one.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "runs", include_str!("../../migrations/postgres/0001_runs.sql")),
    (2, "partitions", include_str!("../../migrations/postgres/0002_partitions.sql")),
    (3, "audit", include_str!("../../migrations/postgres/0003_audit.sql")),
    (4, "artifacts", include_str!("../../migrations/postgres/0004_artifacts.sql")),
    (5, "lineage", include_str!("../../migrations/postgres/0005_lineage.sql")),
    (6, "reported", include_str!("../../migrations/postgres/0006_reported.sql")),
    (7, "logs", include_str!("../../migrations/postgres/0007_logs.sql")),
    (8, "work", include_str!("../../migrations/postgres/0008_work.sql")),
    (9, "exports", include_str!("../../migrations/postgres/0009_exports.sql")),
];
pub(super) const ADMIT: &str = include_str!("sql/admit.sql");
const PUBLIC_VIEW: &str = include_str!("sql/public_view.sql");

/// Up to that version.
fn migrator(newest: i64) -> Migrator {
    let migrations = MIGRATIONS.iter().filter(|(version, ..)| *version <= newest).map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.create_schema("hearth");
    migrator.dangerous_set_table_name("hearth.migrations");
    // After a rollback of the operator the database is ahead of it, and that is fine: migrations only add.
    migrator.set_ignore_missing(true);
    migrator
}

impl Postgres {
    /// On a connection of its own: an error leaves the migrator's advisory lock held, and closing frees it.
    pub(crate) async fn migrate(&self) -> Result<(), Error> {
        self.migrate_to(i64::MAX).await
    }

    pub(super) async fn migrate_to(&self, newest: i64) -> Result<(), Error> {
        let limit = self.limits.migrate;
        let work = async {
            let mut connection = open(&self.owner, self.limits.connect, limit).await?;
            migrator(newest).run_direct(None, &mut connection, false).await?;
            connection.execute(PUBLIC_VIEW).await?;
            if self.owner.get_username() != self.options.get_username() {
                sqlx::query(ADMIT).bind(self.options.get_username()).execute(&mut connection).await?;
            }
            Ok::<_, MigrateError>(())
        };
        match tokio::time::timeout(limit, work).await {
            Ok(done) => done.map_err(|source| Error::Migrate { store: self.place.to_string(), source }),
            Err(_) => Err(Error::Timeout { store: self.place.to_string(), operation: "migrating", limit }),
        }
    }
}
