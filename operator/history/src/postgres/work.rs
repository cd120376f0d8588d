//! Work that was done before.

use super::Postgres;
use crate::{
    error::Error,
    fields::{all, work},
};
use hearth_plan::work::Work;

pub(super) const FIND_WORK: &str = include_str!("sql/find_work.sql");

impl Postgres {
    pub(crate) async fn work(&self, namespace_uid: &str, keys: &[String]) -> Result<Vec<(String, Work)>, Error> {
        let query = sqlx::query(FIND_WORK).bind(namespace_uid.to_owned()).bind(keys.to_vec());
        self.read("looking for work that was done", |pool| async move { all(&query.fetch_all(&pool).await?, work) })
            .await
    }
}
