//! The alerts and the dashboard that come with the chart: read by promtool, tested, and made of metrics that exist.

use crate::{
    repo,
    tools::{self, TempDir},
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::process::Command;

const RULES: &str = "charts/hearth/files/rules.yaml";
const TESTS: &str = "charts/hearth/tests/rules_test.yaml";
const DASHBOARD: &str = "charts/hearth/files/dashboard.json";

/// Reads every expression with promtool, and runs the rules' tests.
pub fn check() -> Result<()> {
    let promtool = tools::promtool()?;
    let folder = TempDir::new("hearth-rules")?;
    let queries = folder.path().join("dashboard.yaml");
    std::fs::write(&queries, as_rules(&dashboard_queries()?))?;
    let ask = |args: &[&str]| {
        let mut command = Command::new(&promtool);
        command.current_dir(repo::root()).args(args);
        command
    };
    tools::capture(ask(&["check", "rules", "--lint-fatal", RULES]).arg(&queries))?;
    tools::capture(&mut ask(&["test", "rules", TESTS]))?;
    Ok(())
}

/// Queries as recording rules, which is the form in which promtool reads any expression.
fn as_rules(queries: &[String]) -> String {
    let rules: Vec<Value> = queries
        .iter()
        .enumerate()
        .map(|(n, query)| json!({"record": format!("panel:{n}"), "expr": query.replace("$__rate_interval", "5m")}))
        .collect();
    json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()
}

fn dashboard_queries() -> Result<Vec<String>> {
    let text = std::fs::read_to_string(repo::root().join(DASHBOARD))?;
    let dashboard: Value = serde_json::from_str(&text).context(DASHBOARD)?;
    let panels = dashboard.pointer("/panels").and_then(Value::as_array).context("a dashboard without panels")?;
    let targets = panels.iter().filter_map(|panel| panel.get("targets")).filter_map(Value::as_array).flatten();
    let queries: Vec<String> = targets.filter_map(|t| t.get("expr")?.as_str()).map(str::to_owned).collect();
    ensure!(queries.len() > 10, "{DASHBOARD} asks only {} questions", queries.len());
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn read(path: &str) -> String {
        std::fs::read_to_string(repo::root().join(path)).unwrap()
    }

    /// The metrics of the reference with their labels; a histogram by the names of its series.
    fn reference() -> BTreeMap<String, BTreeSet<String>> {
        let mut all = BTreeMap::new();
        for line in read("docs/reference/metrics.md").lines().filter(|line| line.starts_with("| `hearth_")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let mut labels: BTreeSet<String> =
                cells[3].split('`').skip(1).step_by(2).map(str::to_owned).chain(["instance".to_owned()]).collect();
            let name = cells[1].trim_matches('`').to_owned();
            if cells[2] == "histogram" {
                all.insert(format!("{name}_count"), labels.clone());
                all.insert(format!("{name}_sum"), labels.clone());
                labels.insert("le".into());
                all.insert(format!("{name}_bucket"), labels);
            } else {
                all.insert(name, labels);
            }
        }
        assert!(all.len() > 20, "the reference was not read: {all:?}");
        all
    }

    fn rules() -> Vec<Value> {
        let file: Value = serde_yaml::from_str(&read(RULES)).unwrap();
        file["groups"][0]["rules"].as_array().unwrap().clone()
    }

    fn words(query: &str) -> impl Iterator<Item = &str> {
        query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
    }

    /// What stands in `by (…)`, `on (…)` and before `=` within braces.
    fn labels(query: &str) -> BTreeSet<String> {
        let lists = query.split("by (").skip(1).chain(query.split("on (").skip(1));
        let grouped = lists.flat_map(|rest| rest.split(')').next().unwrap().split(','));
        let matched = query.split('{').skip(1).flat_map(|rest| rest.split('}').next().unwrap().split(','));
        grouped.chain(matched.map(|pair| pair.split(['=', '!']).next().unwrap())).map(|l| l.trim().to_owned()).collect()
    }

    #[test]
    fn rules_and_dashboard_ask_for_what_is_exported() {
        let reference = reference();
        let queries = rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        for query in queries.iter().chain(&dashboard_queries().unwrap()) {
            let named: Vec<&str> = words(query).filter(|word| word.starts_with("hearth_")).collect();
            assert!(!named.is_empty(), "{query} asks for nothing of ours");
            let mut known = BTreeSet::new();
            for name in named {
                known.extend(reference.get(name).unwrap_or_else(|| panic!("{name} is in no registry: {query}")));
            }
            for label in labels(query) {
                assert!(known.contains(&label), "{label} is no label of what {query} asks for");
            }
        }
    }

    #[test]
    fn every_alert_says_what_to_do_and_where_to_read_on() {
        let (page, tests) = (read("docs/operations.md"), read(TESTS));
        for rule in rules() {
            let name = rule["alert"].as_str().unwrap();
            assert!(["critical", "warning"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{name}");
            let said = |key: &str| rule["annotations"][key].as_str().unwrap_or_default().to_owned();
            assert!(said("summary").contains("Hearth") || said("summary").contains("passes"), "{name}");
            assert!(said("description").len() > 60, "{name} does not say what to do");
            assert_eq!(said("runbook_url"), format!("docs/operations.md#{}", name.to_lowercase()));
            assert!(page.contains(&format!("\n### {name}\n")), "docs/operations.md has no section {name}");
            assert!(
                tests.contains(&format!("alertname=\"{name}\""))
                    || tests.contains(&format!("alertname: {name}\n    exp_alerts")),
                "no test lets {name} ring"
            );
            assert!(tests.contains(&format!("alertname: {name}}}")), "no test keeps {name} quiet");
        }
        let sections = page.lines().filter(|line| line.starts_with("### Hearth")).count();
        assert_eq!(sections, rules().len(), "docs/operations.md speaks of an alert that is not there");
    }
}
