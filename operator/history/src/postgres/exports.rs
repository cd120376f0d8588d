//! What other systems have still to be told.

use super::{Postgres, stamp::Stamp};
use crate::{
    error::Error,
    export::{Export, ExportTarget},
    fields::{all, export},
};
use sqlx::Connection;

pub(super) const EXPORTS: &str = include_str!("sql/exports.sql");
pub(super) const EXPORTED: &str = include_str!("sql/exported.sql");
pub(super) const PUT_EXPORT_TARGETS: &str = include_str!("sql/put_export_targets.sql");
pub(super) const DROP_EXPORT_TARGETS: &str = include_str!("sql/drop_export_targets.sql");
pub(super) const DROP_EXPORTS: &str = include_str!("sql/drop_exports.sql");

impl Postgres {
    pub(crate) async fn set_export_targets(&self, targets: &[ExportTarget]) -> Result<(), Error> {
        let names: Vec<&str> = targets.iter().map(|t| t.name).collect();
        let starts: Vec<bool> = targets.iter().map(|t| t.starts).collect();
        self.bounded("noting who is told of runs", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin().await?;
            sqlx::query(PUT_EXPORT_TARGETS).bind(&names).bind(&starts).execute(&mut *transaction).await?;
            sqlx::query(DROP_EXPORT_TARGETS).bind(&names).execute(&mut *transaction).await?;
            sqlx::query(DROP_EXPORTS).execute(&mut *transaction).await?;
            transaction.commit().await?;
            held.keep();
            Ok(())
        })
        .await
    }

    pub(crate) async fn exports(&self, target: &str, limit: u32) -> Result<Vec<Export>, Error> {
        let query = sqlx::query(EXPORTS).bind(target.to_owned()).bind(i64::from(limit));
        self.read("reading what is to be told", |pool| async move { all(&query.fetch_all(&pool).await?, export) }).await
    }

    pub(crate) async fn exported(&self, target: &str, export: &Export) -> Result<(), Error> {
        self.bounded("noting what was told", async {
            let mut held = self.hold().await?;
            sqlx::query(EXPORTED)
                .bind(target)
                .bind(export.run_id)
                .bind(export.ended)
                .bind(Stamp::from(export.since))
                .execute(&mut held.connection)
                .await?;
            held.keep();
            Ok(())
        })
        .await
    }
}
