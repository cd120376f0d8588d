//! kstatus: how kubectl's relatives (Flux, kpt, cli-utils, `helm --wait`) read the status of any custom resource.

use super::situations::ALL;
use serde_json::{Value, json};

/// The rules of sigs.k8s.io/cli-utils, pkg/kstatus/status: `Compute` for a kind that it does not know.
fn compute(object: &Value) -> &'static str {
    if object["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating";
    }
    let (generation, observed) = (&object["metadata"]["generation"], &object["status"]["observedGeneration"]);
    if generation.is_i64() && observed.is_i64() && generation != observed {
        return "InProgress";
    }
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    for condition in &conditions {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return "InProgress",
            (Some("Stalled"), Some("True")) => return "Failed",
            _ => {}
        }
    }
    match conditions.iter().find(|c| c["type"] == "Ready").map(|c| &c["status"]) {
        Some(status) if status == "True" => "Current",
        Some(_) => "InProgress",
        None => "Current",
    }
}

#[test]
fn every_situation_reads_as_the_table_says() {
    for situation in ALL {
        assert_eq!(compute(&situation.object()), situation.kstatus, "{}", situation.name);
    }
}

#[test]
fn a_changed_or_deleted_object_is_not_current() {
    let mut object = ALL.iter().find(|s| s.name == "succeeded").unwrap().object();
    object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
    assert_eq!(compute(&object), "InProgress");
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(compute(&object), "Terminating");
}
