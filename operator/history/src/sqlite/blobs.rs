//! What rows refer to in the artifact store.

use super::Sqlite;
use crate::{error::Error, model::BlobName};
use futures::TryStreamExt;
use sqlx::Row;

pub(super) const BLOBS: &str = include_str!("sql/blobs.sql");

impl Sqlite {
    pub(crate) async fn blobs(&self) -> Result<Vec<BlobName>, Error> {
        self.read("listing artifacts", |mut connection| async move {
            let mut rows = sqlx::query(BLOBS).fetch(&mut *connection);
            let mut found = Vec::new();
            while let Some(row) = rows.try_next().await? {
                found.push(BlobName { namespace_uid: row.try_get("namespace_uid")?, digest: row.try_get("digest")? });
            }
            Ok(found)
        })
        .await
    }
}
