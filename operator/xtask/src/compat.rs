//! Whether the CRDs still accept what an earlier revision accepted.

use crate::{generate, repo, schema, tools};
use anyhow::{Context, Result, bail};
use clap::Args;
use hearth_crds::registry::KINDS;
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// Arguments of `cargo xtask crd-compat`.
#[derive(Args)]
pub struct CompatArgs {
    /// Git revision to compare with.
    #[arg(long, default_value = "HEAD")]
    since: String,
}

/// Fails on changes that refuse what was accepted.
pub fn run(args: &CompatArgs) -> Result<()> {
    let mut findings = Vec::new();
    for entry in KINDS {
        let path = format!("manifests/crds/hearth.dev_{}.yaml", entry.plural);
        let Ok(text) = tools::capture(
            Command::new("git").current_dir(repo::root()).args(["show", &format!("{}:{path}", args.since)]),
        ) else {
            println!("{}: not in {}, nothing to compare", entry.kind, args.since);
            continue;
        };
        let old: Value = serde_yaml::from_str(&text).with_context(|| format!("{path} at {}", args.since))?;
        let old = old.pointer("/spec/versions/0/schema/openAPIV3Schema").context("an old CRD without a schema")?;
        findings.extend(
            breaking(old, &generate::schema_of(entry)?).into_iter().map(|what| format!("{}: {what}", entry.kind)),
        );
    }
    if findings.is_empty() {
        println!("the CRDs accept all that {} accepted", args.since);
        return Ok(());
    }
    bail!("the CRDs refuse what {} accepted:\n  {}", args.since, findings.join("\n  "))
}

/// What the new schema refuses and the old one accepted. Rules of CEL are not compared.
fn breaking(old: &Value, new: &Value) -> Vec<String> {
    let old_fields = schema::fields(old, "");
    let new_fields: BTreeMap<String, schema::Field<'_>> =
        schema::fields(new, "").into_iter().map(|field| (field.path.clone(), field)).collect();
    let mut wrong = Vec::new();
    for field in &old_fields {
        let Some(now) = new_fields.get(&field.path) else {
            wrong.push(format!("{} is gone", field.path));
            continue;
        };
        if field.text("type") != now.text("type") {
            wrong.push(format!("{} was {} and is {}", field.path, field.type_text(), now.type_text()));
        }
        if now.required && !field.required {
            wrong.push(format!("{} is required now", field.path));
        }
        wrong.extend(tighter(field, now).into_iter().map(|what| format!("{} {what}", field.path)));
    }
    let old_paths: std::collections::BTreeSet<&str> = old_fields.iter().map(|field| field.path.as_str()).collect();
    for (path, field) in &new_fields {
        // A new required field inside a new object harms nobody.
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent).trim_end_matches("[]");
        if field.required && !old_paths.contains(path.as_str()) && (parent.is_empty() || old_paths.contains(parent)) {
            wrong.push(format!("{path} is new and required"));
        }
    }
    wrong
}

fn tighter(old: &schema::Field<'_>, new: &schema::Field<'_>) -> Vec<String> {
    let number = |field: &schema::Field<'_>, key: &str| field.schema.get(key).and_then(Value::as_f64);
    let mut wrong = Vec::new();
    for key in ["maximum", "maxLength", "maxItems", "maxProperties"] {
        if let Some(now) = number(new, key)
            && number(old, key).is_none_or(|was| now < was)
        {
            wrong.push(format!("has a lower {key}: {now}"));
        }
    }
    for key in ["minimum", "minLength", "minItems"] {
        if let Some(now) = number(new, key)
            && number(old, key).is_none_or(|was| now > was)
        {
            wrong.push(format!("has a higher {key}: {now}"));
        }
    }
    if new.has("pattern") && old.text("pattern") != new.text("pattern") {
        wrong.push(format!("has another pattern: {}", new.text("pattern")));
    }
    if let Some(values) = new.schema.get("enum").and_then(Value::as_array) {
        match old.schema.get("enum").and_then(Value::as_array) {
            None => wrong.push("is an enum now".into()),
            Some(before) => wrong.extend(
                before.iter().filter(|value| !values.contains(value)).map(|value| format!("no longer admits {value}")),
            ),
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_breaks_users_is_found() {
        let old = json!({"properties": {"a": {"type": "string"}, "b": {"type": "integer", "maximum": 5}, "c": {"type": "string", "enum": ["X", "Y"]}, "d": {"type": "object", "properties": {}}}});
        let new = json!({"required": ["e"], "properties": {"b": {"type": "integer", "maximum": 4}, "c": {"type": "string", "enum": ["X"]}, "d": {"type": "string"}, "e": {"type": "string"}}});
        assert_eq!(
            breaking(&old, &new),
            [
                "a is gone",
                "b has a lower maximum: 4",
                "c no longer admits \"Y\"",
                "d was object and is string",
                "e is new and required"
            ]
        );
    }

    #[test]
    fn what_only_widens_is_not() {
        let old = json!({"required": ["a"], "properties": {"a": {"type": "string", "maxLength": 5}}});
        let new = json!({"properties": {"a": {"type": "string", "maxLength": 6}, "b": {"type": "object", "required": ["c"], "properties": {"c": {"type": "string"}}}}});
        assert!(breaking(&old, &new).is_empty());
    }
}
