//! The audit trail as the store keeps it: records that are chained, listed and checked, and go by age.

use crate::{clean::text, error::Error, fields::Fields, model::Page, store::Store};
use hearth_crds::time::Time;
use hearth_wire::{AuditAnchor, AuditRecord, NO_HASH};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};
use uuid::{NoContext, Timestamp, Uuid};

/// The longest text of a record, in characters.
const LONGEST: usize = 1024;
/// How often a record is tried when another one took its place in the chain: one whose commit was given up on.
pub(crate) const TRIES: usize = 3;

/// What is put on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Time,
    /// The user's name.
    pub who: String,
    /// The verb, in the words of RBAC.
    pub verb: String,
    /// The resource.
    pub resource: String,
    /// Its namespace; empty for all.
    pub namespace: String,
    /// Its name; empty for none.
    pub name: String,
    /// The run that it was about.
    pub run: Option<Uuid>,
    /// Where the request came from.
    pub from: String,
    /// Whether they had the right.
    pub allowed: bool,
    /// Why, in words.
    pub reason: String,
}

/// Which records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this user.
    pub who: Option<String>,
    /// Made at or after this time.
    pub since: Option<Time>,
    /// Only those that were allowed, or only those that were not.
    pub allowed: Option<bool>,
}

/// Place in a list of records, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCursor {
    /// When the last record shown was made.
    pub at: Time,
    /// Where it is in the chains.
    pub link: AuditLink,
}

/// Place in the chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLink {
    /// The chain.
    pub writer: Uuid,
    /// The number in it.
    pub number: i64,
}

impl AuditLink {
    /// Before every other.
    pub(crate) const FIRST: Self = Self { writer: Uuid::nil(), number: 0 };
}

/// The end of a chain, or the newest record of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub number: i64,
    pub at: Option<Time>,
    pub hash: String,
}

impl Default for Head {
    fn default() -> Self {
        Self { number: 0, at: None, hash: NO_HASH.to_owned() }
    }
}

/// The chain that this process writes: another one each month, so that chains go by age as a whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain(Arc<Mutex<Uuid>>);

impl Chain {
    /// The chain for a record of that time.
    pub fn at(&self, at: Time) -> Uuid {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if month(started(*writer)) != month(at) {
            let ms = u64::try_from(at.millis()).unwrap_or(0);
            let nanos = u32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
            *writer = Uuid::new_v7(Timestamp::from_unix(NoContext, ms / 1000, nanos));
        }
        *writer
    }
}

/// The time in a UUIDv7.
fn started(id: Uuid) -> Time {
    Time::from_millis(i64::try_from(id.as_u128() >> 80).unwrap_or(0))
}

fn month(at: Time) -> (i16, i8) {
    let date = at.timestamp().to_zoned(TimeZone::UTC).date();
    (date.year(), date.month())
}

/// The record of an entry that follows `head` in its chain. Its time is not before that of the one before.
pub(crate) fn record(entry: &AuditEntry, writer: Uuid, head: Head) -> AuditRecord {
    let mut record = AuditRecord {
        writer: writer.to_string(),
        number: head.number + 1,
        at: head.at.map_or(entry.at, |at| at.max(entry.at)),
        who: clipped(&entry.who),
        verb: clipped(&entry.verb),
        resource: clipped(&entry.resource),
        namespace: clipped(&entry.namespace),
        name: clipped(&entry.name),
        run: entry.run.map(|r| r.to_string()),
        from: clipped(&entry.from),
        allowed: entry.allowed,
        reason: clipped(&entry.reason),
        previous: head.hash,
        hash: String::new(),
    };
    record.hash = record.digest();
    record
}

fn clipped(long: &str) -> String {
    text(long.chars().take(LONGEST).collect())
}

/// Whether another record has this place in the chain.
pub(crate) fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Sql { source, .. } if source.as_database_error().is_some_and(|e| e.is_unique_violation()))
}

pub(crate) fn head(row: &impl Fields) -> Result<Head, sqlx::Error> {
    Ok(Head { number: row.long("number")?, at: Some(row.time("at")?), hash: row.text("hash")? })
}

pub(crate) fn audit(row: &impl Fields) -> Result<AuditRecord, sqlx::Error> {
    Ok(AuditRecord {
        writer: row.id("writer")?.to_string(),
        number: row.long("number")?,
        at: row.time("at")?,
        who: row.text("who")?,
        verb: row.text("verb")?,
        resource: row.text("resource")?,
        namespace: row.text("namespace")?,
        name: row.text("name")?,
        run: row.text_opt("run")?,
        from: row.text("origin")?,
        allowed: row.flag("allowed")?,
        reason: row.text("reason")?,
        previous: row.text("previous")?,
        hash: row.text("hash")?,
    })
}

pub(crate) fn anchor(row: &impl Fields) -> Result<AuditAnchor, sqlx::Error> {
    Ok(AuditAnchor {
        writer: row.id("writer")?.to_string(),
        number: row.long("number")?,
        at: row.time("at")?,
        hash: row.text("hash")?,
    })
}

/// Place of a record in the chains.
pub(crate) fn link(record: &AuditRecord) -> AuditLink {
    AuditLink { writer: record.writer.parse().unwrap_or_default(), number: record.number }
}

/// Place of an anchor in the chains.
pub(crate) fn anchor_link(anchor: &AuditAnchor) -> AuditLink {
    AuditLink { writer: anchor.writer.parse().unwrap_or_default(), number: anchor.number }
}

/// Place of a record in a list.
pub(crate) fn cursor(record: &AuditRecord) -> AuditCursor {
    AuditCursor { at: record.at, link: link(record) }
}

impl Store {
    /// Puts an entry on the audit trail. It is durable when this returns.
    pub async fn record(&self, entry: &AuditEntry) -> Result<AuditRecord, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let done = match self {
                Self::Postgres(p) => p.record(entry).await,
                Self::Sqlite(s) => s.record(entry).await,
            };
            match done {
                Err(e) if is_taken(&e) && tries < TRIES => {}
                done => return done,
            }
        }
    }

    /// Records that `filter` leaves, newest first, `limit` of them (500 at most), after `after`.
    pub async fn list_audit(
        &self,
        filter: &AuditFilter,
        after: Option<AuditCursor>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditCursor>, Error> {
        match self {
            Self::Postgres(p) => p.list_audit(filter, after, limit).await,
            Self::Sqlite(s) => s.list_audit(filter, after, limit).await,
        }
    }

    /// All records, chain by chain, `limit` of them (500 at most), after `after`.
    pub async fn audit_chain(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditRecord, AuditLink>, Error> {
        match self {
            Self::Postgres(p) => p.audit_chain(after, limit).await,
            Self::Sqlite(s) => s.audit_chain(after, limit).await,
        }
    }

    /// What vouches for records that went by age, `limit` of them (500 at most), after `after`.
    pub async fn audit_anchors(
        &self,
        after: Option<AuditLink>,
        limit: u32,
    ) -> Result<Page<AuditAnchor, AuditLink>, Error> {
        match self {
            Self::Postgres(p) => p.audit_anchors(after, limit).await,
            Self::Sqlite(s) => s.audit_anchors(after, limit).await,
        }
    }

    /// Deletes some records of chains that are too old, after anchors are made; answers how many, 0 when none is left.
    pub(crate) async fn forget_audit(&self, cutoff: Uuid) -> Result<u64, Error> {
        match self {
            Self::Postgres(p) => p.forget_audit(cutoff).await,
            Self::Sqlite(s) => s.forget_audit(cutoff).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_month_has_a_chain_of_its_own() {
        let chain = Chain::default();
        let at = |text: &str| Time::new(text.parse().unwrap());
        let november = chain.at(at("2026-11-21T08:00:00Z"));
        assert_eq!(chain.at(at("2026-11-30T23:59:59.999Z")), november);
        assert_eq!(started(november), at("2026-11-21T08:00:00Z"));
        let december = chain.at(at("2026-12-01T00:00:00Z"));
        assert!(december > november);
        assert_ne!(Chain::default().at(at("2026-11-21T08:00:00Z")), november, "each process has its own");
    }
}
