//! The schema, and how it comes to be. Migrations only add; what an older operator reads stays readable.

use super::Sqlite;
use crate::error::Error;
use sqlx::{
    Connection, SqlSafeStr,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

/// In order; what is here never changes once it was released, a change is a further one.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "runs", include_str!("../../migrations/sqlite/0001_runs.sql"))];

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
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            migrator().run_direct(None, &mut *transaction, false).await?;
            transaction.commit().await?;
            held.keep();
            Ok::<_, MigrateError>(())
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
}

/// A transaction that writes takes the lock at its start: one that reads first could not wait for it later.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";
