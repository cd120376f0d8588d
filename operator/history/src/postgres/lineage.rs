//! One step of lineage, and the runs that it names.

use super::Postgres;
use crate::{
    error::Error,
    fields::{all, lineage, summary},
    lineage::{End, Found, LineageQuery, Way},
    model::RunSummary,
};
use uuid::Uuid;

pub(super) const LINEAGE_UP: &str = include_str!("sql/lineage_up.sql");
pub(super) const LINEAGE_DOWN: &str = include_str!("sql/lineage_down.sql");
pub(super) const RUNS_BY_ID: &str = include_str!("sql/runs_by_id.sql");

impl Postgres {
    /// The edges at these ends, and one more than there is room for.
    pub(crate) async fn lineage_step(
        &self,
        way: Way,
        ends: &[End],
        query: &LineageQuery,
        room: usize,
    ) -> Result<Vec<Found>, Error> {
        let statement = match way {
            Way::Up => LINEAGE_UP,
            Way::Down => LINEAGE_DOWN,
        };
        let query = sqlx::query(statement)
            .bind(ends.iter().map(|e| e.id.clone()).collect::<Vec<_>>())
            .bind(ends.iter().map(|e| e.namespace_uid.clone()).collect::<Vec<_>>())
            .bind(ends.iter().map(|e| e.bound).collect::<Vec<_>>())
            .bind(query.namespace.clone())
            .bind(query.namespace_uid.clone())
            .bind(i64::try_from(room).unwrap_or(i64::MAX).saturating_add(1));
        self.read("reading lineage", |pool| async move { all(&query.fetch_all(&pool).await?, lineage) }).await
    }

    pub(crate) async fn runs_by_id(&self, ids: &[Uuid], query: &LineageQuery) -> Result<Vec<RunSummary>, Error> {
        let query =
            sqlx::query(RUNS_BY_ID).bind(ids.to_vec()).bind(query.namespace.clone()).bind(query.namespace_uid.clone());
        self.read("reading the runs of a lineage", |pool| async move { all(&query.fetch_all(&pool).await?, summary) })
            .await
    }
}
