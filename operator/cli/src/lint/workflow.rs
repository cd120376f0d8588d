//! What the operator itself would say of a Workflow.

use super::Finding;
use hearth_crds::workflow::WorkflowSpec;
use hearth_plan::{offer::Offer, workflow::validate::validate};
use serde_json::Value;

/// The first thing that the operator would refuse.
pub fn findings(object: &Value) -> Option<Finding> {
    let spec = object.get("spec").cloned().unwrap_or(Value::Null);
    let spec: WorkflowSpec = match serde_path_to_error::deserialize(spec) {
        Ok(spec) => spec,
        Err(error) => return Some(Finding::new(format!("spec.{}", error.path()), error.inner().to_string())),
    };
    validate(&spec, &Offer::assumed(&spec)).err().map(|invalid| Finding::new(invalid.field, invalid.message))
}
