//! What a definition says beside types: CEL rules, and lists whose entries must differ.

use super::{Finding, schema::entry};
use cel::{Context, Program, Value as CelValue, to_value};
use serde_json::Value;
use std::collections::BTreeSet;

/// What breaks a rule of `schema`, anywhere in `object`.
pub fn findings(schema: &Value, object: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut todo = vec![(schema, object, String::new())];
    while let Some((schema, value, at)) = todo.pop() {
        findings.extend(broken_rules(schema, value).map(|message| Finding::new(at.clone(), message)));
        findings.extend(repeated(schema, value).map(|message| Finding::new(at.clone(), message)));
        match value {
            Value::Object(map) => {
                for (name, child) in map {
                    let known = schema.get("properties").and_then(|p| p.get(name));
                    let of_it = known.or_else(|| schema.get("additionalProperties"));
                    let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    todo.extend(of_it.map(|s| (s, child, at)));
                }
            }
            Value::Array(list) => {
                let Some(of_each) = schema.get("items") else { continue };
                let each = list.iter().enumerate();
                todo.extend(each.map(|(i, child)| (of_each, child, format!("{at}{}", entry(i, Some(child))))));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    findings.sort();
    findings
}

/// Messages of the rules that `value` breaks. A value of another type is the schema's business.
fn broken_rules(schema: &Value, value: &Value) -> impl Iterator<Item = String> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    rules.into_iter().flatten().filter(|r| holds(r, value) == Some(false)).map(|r| {
        let message = r.get("message").or_else(|| r.get("rule")).and_then(Value::as_str).unwrap_or_default();
        message.to_owned()
    })
}

/// Whether the rule holds; None when it cannot be said.
fn holds(rule: &Value, value: &Value) -> Option<bool> {
    let program = Program::compile(rule.get("rule")?.as_str()?).ok()?;
    let mut context = Context::default();
    context.add_variable_from_value("self", to_value(value).ok()?);
    match program.execute(&context).ok()? {
        CelValue::Bool(holds) => Some(holds),
        _ => None,
    }
}

/// The entry of a list that is there twice although entries must differ.
fn repeated(schema: &Value, value: &Value) -> Option<String> {
    let list = value.as_array()?;
    let kind = schema.get("x-kubernetes-list-type")?.as_str()?;
    let keys: Vec<&str> = schema
        .get("x-kubernetes-list-map-keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let key = |entry: &Value| match kind {
        "map" => Some(keys.iter().map(|k| entry.get(k).map_or(String::new(), Value::to_string)).collect::<Vec<_>>()),
        "set" => Some(vec![entry.to_string()]),
        _ => None,
    };
    let mut seen = BTreeSet::new();
    let twice = list.iter().filter_map(key).find(|k| !seen.insert(k.clone()))?;
    let of = if keys.is_empty() { String::new() } else { format!(" with the same {}", keys.join(" and ")) };
    Some(format!("has two entries{of}, {}: remove or rename one", twice.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_crds::registry::KINDS;
    use serde_json::json;

    /// Rules and places of them in a schema.
    fn rules<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
        match schema {
            Value::Object(map) => {
                found.extend(map.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten());
                map.values().for_each(|v| rules(v, found));
            }
            Value::Array(list) => list.iter().for_each(|v| rules(v, found)),
            _ => {}
        }
    }

    #[test]
    fn every_rule_of_every_kind_can_be_judged() {
        let mut judged = 0;
        for entry in KINDS {
            let crd = serde_json::to_value((entry.crd)()).unwrap();
            let mut found = Vec::new();
            rules(&crd, &mut found);
            for rule in found {
                let value = json!({"metadata": {"name": "co2"}, "spec": {}});
                assert!(holds(rule, &value).is_some(), "{rule}");
                judged += 1;
            }
        }
        assert!(judged > 5, "{judged} rules");
    }

    #[test]
    fn entries_that_must_differ() {
        let map = json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["step", "run"]});
        let list = json!([{"step": "a", "run": "1"}, {"step": "a", "run": "2"}, {"step": "a", "run": "1"}]);
        assert!(repeated(&map, &list).unwrap().contains("\"a\" and \"1\""));
        let set = json!({"x-kubernetes-list-type": "set"});
        assert!(repeated(&set, &json!(["a", "b"])).is_none() && repeated(&set, &json!([1, 1])).is_some());
        assert!(repeated(&json!({"x-kubernetes-list-type": "atomic"}), &json!([1, 1])).is_none());
    }
}
