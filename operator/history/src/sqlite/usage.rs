//! What runs asked for. Rows are taken in one by one: a spec may be large, and there may be many.

use super::Sqlite;
use crate::{
    error::Error,
    usage::{MOST_GROUPS, MOST_SPECS, Sum, Usage, UsageFilter},
};
use futures::TryStreamExt;
use sqlx::{Row, SqliteConnection};

pub(super) const USAGE_RUNS: &str = include_str!("sql/usage_runs.sql");
pub(super) const USAGE_SPECS: &str = include_str!("sql/usage_specs.sql");
pub(super) const USAGE_STEPS: &str = include_str!("sql/usage_steps.sql");

impl Sqlite {
    pub(crate) async fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        let filter = filter.clone();
        self.read("adding up what runs asked for", |mut connection| async move {
            let mut sum = Sum::default();
            runs(&mut connection, &filter, &mut sum).await?;
            specs(&mut connection, &filter, &mut sum).await?;
            attempts(&mut connection, &filter, &mut sum).await?;
            Ok(sum.groups())
        })
        .await
    }
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

fn bound(sql: &'static str, filter: &UsageFilter) -> Query {
    sqlx::query(sql)
        .bind(filter.from.to_string())
        .bind(filter.to.to_string())
        .bind(filter.namespace.clone())
        .bind(filter.namespace_uid.clone())
}

async fn runs(connection: &mut SqliteConnection, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let limit = i64::try_from(MOST_GROUPS).unwrap_or(i64::MAX);
    let mut rows = bound(USAGE_RUNS, filter).bind(limit).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        sum.runs(row.try_get("namespace")?, row.try_get("owner")?, row.try_get("runs")?, row.try_get("failed")?);
    }
    Ok(())
}

async fn specs(connection: &mut SqliteConnection, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let mut rows = bound(USAGE_SPECS, filter).bind(MOST_SPECS).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        sum.spec(row.try_get("digest")?, &row.try_get("spec")?);
    }
    Ok(())
}

async fn attempts(connection: &mut SqliteConnection, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let mut rows = bound(USAGE_STEPS, filter).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        let group = (row.try_get("namespace")?, row.try_get("owner")?);
        let (digest, step): (String, String) = (row.try_get("digest")?, row.try_get("step")?);
        sum.attempts(group, &digest, &step, row.try_get("attempts")?, row.try_get("duration_ms")?);
    }
    Ok(())
}
