//! All that the operator counts, in one registry; docs/reference/metrics.md is made from it.

use hearth_api::ApiMetrics;
use hearth_driver::DriverMetrics;
use hearth_export::ExportMetrics;
use hearth_history::HistoryMetrics;
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

/// The metrics of all parts.
pub struct Metrics {
    /// Of passes and watches.
    pub driver: DriverMetrics,
    /// Of the writer.
    pub history: HistoryMetrics,
    /// Of the API.
    pub api: ApiMetrics,
    /// Of what other systems are told.
    pub export: ExportMetrics,
    /// 1 while this process holds the Lease.
    pub leading: Gauge,
}

impl Metrics {
    /// Metrics that are shown by `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let (driver, leading) = (DriverMetrics::default(), Gauge::default());
        driver.register(registry);
        registry.register("hearth_leading", "Whether this replica holds the Lease, and so reconciles", leading.clone());
        Self {
            driver,
            history: HistoryMetrics::register(registry),
            api: ApiMetrics::register(registry),
            export: ExportMetrics::register(registry),
            leading,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use std::{
        collections::{BTreeMap, BTreeSet},
        fmt::Write as _,
        path::Path,
    };

    /// A metric as its readers see it.
    #[derive(Debug, Default)]
    struct Seen {
        kind: String,
        help: String,
        labels: BTreeMap<String, BTreeSet<String>>,
    }

    /// What a scrape of a fresh process shows, by the names that queries use.
    fn seen() -> BTreeMap<String, Seen> {
        let mut registry = Registry::default();
        let _metrics = Metrics::register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let mut all: BTreeMap<String, Seen> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match words.as_slice() {
                ["#", "HELP", name, help] => all.entry((*name).to_owned()).or_default().help = (*help).to_owned(),
                ["#", "TYPE", name, kind] => all.entry((*name).to_owned()).or_default().kind = (*kind).to_owned(),
                ["#", ..] => {}
                _ => note_sample(&mut all, line),
            }
        }
        all.into_iter()
            .map(|(name, seen)| (if seen.kind == "counter" { format!("{name}_total") } else { name }, seen))
            .collect()
    }

    fn note_sample(all: &mut BTreeMap<String, Seen>, line: &str) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_total", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|family| all.contains_key(*family)))
            .unwrap_or(name)
            .to_owned();
        let seen = all.get_mut(&family).unwrap();
        let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
        for pair in labels.split("\",").filter(|pair| !pair.is_empty()) {
            let (label, value) = pair.split_once("=\"").unwrap();
            if label != "le" {
                seen.labels.entry(label.to_owned()).or_default().insert(value.trim_end_matches('"').to_owned());
            }
        }
    }

    fn page() -> String {
        let mut out = String::from(
            "<!-- Written by a test of hearth-manager from the registry. Do not edit. -->\n\
             # Metrics\n\n\
             What the operator exports in OpenMetrics format at `/metrics` of port 8080. Labels are closed sets: no name of an\n\
             object, user or namespace is ever one. A histogram has `_bucket`, `_sum` and `_count`. Counters count from the\n\
             start of the process; those of passes, children and history stand still in replicas that do not lead.\n\
             [Operations](../operations.md) says which rules and dashboard come with the chart.\n\n\
             | metric | type | labels | meaning |\n| --- | --- | --- | --- |\n",
        );
        for (name, seen) in seen() {
            let labels: Vec<String> = seen.labels.iter().map(|(label, values)| label_text(label, values)).collect();
            writeln!(out, "| `{name}` | {} | {} | {} |", seen.kind, labels.join(", "), seen.help).unwrap();
        }
        out
    }

    fn label_text(label: &str, values: &BTreeSet<String>) -> String {
        if label == "route" {
            return "`route` (a path of the [API](openapi.json), or other)".to_owned();
        }
        format!("`{label}` ({})", values.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
    }

    /// `HEARTH_WRITE=1 cargo test -p hearth-manager metrics` writes the file.
    #[test]
    fn the_reference_holds_the_metrics() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
        if std::env::var_os("HEARTH_WRITE").is_some() {
            std::fs::write(&file, page()).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&file).unwrap_or_default(),
            page(),
            "docs/reference/metrics.md is not what the code says: HEARTH_WRITE=1 cargo test -p hearth-manager metrics"
        );
    }

    /// <https://prometheus.io/docs/practices/naming>
    #[test]
    fn names_keep_the_conventions() {
        let snake = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let all = seen();
        assert!(all.len() > 20, "{all:?}");
        for (name, seen) in &all {
            assert!(name.starts_with("hearth_") && snake(name) && !name.contains("__"), "{name}");
            assert!(seen.help.len() > 10 && seen.help.ends_with('.'), "{name} needs a help text: {}", seen.help);
            let stem = name.trim_end_matches("_total");
            match seen.kind.as_str() {
                "counter" => assert!(name.ends_with("_total") && !stem.ends_with("_total"), "{name}"),
                "gauge" => {}
                "histogram" => {
                    assert!(name.ends_with("_seconds") || name.ends_with("_bytes"), "{name} has no base unit")
                }
                other => panic!("{name} is a {other}"),
            }
            for taken in ["_total", "_count", "_sum", "_bucket", "_info", "_counter", "_gauge", "_histogram"] {
                assert!(!stem.ends_with(taken), "{name} ends like what it is not");
            }
            for unit in ["_ms", "_milliseconds", "_minutes", "_kb", "_percent"] {
                assert!(!stem.ends_with(unit), "{name} is not in a base unit");
            }
        }
    }

    #[test]
    fn labels_are_closed_sets_that_begin_at_zero() {
        for (name, seen) in seen() {
            for (label, values) in &seen.labels {
                assert!(
                    !["name", "namespace", "job", "instance", "pod", "uid"].contains(&label.as_str()),
                    "{name} {label}"
                );
                assert!(values.len() <= 8, "{name} has {} values of {label}", values.len());
            }
            let described = seen.help.contains(" by ") || seen.help.contains(", by ");
            assert!(!described || !seen.labels.is_empty(), "{name} begins without series: {}", seen.help);
        }
    }
}
