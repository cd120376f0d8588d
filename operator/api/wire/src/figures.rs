//! Figures over many runs.

use hearth_crds::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the last runs of an object went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// Runs that were looked at, those under way included.
    pub runs: u32,
    /// Of these, runs that ended in each phase or are in it.
    pub phases: BTreeMap<String, u32>,
    /// Failed runs as a part of those that succeeded or failed, from 0 to 1; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_rate: Option<f64>,
    /// How long the runs that succeeded took; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Durations>,
    /// Start of the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Time>,
    /// Start of the newest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<Time>,
    /// The same for each day on which a run started, the newest day first.
    pub days: Vec<TrendDay>,
}

/// The runs that started on one day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TrendDay {
    /// The day in UTC, for example 2026-11-21.
    pub day: String,
    /// Runs that started on it.
    pub runs: u32,
    /// Of these, those that failed.
    pub failed: u32,
    /// How long those that succeeded took; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Durations>,
}

/// Durations in milliseconds. Percentiles are the nearest rank, so each is the duration of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Durations {
    /// The shortest.
    pub min_ms: i64,
    /// Half of the runs took at most this long.
    pub p50_ms: i64,
    /// 95 of 100 runs took at most this long.
    pub p95_ms: i64,
    /// The longest.
    pub max_ms: i64,
}

/// What the runs of a time asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Runs that started at or after this time.
    pub from: Time,
    /// And before this time.
    pub to: Time,
    /// By namespace and owner.
    pub items: Vec<UsageOf>,
    /// There may be more than fit in one answer: ask for one namespace, or for a shorter time.
    pub more: bool,
}

/// What the runs of one owner in one namespace asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UsageOf {
    /// Namespace of the objects.
    pub namespace: String,
    /// Owner of the objects; empty when nobody is named.
    pub owner: String,
    /// Runs.
    pub runs: i64,
    /// Of these, those that failed.
    pub failed: i64,
    /// Attempts that ended.
    pub attempts: i64,
    /// Time of these attempts together, in seconds.
    pub pod_seconds: f64,
    /// Requested CPU times that time, in core seconds.
    pub cpu_seconds: f64,
    /// Requested memory times that time, in GiB seconds.
    pub memory_gib_seconds: f64,
    /// Requested GPUs times that time, in GPU seconds.
    pub gpu_seconds: f64,
}
