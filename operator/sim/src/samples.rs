//! Workflows that many tests use.

use crate::{server::Key, world::NAMESPACE};
use serde_json::{Value, json};

/// The key of an object in the simulated namespace.
#[must_use]
pub fn key(name: &str) -> Key {
    (NAMESPACE.to_owned(), name.to_owned())
}

/// An object of kind Workflow with that spec.
#[must_use]
pub fn workflow(spec: &Value) -> Value {
    json!({"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "spec": spec})
}

/// An image that is named by its digest.
pub const PINNED: &str = "example.org/step@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// A step that needs others.
#[must_use]
pub fn step(name: &str, needs: &[&str]) -> Value {
    json!({"name": name, "needs": needs, "image": "example.org/step:1", "command": ["/step", name]})
}

/// a → b, c → d, with an output that goes from a to d and a result.
#[must_use]
pub fn diamond() -> Value {
    let mut a = step("a", &[]);
    let mut d = step("d", &["b", "c"]);
    if let (Some(a), Some(d)) = (a.as_object_mut(), d.as_object_mut()) {
        a.insert("outputs".to_owned(), json!([{"name": "n", "type": "integer"}]));
        d.insert("needs".to_owned(), json!(["a", "b", "c"]));
        d.insert("args".to_owned(), json!(["--n", "${string(steps.a.outputs.n)}"]));
    }
    json!({"steps": [a, step("b", &["a"]), step("c", &["a"]), d], "results": {"n": "${steps.a.outputs.n}"}})
}

/// What the pods of [`diamond`] must write for it to succeed.
pub const DIAMOND_OUTPUT: &str = r#"{"n": 7}"#;

/// The ten steps of the budget in protocol.md: 1 → 4 → 4 → 1, joins all-to-all.
#[must_use]
pub fn ten_steps() -> Value {
    let second = ["b1", "b2", "b3", "b4"];
    let third = ["c1", "c2", "c3", "c4"];
    let mut steps = vec![step("a", &[])];
    steps.extend(second.iter().map(|s| step(s, &["a"])));
    steps.extend(third.iter().map(|s| step(s, &second)));
    steps.push(step("d", &third));
    json!({"steps": steps})
}
