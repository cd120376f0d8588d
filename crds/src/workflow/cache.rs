//! Work that need not be done again: what people ask for, and what became of it.

use crate::{duration::DurationText, time::Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which earlier work a step takes over instead of doing it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cache {
    /// maxAge: how long ago that work may have ended, for example 30d; at least 1m.
    pub max_age: DurationText,
}

/// What was found of earlier work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CacheUse {
    /// found: whether the work had been done before; Unknown when the history store did not say.
    pub found: Found,
    /// run that did the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// step of that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// item of that step, when it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// finishedAt: when that work ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// Whether work had been done before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::undescribed)]
pub enum Found {
    /// It had: what came of it is taken over.
    Hit,
    /// It had not, or too long ago, or what it left is gone: it is done.
    Missed,
    /// The store did not say in time: it is done.
    Unknown,
}

impl From<Found> for CacheUse {
    fn from(found: Found) -> Self {
        Self { found, run: None, step: None, item: None, finished_at: None }
    }
}
