//! What rows refer to in the artifact store.

use super::Postgres;
use crate::{clean::borrowed, error::Error, fields::Fields, model::BlobName};
use futures::TryStreamExt;
use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

pub(super) const BLOBS: &str = include_str!("sql/blobs.sql");

pub(super) const ARTIFACT: &str = include_str!("sql/artifact.sql");

impl Postgres {
    pub(crate) async fn artifact(&self, run: Uuid, step: &str, name: &str) -> Result<Option<Value>, Error> {
        let query = sqlx::query(ARTIFACT).bind(run).bind(borrowed(step).into_owned()).bind(borrowed(name).into_owned());
        self.read("looking up an artifact", |pool| async move {
            let row = query.fetch_optional(&pool).await?;
            row.map(|row| row.json("artifact")).transpose()
        })
        .await
    }

    pub(crate) async fn blobs(&self) -> Result<Vec<BlobName>, Error> {
        self.read("listing artifacts", |pool| async move {
            let mut rows = sqlx::query(BLOBS).fetch(&pool);
            let mut found = Vec::new();
            while let Some(row) = rows.try_next().await? {
                found.push(BlobName { namespace_uid: row.try_get("namespace_uid")?, digest: row.try_get("digest")? });
            }
            Ok(found)
        })
        .await
    }
}
