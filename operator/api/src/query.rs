//! What a request asks for: the parameters of lists, parsed once.

use crate::{
    cursor::CursorKey,
    gate::{Part, Reach, Scope},
    refused::Refused,
};
use hearth_crds::{duration::DurationText, time::Time};
use hearth_history::{AuditFilter, RunFilter};
use hearth_wire::{MAX_PAGE, ProblemKind};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};

/// Runs in a page when nobody says otherwise.
const DEFAULT_PAGE: u32 = 50;
/// The most runs that may be left out by the number of a page.
const DEEPEST_PAGE: u32 = 2000;
/// The most runs that a trend is over.
const LONGEST_TREND: usize = 1000;
/// The time that usage is over when nobody says otherwise.
const WEEK_MS: i64 = 7 * 86_400_000;
/// The longest time that usage may be over.
const LONGEST_USAGE: Duration = Duration::from_secs(366 * 86_400);
/// Edges of lineage each way, from what was asked for and in all, when nobody says otherwise.
const DEFAULT_REACH: Reach = Reach { depth: 6, limit: 200 };
/// And the most.
const FURTHEST: Reach = Reach { depth: 20, limit: 1000 };
/// The longest value of a filter.
const LONGEST: usize = 1024;
/// The phases of a run, in the store's words.
const PHASES: [&str; 6] = ["Pending", "Running", "Succeeded", "Failed", "Cancelled", "Vanished"];

/// Parameters of a list of runs. An unknown one is refused: a misspelt filter would show too much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunsQuery {
    /// Namespace; without it the right in all namespaces is needed.
    pub namespace: Option<String>,
    /// Kind.
    pub kind: Option<String>,
    /// Name of the object.
    pub name: Option<String>,
    /// UID of the object.
    pub uid: Option<String>,
    /// Phases, separated by commas.
    pub phase: Option<String>,
    /// Reason of the run.
    pub reason: Option<String>,
    /// Failure class of one of its attempts.
    pub class: Option<String>,
    /// What started it.
    pub trigger: Option<String>,
    /// Owner.
    pub owner: Option<String>,
    /// Labels of the object: `a=b,c=d`, all of them.
    pub label: Option<String>,
    /// Params by their value as text: `a=b,c=d`, all of them.
    pub param: Option<String>,
    /// Started at or after this time (RFC 3339).
    pub from: Option<String>,
    /// Started before this time (RFC 3339).
    pub to: Option<String>,
    /// Took at least this long, for example `10m`.
    pub min_duration: Option<String>,
    /// The most runs in the answer, from 1 to 500.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Number of the page, from 1, as far as the first 2,000 runs go; `next` goes on from any page.
    pub page: Option<u32>,
}

/// Parameters of a list of parts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartQuery {
    /// The most items in the answer, from 1 to 500.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Parameters of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogQuery {
    /// Name of the step.
    #[param(required = true)]
    pub step: Option<String>,
    /// Item of a fan-out.
    pub item: Option<i32>,
    /// Number of the attempt; without it the last one that has a log, or says why not.
    pub attempt: Option<i32>,
}

/// Which runs a trend is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrendQuery {
    /// The most runs that are looked at, from 1 to 1000; 100 when nobody says otherwise.
    pub last: Option<usize>,
    /// Runs that started at or after this time (RFC 3339).
    pub from: Option<String>,
}

impl TrendQuery {
    /// The first time, and the most runs.
    pub fn window(&self) -> Result<(Option<Time>, usize), Refused> {
        let last = self.last.unwrap_or(100);
        if !(1..=LONGEST_TREND).contains(&last) {
            return Err(bad(format!("last must be from 1 to {LONGEST_TREND}; it is {last}")));
        }
        Ok((time("from", self.from.as_deref())?, last))
    }
}

/// Parameters of a list of the audit trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditQuery {
    /// Namespace; without it all.
    pub namespace: Option<String>,
    /// Name of a user.
    pub who: Option<String>,
    /// Made at or after this time (RFC 3339).
    pub from: Option<String>,
    /// Only what was allowed, or only what was not.
    pub allowed: Option<bool>,
    /// The most records in the answer, from 1 to 500.
    pub limit: Option<u32>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

impl AuditQuery {
    /// What the list leaves.
    pub fn filter(&self) -> Result<AuditFilter, Refused> {
        short(&[&self.namespace, &self.who])?;
        Ok(AuditFilter {
            namespace: self.namespace.clone(),
            who: self.who.clone(),
            since: time("from", self.from.as_deref())?,
            allowed: self.allowed,
        })
    }

    /// The page that is asked for.
    pub fn part<K: DeserializeOwned>(&self, keys: &CursorKey) -> Result<Part<K>, Refused> {
        page(self.limit, self.cursor.as_deref(), keys, &self.signature())
    }

    /// What a cursor of this list is bound to: every parameter but the page itself.
    #[must_use]
    pub fn signature(&self) -> String {
        let filters = Self { limit: None, cursor: None, ..self.clone() };
        format!("audit?{}", serde_json::to_string(&filters).unwrap_or_default())
    }
}

/// Which runs are added up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsageQuery {
    /// Namespace; without it the right in all namespaces is needed.
    pub namespace: Option<String>,
    /// Runs that started at or after this time (RFC 3339); seven days before the end when nobody says otherwise.
    pub from: Option<String>,
    /// Runs that started before this time (RFC 3339); now when nobody says otherwise.
    pub to: Option<String>,
}

impl UsageQuery {
    /// Where it looks.
    #[must_use]
    pub fn scope(&self) -> Scope {
        scope(self.namespace.as_deref())
    }

    /// From when until when.
    pub fn window(&self, now: Time) -> Result<(Time, Time), Refused> {
        let to = time("to", self.to.as_deref())?.unwrap_or(now);
        let week = Time::from_millis(to.millis().saturating_sub(WEEK_MS));
        let from = time("from", self.from.as_deref())?.unwrap_or(week);
        if from >= to {
            return Err(bad(format!("from must be before to; it is {from}, and to is {to}")));
        }
        if to.since(from) > LONGEST_USAGE {
            return Err(bad("from and to must be at most 366 days apart".to_owned()));
        }
        Ok((from, to))
    }
}

/// How much of a lineage is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LineageQuery {
    /// Namespace, with a digest only; without it the right in all namespaces is needed. A run has its own.
    pub namespace: Option<String>,
    /// The most edges from what is asked for, from 1 to 20; 6 when nobody says otherwise.
    pub depth: Option<u32>,
    /// The most edges each way, from 1 to 1000; 200 when nobody says otherwise.
    pub limit: Option<u32>,
}

impl LineageQuery {
    /// Where it looks.
    #[must_use]
    pub fn scope(&self) -> Scope {
        scope(self.namespace.as_deref())
    }

    /// How far and how much.
    pub fn reach(&self) -> Result<Reach, Refused> {
        short(&[&self.namespace])?;
        let within = |of: &str, value: Option<u32>, default: u32, most: u32| {
            let value = value.unwrap_or(default);
            let fits = (1..=most).contains(&value);
            fits.then_some(value).ok_or_else(|| bad(format!("{of} must be from 1 to {most}; it is {value}")))
        };
        Ok(Reach {
            depth: within("depth", self.depth, DEFAULT_REACH.depth, FURTHEST.depth)?,
            limit: within("limit", self.limit, DEFAULT_REACH.limit, FURTHEST.limit)?,
        })
    }
}

impl RunsQuery {
    /// Where the list looks.
    #[must_use]
    pub fn scope(&self) -> Scope {
        scope(self.namespace.as_deref())
    }

    /// What the list leaves. The gate fills the namespaces in.
    pub fn filter(&self) -> Result<RunFilter, Refused> {
        self.check_lengths()?;
        Ok(RunFilter {
            kind: self.kind.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            phases: phases(self.phase.as_deref())?,
            reason: self.reason.clone(),
            class: self.class.clone(),
            trigger: self.trigger.clone(),
            owner: self.owner.clone(),
            labels: pairs("label", self.label.as_deref())?,
            params: pairs("param", self.param.as_deref())?,
            from: time("from", self.from.as_deref())?,
            to: time("to", self.to.as_deref())?,
            min_duration: duration("minDuration", self.min_duration.as_deref())?,
            ..RunFilter::default()
        })
    }

    /// The page that is asked for.
    pub fn part<K: DeserializeOwned>(&self, keys: &CursorKey) -> Result<Part<K>, Refused> {
        page(self.limit, self.cursor.as_deref(), keys, &self.signature())
    }

    /// How many runs come before the page that is asked for by its number.
    pub fn skipped(&self) -> Result<u32, Refused> {
        let Some(page) = self.page else { return Ok(0) };
        if self.cursor.is_some() {
            return Err(bad("page and cursor name a page in two ways; send one of them".to_owned()));
        }
        let before = page.checked_sub(1).ok_or_else(|| bad("page must be at least 1".to_owned()))?;
        let skipped = before.saturating_mul(self.limit.unwrap_or(DEFAULT_PAGE));
        if skipped > DEEPEST_PAGE {
            return Err(bad(format!(
                "page: at most {DEEPEST_PAGE} runs are left out by number; follow `next` of an earlier page from there"
            )));
        }
        Ok(skipped)
    }

    /// What a cursor of this list is bound to: every parameter but the page itself.
    #[must_use]
    pub fn signature(&self) -> String {
        let filters = Self { limit: None, cursor: None, page: None, ..self.clone() };
        format!("runs?{}", serde_json::to_string(&filters).unwrap_or_default())
    }

    fn check_lengths(&self) -> Result<(), Refused> {
        short(&[
            &self.namespace,
            &self.kind,
            &self.name,
            &self.uid,
            &self.reason,
            &self.class,
            &self.trigger,
            &self.owner,
            &self.label,
            &self.param,
        ])
    }
}

fn short(texts: &[&Option<String>]) -> Result<(), Refused> {
    if texts.iter().copied().flatten().any(|t| t.len() > LONGEST) {
        return Err(bad(format!("a filter is longer than {LONGEST} bytes")));
    }
    Ok(())
}

impl PartQuery {
    /// The page that is asked for; `of` is the list that its cursor belongs to.
    pub fn part<K: DeserializeOwned>(&self, keys: &CursorKey, of: &str) -> Result<Part<K>, Refused> {
        page(self.limit.or(Some(MAX_PAGE)), self.cursor.as_deref(), keys, of)
    }
}

fn page<K: DeserializeOwned>(
    limit: Option<u32>,
    cursor: Option<&str>,
    keys: &CursorKey,
    of: &str,
) -> Result<Part<K>, Refused> {
    let limit = limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad(format!("limit must be from 1 to {MAX_PAGE}; it is {limit}")));
    }
    let after = cursor.map(|c| keys.open(c, of)).transpose().map_err(|e| bad(format!("cursor: {e}")))?;
    Ok(Part { after, limit })
}

fn scope(namespace: Option<&str>) -> Scope {
    namespace.map_or(Scope::Everywhere, |name| Scope::Namespace(name.to_owned()))
}

fn phases(text: Option<&str>) -> Result<Vec<String>, Refused> {
    let parse = |word: &str| {
        let known = PHASES.iter().find(|p| p.eq_ignore_ascii_case(word.trim()));
        known
            .map(|p| (*p).to_owned())
            .ok_or_else(|| bad(format!("phase: there is no phase {word:?}; the phases are {}", PHASES.join(", "))))
    };
    text.into_iter().flat_map(|t| t.split(',')).map(parse).collect()
}

fn pairs(of: &str, text: Option<&str>) -> Result<BTreeMap<String, String>, Refused> {
    let parse = |pair: &str| {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| bad(format!("{of}: must be NAME=VALUE, several separated by commas; {pair:?} is not")))?;
        Ok((key.trim().to_owned(), value.to_owned()))
    };
    text.into_iter().flat_map(|t| t.split(',')).map(parse).collect()
}

pub(crate) fn time(of: &str, text: Option<&str>) -> Result<Option<Time>, Refused> {
    let parse = |t: &str| {
        t.parse::<Timestamp>()
            .map(Time::new)
            .map_err(|_| bad(format!("{of}: must be a time such as 2026-11-21T08:00:00Z; {t:?} is not")))
    };
    text.map(parse).transpose()
}

fn duration(of: &str, text: Option<&str>) -> Result<Option<Duration>, Refused> {
    let parse = |t: &str| {
        DurationText(t.to_owned())
            .parse()
            .map_err(|_| bad(format!("{of}: must be a duration such as 90s, 15m or 2h; {t:?} is not")))
    };
    text.map(parse).transpose()
}

fn bad(detail: String) -> Refused {
    Refused::new(ProblemKind::BadRequest, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<RunsQuery, String> {
        axum::extract::Query::<RunsQuery>::try_from_uri(&format!("/runs?{text}").parse().unwrap())
            .map(|q| q.0)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn filters_are_parsed() {
        let filter =
            query("phase=failed,Running&label=a%3Db,c%3Dd&param=window%3D12&from=2026-11-21T08:00:00Z&minDuration=90s")
                .unwrap()
                .filter()
                .unwrap();
        assert_eq!(filter.phases, ["Failed", "Running"]);
        assert_eq!(filter.labels.len(), 2);
        assert_eq!(filter.params.get("window").map(String::as_str), Some("12"));
        assert_eq!(filter.min_duration, Some(Duration::from_secs(90)));
        assert!(filter.from.is_some());
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(query("nmae=x").is_err());
        for text in ["phase=Done", "label=x", "from=yesterday", "minDuration=soon"] {
            assert_eq!(query(text).unwrap().filter().unwrap_err().kind(), ProblemKind::BadRequest, "{text}");
        }
        let keys = CursorKey::derive(b"k");
        for text in ["limit=0", "limit=501", "cursor=x"] {
            assert!(query(text).unwrap().part::<String>(&keys).is_err(), "{text}");
        }
    }

    #[test]
    fn a_cursor_is_bound_to_the_filters_but_not_to_the_page() {
        let with = |text: &str| query(text).unwrap().signature();
        assert_eq!(with("name=a&limit=5"), with("name=a&limit=6&cursor=x"));
        assert_ne!(with("name=a"), with("name=b"));
        assert_ne!(with("name=a"), with("namespace=a"));
        assert_eq!(with("name=a"), with("name=a&page=2"));
    }

    #[test]
    fn a_page_has_a_number_while_it_is_near() {
        let skipped = |text: &str| query(text).unwrap().skipped().map_err(|e| e.kind());
        assert_eq!((skipped(""), skipped("page=1"), skipped("limit=20&page=3")), (Ok(0), Ok(0), Ok(40)));
        assert_eq!(skipped("limit=500&page=5"), Ok(2000));
        for text in ["page=0", "page=2&cursor=x", "limit=500&page=6", "page=4294967295"] {
            assert_eq!(skipped(text), Err(ProblemKind::BadRequest), "{text}");
        }
    }
}
