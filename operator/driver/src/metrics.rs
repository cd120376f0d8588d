//! What the driver counts. Labels are closed sets, and all of their series are there, at zero, from the start: a rule
//! that looks for an increase misses the first one of a series that begins with it.

use crate::error::Class;
use hearth_crds::registry::KINDS;
use hearth_plan::work::Answer;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
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
    /// Plural of the resource, or the kind.
    pub resource: &'static str,
}

/// A kind.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct KindLabels {
    /// Kind.
    pub kind: &'static str,
}

/// What comes of the POST of a child.
const POSTED: [&str; 5] = ["created", "exists", "terminating", "refused", "uncertain"];
/// What comes of the POST of a placeholder.
const FENCED: [&str; 4] = ["void", "exists", "terminating", "unknown"];
/// What comes of storing a whole log.
const KEPT: [&str; 3] = ["stored", "unavailable", "again"];
/// What comes of looking for work that was done before.
const LOOKED_UP: [&str; 3] = ["hit", "miss", "unknown"];
/// What is watched beside the kinds.
const WATCHED: [&str; 3] = ["pods", "controllerrevisions", "namespaces"];

/// The driver's metrics.
#[derive(Clone, Debug)]
pub struct DriverMetrics {
    pub(crate) passes: Family<PassLabels, Counter>,
    pub(crate) errors: Family<ErrorLabels, Counter>,
    pub(crate) posts: Family<OutcomeLabels, Counter>,
    pub(crate) fences: Family<OutcomeLabels, Counter>,
    pub(crate) lookups: Family<OutcomeLabels, Counter>,
    pub(crate) status_patches: Counter,
    pub(crate) strays: Counter,
    pub(crate) panics: Counter,
    pub(crate) lost: Counter,
    pub(crate) full: Counter,
    pub(crate) watch_errors: Family<WatchLabels, Counter>,
    pub(crate) parked: Family<KindLabels, Gauge>,
    pub(crate) seconds: Histogram,
    pub(crate) logs: Family<OutcomeLabels, Counter>,
    pub(crate) logs_waiting: Gauge,
}

impl Default for DriverMetrics {
    fn default() -> Self {
        Self {
            passes: Family::default(),
            errors: Family::default(),
            posts: Family::default(),
            fences: Family::default(),
            lookups: Family::default(),
            status_patches: Counter::default(),
            strays: Counter::default(),
            panics: Counter::default(),
            lost: Counter::default(),
            full: Counter::default(),
            watch_errors: Family::default(),
            parked: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.000_25, 2.0, 16)),
            logs: Family::default(),
            logs_waiting: Gauge::default(),
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
        r.register(
            "cache_lookups",
            "Steps and items with cache that were looked up, by what was found of earlier work",
            self.lookups.clone(),
        );
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
        r.register(
            "objects_parked",
            "Objects that cannot be handled, by kind; the leader alone knows them",
            self.parked.clone(),
        );
        r.register("reconcile_seconds", "Duration of a pass", self.seconds.clone());
        r.register(
            "whole_logs",
            "Whole logs by outcome: stored, unavailable for good, or to be tried again",
            self.logs.clone(),
        );
        r.register(
            "whole_logs_waiting",
            "Whole logs that are not stored yet; their pods stay until they are",
            self.logs_waiting.clone(),
        );
        self.begin();
    }

    /// Makes every series.
    fn begin(&self) {
        for kind in KINDS.iter().map(|entry| entry.kind) {
            for outcome in ["done", "again"].into_iter().chain(Class::ALL.map(Class::as_str)) {
                self.passes.get_or_create(&PassLabels { kind, outcome }).inc_by(0);
            }
            for class in Class::ALL.map(Class::as_str) {
                self.errors.get_or_create(&ErrorLabels { kind, class }).inc_by(0);
            }
            self.watch_errors.get_or_create(&WatchLabels { resource: kind }).inc_by(0);
            self.parked.get_or_create(&KindLabels { kind }).set(0);
        }
        for outcome in POSTED {
            self.posts.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
        }
        for outcome in FENCED {
            self.fences.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
        }
        for outcome in KEPT {
            self.logs.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
        }
        for outcome in LOOKED_UP {
            self.lookups.get_or_create(&OutcomeLabels { outcome }).inc_by(0);
        }
        for resource in WATCHED {
            self.watch_errors.get_or_create(&WatchLabels { resource }).inc_by(0);
        }
    }

    pub(crate) fn parked(&self, kind: &'static str) {
        self.parked.get_or_create(&KindLabels { kind }).inc();
    }

    pub(crate) fn unparked(&self, kind: &'static str) {
        self.parked.get_or_create(&KindLabels { kind }).dec();
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

    pub(crate) fn log(&self, outcome: &'static str) {
        self.logs.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn looked_up(&self, answer: &Answer) {
        let outcome = match answer {
            Answer::Done(_) => "hit",
            Answer::Nothing => "miss",
            Answer::Unknown(_) => "unknown",
        };
        self.lookups.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn watch_error(&self, resource: &'static str) {
        self.watch_errors.get_or_create(&WatchLabels { resource }).inc();
    }
}
