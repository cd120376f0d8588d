//! How long records are kept: whole months, by the time that is in a run's id.

use crate::{error::Error, store::Store};
use jiff::{Timestamp, tz::TimeZone};
use std::time::Duration;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How often what is too old is looked for, and how soon again after a failure.
const EVERY: Duration = Duration::from_secs(3600);
const AGAIN: Duration = Duration::from_secs(60);

/// How long records are kept after the start of their run; None keeps them for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention(pub Option<Duration>);

impl Retention {
    /// The least id of a run that is kept at `now`: the first of the month in which the oldest kept run may have
    /// started. So a run goes when its whole month is too old, on either back end.
    #[must_use]
    pub fn cutoff(self, now: Timestamp) -> Option<Uuid> {
        let oldest = now.checked_sub(self.0?).ok()?.to_zoned(TimeZone::UTC);
        let first = oldest.date().first_of_month().to_zoned(TimeZone::UTC).ok()?;
        let ms = u128::try_from(first.timestamp().as_millisecond()).ok()?;
        Some(Uuid::from_u128(ms << 80))
    }
}

/// Whether a run is too old to be written again. Only a UUIDv7 says when it started.
pub(crate) fn is_past(id: Uuid, cutoff: Option<Uuid>) -> bool {
    id.get_version_num() == 7 && cutoff.is_some_and(|cutoff| id < cutoff)
}

impl Store {
    /// Makes room for what comes and deletes what is too old, now and every hour. The leader's work.
    pub fn spawn_upkeep(&self, retention: Retention) -> JoinHandle<()> {
        let store = self.clone();
        tokio::spawn(async move {
            loop {
                let pause = match store.upkeep(retention).await {
                    Ok(deleted) => {
                        if deleted > 0 {
                            tracing::info!(deleted, "records past their retention are deleted");
                        }
                        EVERY
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the upkeep of the history store failed, trying again later");
                        AGAIN
                    }
                };
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// The same once. Answers how many partitions and rows were deleted.
    pub async fn upkeep(&self, retention: Retention) -> Result<u64, Error> {
        // A new store may have no tables yet: whoever comes second finds them.
        self.migrate().await?;
        self.prepare_months().await?;
        let (Some(keep), Some(cutoff)) = (retention.0, retention.cutoff(Timestamp::now())) else { return Ok(0) };
        let mut deleted = self.drop_months(cutoff).await?;
        for table in Aged::ALL {
            loop {
                let some = self.prune(table, cutoff).await?;
                deleted += some;
                if some == 0 {
                    break;
                }
            }
        }
        loop {
            let some = self.forget_audit(cutoff).await?;
            deleted += some;
            if some == 0 {
                break;
            }
        }
        Ok(deleted + self.prune_letters(keep).await?)
    }
}

/// The tables whose rows go by the id of their run, a run's own row last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aged {
    Lineage,
    Logs,
    Events,
    Steps,
    Runs,
}

impl Aged {
    const ALL: [Self; 5] = [Self::Lineage, Self::Logs, Self::Events, Self::Steps, Self::Runs];
}

/// Runs whose rows go in one transaction, so that the writer waits a moment only.
pub(crate) const AT_ONCE: i64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn id_at(text: &str) -> Uuid {
        let ms = u128::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap();
        Uuid::from_u128((ms << 80) | (0x7 << 76) | (0x2 << 62) | 5)
    }

    #[test]
    fn whole_months_go() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        let cutoff = Retention(Some(Duration::from_secs(60 * 86_400))).cutoff(now);
        // Sixty days before is September the 22nd.
        assert!(is_past(id_at("2026-08-31T23:59:59.999Z"), cutoff));
        assert!(!is_past(id_at("2026-09-01T00:00:00Z"), cutoff));
        assert!(!is_past(id_at("2026-11-21T08:00:00Z"), cutoff));
        assert_eq!(Retention(None).cutoff(now), None);
        assert!(!is_past(Uuid::nil(), cutoff), "an id without a time is never too old");
        assert!(!is_past(id_at("1970-01-02T00:00:00Z"), None));
    }

    #[test]
    fn longer_than_there_is_time_keeps_all() {
        let now = "2026-11-21T08:00:00Z".parse().unwrap();
        assert_eq!(Retention(Some(Duration::MAX)).cutoff(now), None);
        assert_eq!(Retention(Some(Duration::from_secs(100 * 366 * 86_400))).cutoff(now), None);
    }
}
