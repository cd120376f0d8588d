//! The rules that every field of the API keeps, checked on the generated schemas.

use crate::{
    generate::schema_of,
    schema::{self, Field},
};
use anyhow::{Result, bail};
use hearth_crds::registry::KINDS;
use serde_json::Value;

/// Booleans whose two values say all there is to say; everything else wants an enum.
const PLAIN_BOOLEANS: &[&str] = &["suspend", "failFast", "avoidNode", "optional", "readOnly"];

/// Numbers that are mathematics of the user, not quantities of ours.
const REAL_NUMBERS: &[&str] = &["spec.params[].minimum", "spec.params[].maximum"];

/// Checks all kinds; prints each finding.
pub fn run() -> Result<()> {
    let mut findings = Vec::new();
    let mut fields = 0;
    for entry in KINDS {
        let schema = schema_of(entry)?;
        for part in ["spec", "status"] {
            let Some(tree) = schema.pointer(&format!("/properties/{part}")) else {
                findings.push(format!("{}: no {part}", entry.kind));
                continue;
            };
            let all = schema::fields(tree, part);
            fields += all.len();
            findings
                .extend(all.iter().flat_map(|field| check(field)).map(|finding| format!("{}: {finding}", entry.kind)));
        }
        findings.extend(whole(&schema).into_iter().map(|finding| format!("{}: {finding}", entry.kind)));
    }
    if findings.is_empty() {
        println!("{fields} fields keep the rules of the API");
        return Ok(());
    }
    bail!("{} findings:\n  {}", findings.len(), findings.join("\n  "))
}

/// What is wrong with one field.
fn check(field: &Field<'_>) -> Vec<String> {
    let in_spec = field.path.starts_with("spec");
    let mut wrong = described(field);
    wrong.extend(lists(field));
    if in_spec {
        wrong.extend(bounded(field));
        if field.has("default") {
            wrong.push(
                "has a default of the CRD: defaults of spec are applied in validate, so that an upgrade starts nothing"
                    .into(),
            );
        }
        if field.text("type") == "boolean" && !PLAIN_BOOLEANS.contains(&field.name.as_str()) {
            wrong.push("is a bare boolean: an enum says what its two values mean, and can grow".into());
        }
    }
    if field.text("type") == "number" && !REAL_NUMBERS.contains(&field.path.as_str()) {
        wrong.push("is a float: use a quantity, an integer or a string".into());
    }
    wrong.extend(rules(field));
    wrong.into_iter().map(|what| format!("{} {what}", field.path)).collect()
}

/// Documented: the field's name first, and a default where the field is optional.
fn described(field: &Field<'_>) -> Vec<String> {
    let text = field.text("description");
    if text.is_empty() {
        return vec!["has no description".into()];
    }
    let first = text.split([':', ' ', ',', '.', '\n', '\'']).next().unwrap_or_default();
    let mut wrong = Vec::new();
    if first != field.name {
        wrong.push(format!("is described without its name first: {text:?}"));
    }
    if !text.trim_end().ends_with('.') {
        wrong.push("has a description without a full stop at its end".into());
    }
    wrong
}

/// Strings, lists, maps and integers of spec have bounds, so that rules have a cost the API server can estimate.
fn bounded(field: &Field<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let named = field.has("enum") || field.has("format") || field.has("x-kubernetes-int-or-string");
    match field.text("type") {
        "string" if !named && !field.has("maxLength") => wrong.push("is a string without maxLength".into()),
        "array" => {
            if !field.has("maxItems") {
                wrong.push("is a list without maxItems".into());
            }
            if let Some(items) =
                field.schema.get("items").filter(|items| items.get("type").and_then(Value::as_str) == Some("string"))
                && items.get("maxLength").is_none()
                && items.get("enum").is_none()
            {
                wrong.push("is a list of strings without maxLength".into());
            }
        }
        "object"
            if field.schema.get("additionalProperties").is_some_and(Value::is_object)
                && !field.has("maxProperties") =>
        {
            wrong.push("is a map without maxProperties".into());
        }
        "integer" if !field.has("minimum") => wrong.push("is an integer without minimum".into()),
        _ => {}
    }
    wrong
}

/// Every list says how it merges, unless it is one of plain values in order.
fn lists(field: &Field<'_>) -> Option<String> {
    let of_objects = field.schema.pointer("/items/type").and_then(Value::as_str) == Some("object");
    (field.text("type") == "array"
        && of_objects
        && field.path.starts_with("spec")
        && !field.has("x-kubernetes-list-type"))
    .then(|| "is a list of objects without x-kubernetes-list-type".into())
}

/// Every rule has a message that a person can act on.
fn rules(field: &Field<'_>) -> Vec<String> {
    let rules = field.schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten();
    rules
        .filter(|rule| rule.get("message").and_then(Value::as_str).is_none_or(|message| !message.contains(' ')))
        .map(|rule| format!("has a rule without a message: {rule}"))
        .collect()
}

/// Rules on the kind as a whole.
fn whole(schema: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    if required.contains(&"status") {
        wrong.push("status is required: it has to be optional".into());
    }
    if schema.pointer("/properties/status/properties/conditions").is_none() {
        wrong.push("status has no conditions".into());
    }
    if schema.pointer("/properties/status/properties/observedGeneration/default").and_then(Value::as_i64) != Some(-1) {
        wrong.push("status.observedGeneration has no default -1".into());
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn findings(schema: Value) -> Vec<String> {
        schema::fields(&schema, "spec").iter().flat_map(check).collect()
    }

    #[test]
    fn a_good_field_passes() {
        assert!(findings(json!({"properties": {"limit": {"type": "integer", "minimum": 0, "description": "limit of it. Default: 0."}}})).is_empty());
    }

    #[test]
    fn each_rule_bites() {
        let cases = [
            (json!({"type": "string", "maxLength": 3}), "has no description"),
            (json!({"type": "string", "maxLength": 3, "description": "Some text."}), "without its name first"),
            (json!({"type": "string", "description": "x of it."}), "without maxLength"),
            (
                json!({"type": "array", "items": {"type": "string", "maxLength": 3}, "description": "x of it."}),
                "without maxItems",
            ),
            (
                json!({"type": "array", "maxItems": 2, "items": {"type": "object"}, "description": "x of it."}),
                "without x-kubernetes-list-type",
            ),
            (json!({"type": "boolean", "description": "x of it."}), "bare boolean"),
            (json!({"type": "number", "description": "x of it."}), "float"),
            (json!({"type": "integer", "minimum": 1, "default": 2, "description": "x of it."}), "default of the CRD"),
            (
                json!({"type": "integer", "minimum": 1, "description": "x of it.", "x-kubernetes-validations": [{"rule": "self > 1"}]}),
                "rule without a message",
            ),
        ];
        for (field, expected) in cases {
            let found = findings(json!({"properties": {"x": field}}));
            assert!(found.iter().any(|finding| finding.contains(expected)), "{expected}: {found:?}");
        }
    }

    #[test]
    fn the_kinds_keep_the_rules() {
        run().unwrap();
    }
}
