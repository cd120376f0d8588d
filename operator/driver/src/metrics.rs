//! What the driver counts. Labels are closed sets.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// A kind and how a pass of it ended.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PassLabels {
    /// Kind.
    pub kind: &'static str,
    /// `done`, `again` or the class of the error.
    pub outcome: &'static str,
}

/// What came of a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OutcomeLabels {
    /// One word out of few.
    pub outcome: &'static str,
}

/// A kind and a class of error.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ErrorLabels {
    /// Kind.
    pub kind: &'static str,
    /// Class of the error.
    pub class: &'static str,
}

/// A watched resource.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct WatchLabels {
    /// Plural of the resource.
    pub resource: &'static str,
}

/// The driver's metrics.
#[derive(Clone, Debug)]
pub struct DriverMetrics {
    pub(crate) passes: Family<PassLabels, Counter>,
    pub(crate) errors: Family<ErrorLabels, Counter>,
    pub(crate) posts: Family<OutcomeLabels, Counter>,
    pub(crate) fences: Family<OutcomeLabels, Counter>,
    pub(crate) status_patches: Counter,
    pub(crate) strays: Counter,
    pub(crate) panics: Counter,
    pub(crate) lost: Counter,
    pub(crate) full: Counter,
    pub(crate) watch_errors: Family<WatchLabels, Counter>,
    pub(crate) seconds: Histogram,
}

impl Default for DriverMetrics {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            errors: Family::default(),
            posts: Family::default(),
            fences: Family::default(),
            status_patches: Counter::default(),
            strays: Counter::default(),
            panics: Counter::default(),
            lost: Counter::default(),
            full: Counter::default(),
            watch_errors: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
        }
    }
}

impl DriverMetrics {
    /// Registers all of them under `hearth_`.
    pub fn register(&self, registry: &mut Registry) {
        let r = registry.sub_registry_with_prefix("hearth");
        r.register("reconciles", "Passes by kind and outcome", self.passes.clone());
        r.register("reconcile_errors", "Errors of passes by kind and class", self.errors.clone());
        r.register("child_posts", "POSTs of children by outcome", self.posts.clone());
        r.register("fences", "POSTs of placeholders by outcome", self.fences.clone());
        r.register("status_patches", "Accepted status patches", self.status_patches.clone());
        r.register(
            "children_deleted",
            "Single pods deleted: stopped with their run, or void or over",
            self.strays.clone(),
        );
        r.register("records_lost", "Records given up with their deleted objects", self.lost.clone());
        r.register("panics", "Panics caught in a pass", self.panics.clone());
        r.register(
            "records_deferred",
            "Record batches that found the channel full and are derived again later",
            self.full.clone(),
        );
        r.register("watch_errors", "Watches that had to be started again, by resource", self.watch_errors.clone());
        r.register("reconcile_seconds", "Duration of a pass", self.seconds.clone());
    }

    pub(crate) fn pass(&self, kind: &'static str, outcome: &'static str) {
        self.passes.get_or_create(&PassLabels { kind, outcome }).inc();
    }

    pub(crate) fn post(&self, outcome: &'static str) {
        self.posts.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn fence(&self, outcome: &'static str) {
        self.fences.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn watch_error(&self, resource: &'static str) {
        self.watch_errors.get_or_create(&WatchLabels { resource }).inc();
    }
}
