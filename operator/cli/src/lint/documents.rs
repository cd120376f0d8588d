//! YAML documents as JSON objects.

use super::Finding;
use serde::Deserialize;
use serde_json::Value;

/// What a document is.
pub enum Document {
    /// An object.
    Object(Value),
    /// No YAML, or none that can be an object.
    Broken(Finding),
}

/// The documents of a text with their numbers from 1. Empty ones count, but are not given; the items of a List are.
pub fn read(text: &str) -> Vec<(usize, Document)> {
    let mut documents = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        match value(document) {
            Ok(Value::Null) => {}
            Ok(mut object @ Value::Object(_)) => match items(&mut object) {
                Some(items) => documents.extend(items.into_iter().map(|i| (index + 1, Document::Object(i)))),
                None => documents.push((index + 1, Document::Object(object))),
            },
            Ok(_) => {
                let finding = Finding::new("", "is no object: it must have apiVersion, kind, metadata and spec");
                documents.push((index + 1, Document::Broken(finding)));
            }
            Err(error) => {
                documents.push((index + 1, Document::Broken(error)));
                // Where the next document begins is not known after a mistake.
                break;
            }
        }
    }
    documents
}

fn value(document: serde_yaml::Deserializer<'_>) -> Result<Value, Finding> {
    let broken = |e: serde_yaml::Error| Finding::new("", format!("is no valid YAML: {e}"));
    // First as YAML: JSON would take the last of two equal keys without a word.
    let mut value = serde_yaml::Value::deserialize(document).map_err(broken)?;
    value.apply_merge().map_err(broken)?;
    serde_json::to_value(value).map_err(|e| Finding::new("", format!("cannot be written as JSON: {e}")))
}

/// The items of a `v1` List.
fn items(object: &mut Value) -> Option<Vec<Value>> {
    let is_list = object.get("kind")? == "List" && object.get("apiVersion")? == "v1";
    match object.get_mut("items")?.take() {
        Value::Array(items) if is_list => Some(items),
        _ => None,
    }
}
