//! The structural rules of a kind's definition, as the API server applies them.

use super::{Finding, rules};
use hearth_crds::registry::KindEntry;
use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Wrong},
    paths::{Location, LocationSegment},
};
use serde_json::{Value, json};

/// What the API server would refuse of an object of this kind.
pub fn findings(entry: &KindEntry, object: &Value) -> Vec<Finding> {
    let Some(published) = published(entry) else { return Vec::new() };
    let mut findings: Vec<Finding> = metadata(object).into_iter().collect();
    let mut closed = published.clone();
    close(&mut closed);
    with_the_rest(&mut closed);
    let validator = match jsonschema::draft202012::new(&closed) {
        Ok(validator) => validator,
        Err(error) => return vec![Finding::new("", format!("the schema of {} cannot be read: {error}", entry.kind))],
    };
    for error in validator.iter_errors(object) {
        findings.extend(explained(&error, object, &closed));
    }
    findings.extend(rules::findings(&published, object));
    findings
}

/// The schema of the served version.
fn published(entry: &KindEntry) -> Option<Value> {
    let crd = serde_json::to_value((entry.crd)()).ok()?;
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned()
}

/// kubectl refuses unknown fields, and JSON Schema says in another way that a field may be null.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".into(), json!(false));
            }
            if map.remove("nullable") == Some(json!(true)) {
                if let Some(of) = map.get("type").cloned() {
                    map.insert("type".into(), json!([of, "null"]));
                }
                if let Some(Value::Array(options)) = map.get_mut("enum") {
                    options.push(Value::Null);
                }
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What every object has.
fn with_the_rest(schema: &mut Value) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("apiVersion".into(), json!({"type": "string"}));
        properties.insert("kind".into(), json!({"type": "string"}));
        properties.insert("metadata".into(), json!({"type": "object"}));
        properties.remove("status");
        // A status in a file is ignored by the API server.
        properties.insert("status".into(), json!({}));
    }
}

fn metadata(object: &Value) -> Option<Finding> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Some(Finding::new("metadata.name", "is missing: give the object a name"));
    }
    let fits = name.split('.').all(hearth_crds::name::is_dns_label);
    (!fits).then(|| {
        Finding::new("metadata.name", format!("{name:?} is no name: use lower-case letters, digits, dashes and dots"))
    })
}

/// Each thing that an error is about, in words.
fn explained(error: &ValidationError<'_>, object: &Value, schema: &Value) -> Vec<Finding> {
    let at = field(error.instance_path(), object);
    let one = |message: String| vec![Finding::new(at.clone(), message)];
    let found = error.instance();
    match error.kind() {
        Wrong::AdditionalProperties { unexpected } => {
            let known = known(error, schema);
            unexpected.iter().map(|name| Finding::new(join(&at, name), no_field(name, &known))).collect()
        }
        Wrong::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Finding::new(join(&at, name), "is missing: it is required")]
        }
        Wrong::Type { kind: TypeKind::Single(wanted) } => {
            one(format!("is {}, must be {}", said(found), article(&wanted.to_string())))
        }
        Wrong::Type { kind: TypeKind::Multiple(wanted) } => {
            let wanted = wanted.iter().map(|t| t.to_string()).find(|t| t != "null").unwrap_or_default();
            one(format!("is {}, must be {}", said(found), article(&wanted)))
        }
        Wrong::Enum { options } => {
            let options: Vec<String> =
                options.as_array().into_iter().flatten().filter(|o| !o.is_null()).map(text).collect();
            one(format!("is {}: use one of {}", text(found), options.join(", ")))
        }
        Wrong::Pattern { pattern } => one(format!("is {}: it must match {pattern}", text(found))),
        Wrong::MaxLength { limit } => one(format!("is too long: at most {limit} characters")),
        Wrong::MinLength { limit } => one(format!("is too short: at least {limit} characters")),
        Wrong::MaxItems { limit } => one(format!("has too many entries: at most {limit}")),
        Wrong::MinItems { limit } => one(format!("has too few entries: at least {limit}")),
        Wrong::MaxProperties { limit } => one(format!("has too many entries: at most {limit}")),
        Wrong::Maximum { limit } => one(format!("is {found}: at most {}", number(limit))),
        Wrong::Minimum { limit } => one(format!("is {found}: at least {}", number(limit))),
        // Not used by our definitions, or as plain in the crate's words.
        _ => one(error.to_string()),
    }
}

fn no_field(name: &str, known: &[String]) -> String {
    let near = known.iter().map(|k| (strsim::damerau_levenshtein(k, name), k)).min().filter(|(d, _)| *d <= 2);
    match near {
        Some((_, near)) => format!("there is no such field: did you mean {near}?"),
        None => format!("there is no such field: the fields are {}", known.join(", ")),
    }
}

/// The fields that the schema knows at the place of an error.
fn known(error: &ValidationError<'_>, schema: &Value) -> Vec<String> {
    let path = error.schema_path().as_str();
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let properties = schema.pointer(parent).and_then(|s| s.get("properties")).and_then(Value::as_object);
    properties.map(|p| p.keys().cloned().collect()).unwrap_or_default()
}

/// A limit, whole where it is whole: schemas write each as a fraction.
fn number(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |n| n.to_string())
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |t| format!("{t:?}"))
}

/// What a value is, and itself when it is short.
fn said(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(b) => format!("the boolean {b}"),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) if s.len() <= 40 => format!("the string {s:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn article(of: &str) -> String {
    match of {
        "array" => "a list".to_owned(),
        "integer" => "a whole number".to_owned(),
        "object" => "an object".to_owned(),
        other => format!("a {other}"),
    }
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

/// The place in people's words: an entry of a list by its name, if it has one.
fn field(path: &Location, object: &Value) -> String {
    let (mut at, mut here) = (String::new(), Some(object));
    for segment in path {
        match segment {
            LocationSegment::Property(name) => {
                at = join(&at, &name);
                here = here.and_then(|h| h.get(&*name));
            }
            LocationSegment::Index(index) => {
                here = here.and_then(|h| h.get(index));
                at += &entry(index, here);
            }
        }
    }
    at
}

/// `[name]`, or `[index]`.
pub fn entry(index: usize, value: Option<&Value>) -> String {
    let name = value.and_then(|v| v.get("name")).and_then(Value::as_str).filter(|n| !n.is_empty());
    name.map_or_else(|| format!("[{index}]"), |name| format!("[{name}]"))
}
