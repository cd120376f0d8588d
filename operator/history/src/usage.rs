//! What runs asked for, added up by namespace and owner.

use hearth_crds::time::Time;
use hearth_plan::workflow::requests::{Requests, requests};
use serde_json::Value;
use std::collections::BTreeMap;

/// Groups in an answer, at most.
pub const MOST_GROUPS: usize = 1000;

/// Specs whose requests are looked at; attempts of others count with their time only.
pub(crate) const MOST_SPECS: i64 = 10_000;

/// Which runs count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageFilter {
    /// Runs that started at or after this time.
    pub from: Time,
    /// And before this time.
    pub to: Time,
    /// Of this namespace only.
    pub namespace: Option<String>,
    /// Of the namespace with this UID only.
    pub namespace_uid: Option<String>,
}

/// What the runs of one owner in one namespace asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
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
    /// Time of these attempts together, in seconds, each from its intent to its end.
    pub pod_seconds: f64,
    /// Requested CPU times that time, in core seconds.
    pub cpu_seconds: f64,
    /// Requested memory times that time, in byte seconds.
    pub memory_byte_seconds: f64,
    /// Requested GPUs times that time, in GPU seconds.
    pub gpu_seconds: f64,
}

/// Adds attempts up as their rows come.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Requests by digest of the spec and by step.
    specs: BTreeMap<String, BTreeMap<String, Requests>>,
    groups: BTreeMap<(String, String), Usage>,
}

impl Sum {
    /// A spec, before the attempts that ran it.
    pub(crate) fn spec(&mut self, digest: String, spec: &Value) {
        self.specs.entry(digest).or_insert_with(|| requests(spec));
    }

    /// A group and its runs, before its attempts.
    pub(crate) fn runs(&mut self, namespace: String, owner: String, runs: i64, failed: i64) {
        let usage = Usage { namespace: namespace.clone(), owner: owner.clone(), runs, failed, ..Usage::default() };
        self.groups.insert((namespace, owner), usage);
    }

    /// Attempts of one step of one spec, and their time together. Groups that are not shown are left out.
    pub(crate) fn attempts(&mut self, group: (String, String), digest: &str, step: &str, attempts: i64, millis: i64) {
        let Some(usage) = self.groups.get_mut(&group) else { return };
        let asked = self.specs.get(digest).and_then(|s| s.get(step)).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "2^53 milliseconds are 285,000 years")]
        let seconds = millis as f64 / 1000.0;
        usage.attempts += attempts;
        usage.pod_seconds += seconds;
        usage.cpu_seconds += asked.cpu * seconds;
        usage.memory_byte_seconds += asked.memory * seconds;
        usage.gpu_seconds += asked.gpus * seconds;
    }

    /// The groups by namespace and owner.
    pub(crate) fn groups(self) -> Vec<Usage> {
        self.groups.into_values().collect()
    }
}
