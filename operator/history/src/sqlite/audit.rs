//! The audit trail.

use super::{Sqlite, migrate::BEGIN};
use crate::{
    audit::{
        self, AuditCursor, AuditEntry, AuditFilter, AuditLink, Head, anchor, anchor_link, audit, cursor, head, link,
    },
    clean::borrowed,
    error::Error,
    fields::all,
    model::Page,
    paging::{page, page_size},
    retention::AT_ONCE,
};
use hearth_wire::{AuditAnchor, AuditRecord};
use sqlx::{Connection, Row, SqliteConnection};
use uuid::Uuid;

pub(super) const AUDIT_HEAD: &str = include_str!("sql/audit_head.sql");
pub(super) const AUDIT_NEWEST: &str = include_str!("sql/audit_newest.sql");
pub(super) const INSERT_AUDIT: &str = include_str!("sql/insert_audit.sql");
pub(super) const LIST_AUDIT: &str = include_str!("sql/list_audit.sql");
pub(super) const AUDIT_CHAIN: &str = include_str!("sql/audit_chain.sql");
pub(super) const AUDIT_ANCHORS: &str = include_str!("sql/audit_anchors.sql");
pub(super) const ANCHOR_AUDIT: &str = include_str!("sql/anchor_audit.sql");
pub(super) const FORGET_AUDIT: &str = include_str!("sql/forget_audit.sql");

impl Sqlite {
    pub(crate) async fn record(&self, entry: &AuditEntry) -> Result<AuditRecord, Error> {
        let writer = self.chain.at(entry.at);
        self.bounded("writing the audit trail", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            let record = audit::record(entry, writer, head_of(&mut transaction, writer).await?);
            sqlx::query(INSERT_AUDIT)
                .bind(&record.writer)
                .bind(record.number)
                .bind(record.at.to_string())
                .bind(&record.who)
                .bind(&record.verb)
                .bind(&record.resource)
                .bind(&record.namespace)
                .bind(&record.name)
                .bind(&record.run)
                .bind(&record.from)
                .bind(record.allowed)
                .bind(&record.reason)
                .bind(&record.previous)
                .bind(&record.hash)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            held.keep();
            Ok(record)
        })
        .await
    }

    pub(crate) async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditCursor>, Error> {
        let limit = page_size(limit);
        let query = sqlx::query(LIST_AUDIT)
            .bind(filter.namespace.as_deref().map(|t| borrowed(t).into_owned()))
            .bind(filter.who.as_deref().map(|t| borrowed(t).into_owned()))
            .bind(filter.since.map(|t| t.to_string()))
            .bind(filter.allowed)
            // Years are digits, and sort before it.
            .bind(after.map_or_else(|| "~".to_owned(), |a| a.at.to_string()))
            .bind(after.map_or(Uuid::max(), |a| a.link.writer).to_string())
            .bind(after.map_or(i64::MAX, |a| a.link.number))
            .bind(i64::from(limit) + 1);
        let rows = self
            .read("listing the audit trail", |mut connection| async move {
                all(&query.fetch_all(&mut *connection).await?, audit)
            })
            .await?;
        Ok(page(rows, limit, cursor))
    }

    pub(crate) async fn audit_chain(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditLink>, Error> {
        let (limit, after) = (page_size(limit), after.unwrap_or(AuditLink::FIRST));
        let query =
            sqlx::query(AUDIT_CHAIN).bind(after.writer.to_string()).bind(after.number).bind(i64::from(limit) + 1);
        let rows = self
            .read("reading the audit trail", |mut connection| async move {
                all(&query.fetch_all(&mut *connection).await?, audit)
            })
            .await?;
        Ok(page(rows, limit, link))
    }

    pub(crate) async fn audit_anchors(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditAnchor, AuditLink>, Error> {
        let (limit, after) = (page_size(limit), after.unwrap_or(AuditLink::FIRST));
        let query =
            sqlx::query(AUDIT_ANCHORS).bind(after.writer.to_string()).bind(after.number).bind(i64::from(limit) + 1);
        let rows = self
            .read("reading the audit trail", |mut connection| async move {
                all(&query.fetch_all(&mut *connection).await?, anchor)
            })
            .await?;
        Ok(page(rows, limit, anchor_link))
    }

    pub(crate) async fn forget_audit(&self, cutoff: Uuid) -> Result<u64, Error> {
        self.bounded("deleting old records of the audit trail", async {
            let mut held = self.hold().await?;
            let mut transaction = held.connection.begin_with(BEGIN).await?;
            sqlx::query(ANCHOR_AUDIT).bind(cutoff.to_string()).execute(&mut *transaction).await?;
            let done =
                sqlx::query(FORGET_AUDIT).bind(cutoff.to_string()).bind(AT_ONCE).execute(&mut *transaction).await?;
            transaction.commit().await?;
            held.keep();
            Ok(done.rows_affected())
        })
        .await
    }
}

/// What the next record of a chain follows.
async fn head_of(connection: &mut SqliteConnection, writer: Uuid) -> Result<Head, sqlx::Error> {
    if let Some(row) = sqlx::query(AUDIT_HEAD).bind(writer.to_string()).fetch_optional(&mut *connection).await? {
        return head(&row);
    }
    let newest = sqlx::query(AUDIT_NEWEST).fetch_optional(connection).await?;
    newest.map_or_else(|| Ok(Head::default()), |row| Ok(Head { hash: row.try_get("hash")?, ..Head::default() }))
}
