//! A flat view of a kind's OpenAPI schema: one entry per field, in the order of the paths.

use serde_json::Value;

/// One field.
pub struct Field<'a> {
    /// Path, for example `spec.steps[].retry.limit`.
    pub path: String,
    /// Its own name: the last part of the path.
    pub name: String,
    /// Its schema.
    pub schema: &'a Value,
    /// Whether its parent requires it.
    pub required: bool,
}

/// All fields of a schema below `prefix`, depth first.
pub fn fields<'a>(schema: &'a Value, prefix: &str) -> Vec<Field<'a>> {
    let mut out = Vec::new();
    walk(schema, prefix, &mut out);
    out
}

fn walk<'a>(schema: &'a Value, path: &str, out: &mut Vec<Field<'a>>) {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, child) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let own = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        out.push(Field {
            path: own.clone(),
            name: name.clone(),
            schema: child,
            required: required.contains(&name.as_str()),
        });
        walk(child, &own, out);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), out);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
        walk(values, &format!("{path}.*"), out);
    }
}

impl Field<'_> {
    /// A keyword of the schema as text; empty when it is not there.
    pub fn text(&self, key: &str) -> &str {
        self.schema.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the schema has a keyword.
    pub fn has(&self, key: &str) -> bool {
        self.schema.get(key).is_some()
    }

    /// Type for people: `integer`, `list of string`, `map of string`, `one of A, B`.
    pub fn type_text(&self) -> String {
        type_text(self.schema)
    }
}

fn type_text(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return values.join(" \\| ");
    }
    if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) && schema.get("type").is_none() {
        return "any JSON".into();
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return "integer or string".into();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("array") => format!("list of {}", schema.get("items").map_or_else(|| "anything".into(), type_text)),
        Some("object") => schema
            .get("additionalProperties")
            .filter(|values| values.is_object())
            .map_or_else(|| "object".into(), |values| format!("map of {}", type_text(values))),
        Some("string") if schema.get("format").and_then(Value::as_str) == Some("date-time") => "time".into(),
        Some(other) => other.into(),
        None => "any JSON".into(),
    }
}
