//! The diamond as a Workflow for fake nodes.

use hearth_crds::workflow::Workflow;
pub use hearth_e2e::diamond::{PODS, needs, steps};
use serde_json::json;

/// How long each pod seems to run.
const LASTS: &str = "100ms";

/// The Workflow, for fake nodes.
///
/// # Errors
/// The types do not take it, which is a mistake in here.
pub fn workflow(name: &str) -> serde_json::Result<Workflow> {
    let steps: Vec<_> =
        steps().map(|(name, needs)| json!({"name": name, "needs": needs, "command": ["true"]})).collect();
    serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            "image": "hearth.dev/busybox:dev",
            "pod": {
                "nodeSelector": {"type": "kwok"},
                "tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}],
                "annotations": {"kwok.x-k8s.io/complete-after": LASTS},
            },
            "steps": steps,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflow_is_one() {
        let workflow = workflow("x").unwrap();
        assert_eq!(workflow.spec.steps.len(), PODS);
    }
}
