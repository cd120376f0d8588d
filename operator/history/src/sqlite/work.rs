//! Work that was done before.

use super::Sqlite;
use crate::{
    error::Error,
    fields::{all, work},
};
use hearth_plan::work::Work;
use serde_json::Value;

pub(super) const FIND_WORK: &str = include_str!("sql/find_work.sql");

impl Sqlite {
    pub(crate) async fn work(&self, namespace_uid: &str, keys: &[String]) -> Result<Vec<(String, Work)>, Error> {
        let query = sqlx::query(FIND_WORK).bind(namespace_uid.to_owned()).bind(Value::from(keys.to_vec()).to_string());
        self.read("looking for work that was done", |mut connection| async move {
            all(&query.fetch_all(&mut *connection).await?, work)
        })
        .await
    }
}
