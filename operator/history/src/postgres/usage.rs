//! What runs asked for. Rows are taken in one by one: a spec may be large, and there may be many.

use super::{Postgres, stamp::Stamp};
use crate::{
    error::Error,
    usage::{MOST_GROUPS, MOST_SPECS, Sum, Usage, UsageFilter},
};
use futures::TryStreamExt;
use sqlx::{Row, postgres::PgPool};

pub(super) const USAGE_RUNS: &str = include_str!("sql/usage_runs.sql");
pub(super) const USAGE_SPECS: &str = include_str!("sql/usage_specs.sql");
pub(super) const USAGE_STEPS: &str = include_str!("sql/usage_steps.sql");

impl Postgres {
    pub(crate) async fn usage(&self, filter: &UsageFilter) -> Result<Vec<Usage>, Error> {
        let filter = filter.clone();
        self.read("adding up what runs asked for", |pool| async move {
            let mut sum = Sum::default();
            runs(&pool, &filter, &mut sum).await?;
            specs(&pool, &filter, &mut sum).await?;
            attempts(&pool, &filter, &mut sum).await?;
            Ok(sum.groups())
        })
        .await
    }
}

type Query = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bound(sql: &'static str, filter: &UsageFilter) -> Query {
    sqlx::query(sql)
        .bind(Stamp::from(filter.from))
        .bind(Stamp::from(filter.to))
        .bind(filter.namespace.clone())
        .bind(filter.namespace_uid.clone())
}

async fn runs(pool: &PgPool, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let limit = i64::try_from(MOST_GROUPS).unwrap_or(i64::MAX);
    let mut rows = bound(USAGE_RUNS, filter).bind(limit).fetch(pool);
    while let Some(row) = rows.try_next().await? {
        sum.runs(row.try_get("namespace")?, row.try_get("owner")?, row.try_get("runs")?, row.try_get("failed")?);
    }
    Ok(())
}

async fn specs(pool: &PgPool, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let mut rows = bound(USAGE_SPECS, filter).bind(MOST_SPECS).fetch(pool);
    while let Some(row) = rows.try_next().await? {
        sum.spec(row.try_get("digest")?, &row.try_get("spec")?);
    }
    Ok(())
}

async fn attempts(pool: &PgPool, filter: &UsageFilter, sum: &mut Sum) -> Result<(), sqlx::Error> {
    let mut rows = bound(USAGE_STEPS, filter).fetch(pool);
    while let Some(row) = rows.try_next().await? {
        let group = (row.try_get("namespace")?, row.try_get("owner")?);
        let (digest, step): (String, String) = (row.try_get("digest")?, row.try_get("step")?);
        sum.attempts(group, &digest, &step, row.try_get("attempts")?, row.try_get("duration_ms")?);
    }
    Ok(())
}
