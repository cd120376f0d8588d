//! The schema, and how it comes to be. Migrations only add; what an older operator reads stays readable.

use super::Sqlite;
use crate::error::Error;
use sqlx::{
    Connection, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};
use std::time::Duration;

/// In order; what is here never changes once it was released, a change is a further one.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "runs", include_str!("../../migrations/sqlite/0001_runs.sql")),
    (2, "audit", include_str!("../../migrations/sqlite/0002_audit.sql")),
    (3, "artifacts", include_str!("../../migrations/sqlite/0003_artifacts.sql")),
    (4, "lineage", include_str!("../../migrations/sqlite/0004_lineage.sql")),
    (5, "reported", include_str!("../../migrations/sqlite/0005_reported.sql")),
    (6, "logs", include_str!("../../migrations/sqlite/0006_logs.sql")),
    (7, "work", include_str!("../../migrations/sqlite/0007_work.sql")),
    (8, "exports", include_str!("../../migrations/sqlite/0008_exports.sql")),
];

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name("migrations");
    // After a rollback of the operator the file is ahead of it, and that is fine: migrations only add.
    migrator.set_ignore_missing(true);
    migrator
}

impl Sqlite {
    /// In one transaction that takes the write lock first, so that two at once go one after the other.
    pub(crate) async fn migrate(&self) -> Result<(), Error> {
        let limit = self.limits.migrate;
        let work = async {
            loop {
                match self.migrate_once().await {
                    Err(e) if is_busy(&e) => tokio::time::sleep(LOCKED_PAUSE).await,
                    done => return done,
                }
            }
        };
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _))) => {
                Err(Error::of_driver(&self.place, "migrating", source))
            }
            Ok(Err(source)) => Err(Error::Migrate { store: self.place.to_string(), source }),
            Err(_) => Err(Error::Timeout { store: self.place.to_string(), operation: "migrating", limit }),
        }
    }

    async fn migrate_once(&self) -> Result<(), MigrateError> {
        let mut held = self.hold().await?;
        let mut transaction = held.connection.begin_with(BEGIN).await?;
        migrator().run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
        held.keep();
        Ok(())
    }
}

/// How long to wait for whoever has the file locked.
const LOCKED_PAUSE: Duration = Duration::from_millis(20);

/// Whether another connection has the file locked. Most statements wait for that by themselves (busy_timeout); the change
/// to the write-ahead log does not.
fn is_busy(error: &MigrateError) -> bool {
    let (MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) = error else { return false };
    // The primary code of SQLITE_BUSY and of its extended forms is 5.
    let code = source.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok());
    code.is_some_and(|c| c & 0xff == 5)
}

/// A transaction that writes takes the lock at its start: one that reads first could not wait for it later.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
