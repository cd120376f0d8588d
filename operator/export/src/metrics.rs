//! What is counted. Labels are closed sets.

use crate::target::NAMES;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TargetLabel {
    target: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    target: &'static str,
    outcome: &'static str,
}

/// What became of something that was to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target took it.
    Told,
    /// The target would not have it.
    Refused,
    /// Its run was deleted before.
    Gone,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Told, Self::Refused, Self::Gone];

    fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Refused => "refused",
            Self::Gone => "gone",
        }
    }
}

/// The exporter's metrics; a clone counts into the same.
#[derive(Clone, Debug)]
pub struct ExportMetrics {
    ends: Family<OutcomeLabels, Counter>,
    failures: Family<TargetLabel, Counter>,
    waiting: Family<TargetLabel, Gauge>,
}

impl ExportMetrics {
    /// Makes and registers them, all named `hearth_export_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let m = Self { ends: Family::default(), failures: Family::default(), waiting: Family::default() };
        let r = registry.sub_registry_with_prefix("hearth_export");
        r.register("notices", "Starts and ends of runs that were exported, by what became of them", m.ends.clone());
        r.register("failures", "Attempts to export that failed and are tried again, by target", m.failures.clone());
        r.register("waiting_seconds", "Age of the oldest that waits to be exported, by target", m.waiting.clone());
        for target in NAMES {
            // So that they are there, at zero, before the first of them is needed.
            m.failures.get_or_create(&TargetLabel { target }).inc_by(0);
            m.waiting.get_or_create(&TargetLabel { target }).set(0);
            for outcome in Outcome::ALL {
                m.ends.get_or_create(&OutcomeLabels { target, outcome: outcome.as_str() }).inc_by(0);
            }
        }
        m
    }

    pub(crate) fn ended(&self, target: &'static str, outcome: Outcome) {
        self.ends.get_or_create(&OutcomeLabels { target, outcome: outcome.as_str() }).inc();
    }

    pub(crate) fn failed(&self, target: &'static str) {
        self.failures.get_or_create(&TargetLabel { target }).inc();
    }

    pub(crate) fn waiting(&self, target: &'static str, seconds: i64) {
        self.waiting.get_or_create(&TargetLabel { target }).set(seconds);
    }
}
