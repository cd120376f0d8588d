//! Fake nodes for tests of thousands of pods: kwok answers for their kubelets.

use super::components::Component;
use super::place::Lab;
use super::{process, tell, up};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::time::Duration;

const SELECTOR: &str = "type=kwok";

/// Makes or removes nodes until there are so many.
pub fn set_nodes(lab: &Lab, wanted: usize) -> Result<()> {
    let present = nodes(lab)?;
    if wanted > 0 {
        tell::step("start kwok", || {
            Component::Kwok.start(lab, &up::programs(lab)?)?;
            Component::Kwok.wait(lab)
        })?;
    }
    let missing: Vec<Value> =
        (0..wanted).map(name).filter(|name| !present.contains(name)).map(|name| node(&name)).collect();
    if !missing.is_empty() {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": missing});
        tell::step(&format!("make {} fake nodes", missing.len()), || {
            tell::feed(&mut lab.kubectl(&["apply", "-f", "-"]), &list.to_string())
        })?;
    }
    let keep: Vec<String> = (0..wanted).map(name).collect();
    let surplus: Vec<&String> = present.iter().filter(|name| !keep.contains(name)).collect();
    if !surplus.is_empty() {
        tell::step(&format!("remove {} fake nodes", surplus.len()), || {
            tell::quiet(lab.kubectl(&["delete", "nodes"]).args(surplus.iter().map(|name| name.as_str())))
        })?;
    }
    if wanted == 0 {
        return Component::Kwok.stop(lab);
    }
    tell::step("fake nodes are Ready", || wait_ready(lab, wanted))
}

/// One list tells of all nodes; `kubectl wait` asks for one after another, and its time-out is that of them all.
fn wait_ready(lab: &Lab, wanted: usize) -> Result<()> {
    const READY: &str = r#"jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}"#;
    tell::wait("fake nodes", Duration::from_secs(60), || {
        process::check(lab, Component::Kwok.name())?;
        let told = lab.kubectl(&["get", "nodes", "-l", SELECTOR, "-o", READY]).output()?;
        let ready = String::from_utf8_lossy(&told.stdout).lines().filter(|line| *line == "True").count();
        Ok((ready == wanted).then_some(()))
    })
}

fn nodes(lab: &Lab) -> Result<Vec<String>> {
    let listed = tell::capture(&mut lab.kubectl(&["get", "nodes", "-l", SELECTOR, "-o", "json"]))?;
    let listed: Value = serde_json::from_str(&listed).context("kubectl's list of nodes is not JSON")?;
    let items = listed.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |item: &Value| item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    Ok(items.iter().filter_map(name).collect())
}

fn name(number: usize) -> String {
    format!("kwok-{number}")
}

fn node(name: &str) -> Value {
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "500"});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                "type": "kwok",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    })
}
