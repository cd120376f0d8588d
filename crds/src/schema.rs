//! Schema pieces that derive attributes cannot say.

use crate::workflow::Step;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Any JSON value; its size is bounded in validation.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// The step on exit. It follows all others, once: what says when and how often a step runs is none of its fields.
pub(crate) fn on_exit(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = Step::json_schema(generator);
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        fields.retain(|name, _| !["needs", "after", "approval", "forEach", "cache"].contains(&name.as_str()));
    }
    schema
}

/// Takes a type's own description away: in the schema of an optional enum it would win over the field's.
pub(crate) fn undescribed(schema: &mut Schema) {
    schema.remove("description");
}
