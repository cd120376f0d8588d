//! What is counted. Labels are closed sets.

use crate::error::Class;
use crate::refusal::{Table, Written};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TableLabel {
    table: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabel {
    class: &'static str,
}

/// The writer's metrics; a clone counts into the same.
#[derive(Clone, Debug)]
pub struct HistoryMetrics {
    rows: Family<TableLabel, Counter>,
    dead_letters: Family<TableLabel, Counter>,
    failures: Family<ClassLabel, Counter>,
    flushes: Counter,
    minimal: Counter,
    acks: Counter,
    queue: Gauge,
    up: Gauge,
    flush_seconds: Histogram,
}

impl HistoryMetrics {
    /// Makes and registers them, all named `hearth_history_…`.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let m = Self {
            rows: Family::default(),
            dead_letters: Family::default(),
            failures: Family::default(),
            flushes: Counter::default(),
            minimal: Counter::default(),
            acks: Counter::default(),
            queue: Gauge::default(),
            up: Gauge::default(),
            flush_seconds: Histogram::new(seconds),
        };
        let r = registry.sub_registry_with_prefix("hearth_history");
        r.register("rows", "Rows inserted or updated", m.rows.clone());
        r.register("dead_letters", "Rows that the store refused", m.dead_letters.clone());
        r.register("failures", "Flushes that failed and were tried again, by class of the error", m.failures.clone());
        r.register("flushes", "Flushes that were committed", m.flushes.clone());
        r.register("minimal_runs", "Runs that were stored in minimal form", m.minimal.clone());
        r.register("acks", "Acknowledgements of final batches", m.acks.clone());
        r.register("queue_depth", "Batches that wait for the writer", m.queue.clone());
        r.register("up", "Whether the store took the last batch or probe", m.up.clone());
        r.register("flush_seconds", "Time from the start of a flush to its commit", m.flush_seconds.clone());
        for table in [Table::Runs, Table::Steps, Table::Events, Table::Lineage] {
            // So that they are there, at zero, before the first of them is needed.
            m.rows.get_or_create(&TableLabel { table: table.as_str() }).inc_by(0);
            m.dead_letters.get_or_create(&TableLabel { table: table.as_str() }).inc_by(0);
        }
        for class in [Class::Transient, Class::Invalid] {
            m.failures.get_or_create(&ClassLabel { class: class_label(class) }).inc_by(0);
        }
        m
    }

    pub(crate) fn flushed(&self, written: &Written, acks: usize, took: Duration) {
        for (table, count) in [
            (Table::Runs, written.runs),
            (Table::Steps, written.steps),
            (Table::Events, written.events),
            (Table::Lineage, written.lineage),
        ] {
            self.rows.get_or_create(&TableLabel { table: table.as_str() }).inc_by(count);
        }
        for letter in &written.letters {
            self.dead_letters.get_or_create(&TableLabel { table: letter.table.as_str() }).inc();
        }
        self.minimal.inc_by(written.minimal.len() as u64);
        self.acks.inc_by(acks as u64);
        self.flushes.inc();
        self.flush_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn failed(&self, class: Class) {
        self.failures.get_or_create(&ClassLabel { class: class_label(class) }).inc();
    }

    pub(crate) fn queue_depth(&self, depth: usize) {
        self.queue.set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    pub(crate) fn set_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }
}

fn class_label(class: Class) -> &'static str {
    match class {
        Class::Transient => "transient",
        Class::Invalid => "invalid",
    }
}
