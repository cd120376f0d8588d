//! The JSON Schema of a runtime's `with:`.

use schemars::JsonSchema;

/// The schema of `with:`, as text with a line break at its end.
#[must_use]
pub fn text<W: JsonSchema>() -> String {
    // A schema is made of strings, lists and maps: it always has a text.
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(W)).unwrap_or_default();
    format!("{schema}\n")
}

/// Whether the file beside a runtime's Cargo.toml is what `--schema` prints: for a test of each runtime.
///
/// # Errors
///
/// Says how to write it anew.
pub fn check<W: JsonSchema>(program: &str, written: &str) -> Result<(), String> {
    if written == text::<W>() {
        return Ok(());
    }
    Err(format!(
        "with.schema.json is not that of the sources: \
         cargo run --quiet --package {program} -- --schema > runtimes/{program}/with.schema.json"
    ))
}
