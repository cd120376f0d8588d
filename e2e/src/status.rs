//! Reading what an object says of itself.

use anyhow::{Result, ensure};
use serde_json::Value;

/// A text at a JSON pointer; empty when there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number at a JSON pointer; 0 when there is none.
#[must_use]
pub fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// A list at a JSON pointer; empty when there is none.
#[must_use]
pub fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A condition by its type.
#[must_use]
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(object, "/status/conditions").iter().find(|c| text(c, "/type") == kind)
}

/// Whether a condition is there with that status and reason.
#[must_use]
pub fn says(object: &Value, kind: &str, status: &str, reason: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "/status") == status && text(c, "/reason") == reason)
}

/// Whether a condition is true.
#[must_use]
pub fn says_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "/status") == "True")
}

/// The condition must have this status and reason, and its message must hold all these words.
///
/// # Errors
/// It does not.
pub fn expect(object: &Value, kind: &str, status: &str, reason: &str, words: &[&str]) -> Result<()> {
    let name = text(object, "/metadata/name");
    let found = condition(object, kind);
    ensure!(
        says(object, kind, status, reason),
        "{name}: wanted {kind}={status} ({reason}), found {}",
        found.map_or_else(|| "no such condition".to_owned(), Value::to_string)
    );
    let message = found.map(|c| text(c, "/message")).unwrap_or_default();
    for word in words {
        ensure!(message.contains(word), "{name}: the message of {kind} does not say {word:?}: {message:?}");
    }
    Ok(())
}

/// A step of the current run.
#[must_use]
pub fn step<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    items(object, "/status/run/steps").iter().find(|s| text(s, "/name") == name)
}
