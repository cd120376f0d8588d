//! Schema pieces that derive attributes cannot say.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Any JSON value; its size is bounded in validation.
pub(crate) fn any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-preserve-unknown-fields": true})
}

/// Takes a type's own description away: in the schema of an optional enum it would win over the field's.
pub(crate) fn undescribed(schema: &mut Schema) {
    schema.remove("description");
}
