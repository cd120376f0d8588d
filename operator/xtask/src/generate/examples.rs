//! The first line of each example that tells editors where its schema is, and the schemas themselves.

use super::{Files, crds, list};
use anyhow::{Context, Result};
use hearth_crds::{API_VERSION, registry::KINDS};
use serde_json::{Value, json};
use std::path::Path;

const COMMENT: &str = "# yaml-language-server: $schema=";

/// `manifests/schemas/*.json`, and the examples with their schema comment.
pub fn with_schema_comments(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in KINDS {
        files.insert(schema_path(entry.kind), format!("{:#}\n", editor_schema(crds::schema(entry)?, entry.kind)));
    }
    for path in
        list(&root.join("examples"))?.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "yaml"))
    {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {name}"))?;
        if let Some(kind) = only_kind(&text) {
            let up = "../".repeat(name.matches('/').count());
            let body = text
                .strip_prefix(COMMENT)
                .and_then(|rest| rest.split_once('\n'))
                .map_or(text.as_str(), |(_, body)| body);
            files.insert(name, format!("{COMMENT}{up}{}\n{body}", schema_path(kind)));
        }
    }
    Ok(files)
}

fn schema_path(kind: &str) -> String {
    format!("manifests/schemas/{}_v1alpha1.json", kind.to_lowercase())
}

/// The kind of a file that holds exactly one object, of ours.
fn only_kind(text: &str) -> Option<&'static str> {
    if text.lines().any(|line| line == "---")
        || !text.lines().any(|line| line.trim() == format!("apiVersion: {API_VERSION}"))
    {
        return None;
    }
    KINDS.iter().map(|entry| entry.kind).find(|kind| text.lines().any(|line| line.trim() == format!("kind: {kind}")))
}

/// The schema as editors want it: with the type's own fields, and closed against unknown ones.
fn editor_schema(mut schema: Value, kind: &str) -> Value {
    close(&mut schema);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".into(), json!({"const": API_VERSION}));
        properties.insert("kind".into(), json!({"const": kind}));
        properties.insert("metadata".into(), json!({"type": "object"}));
    }
    if let Some(body) = schema.as_object_mut() {
        body.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
        body.insert("title".into(), json!(format!("{kind} {API_VERSION}")));
        body.insert("required".into(), json!(["apiVersion", "kind", "metadata", "spec"]));
    }
    schema
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            map.retain(|key, _| !key.starts_with("x-kubernetes"));
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".into(), json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_one_object_of_ours_count() {
        assert_eq!(only_kind("apiVersion: hearth.dev/v1alpha1\nkind: Workflow\n"), Some("Workflow"));
        assert_eq!(only_kind("apiVersion: v1\nkind: Secret\n"), None);
        assert_eq!(
            only_kind("apiVersion: v1\nkind: Namespace\n---\napiVersion: hearth.dev/v1alpha1\nkind: Workflow\n"),
            None
        );
    }
}
