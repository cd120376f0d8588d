//! What the operator's catalog says of a runtime: its program, the JSON Schema of its `with:`, and what it can write.

use crate::Runtime;
use serde_json::{Map, Value, json};

/// The entry without the image, as text with a line break at its end.
#[must_use]
pub fn entry<R: Runtime>() -> String {
    let outputs: Map<String, Value> =
        R::OUTPUTS.iter().map(|output| (output.name.to_owned(), json!(output.of.to_string()))).collect();
    let entry = json!({
        "command": [format!("/{}", R::NAME)],
        "schema": schemars::schema_for!(R::With),
        "outputs": outputs,
        "artifacts": R::ARTIFACTS,
    });
    format!("{entry:#}\n")
}

/// Whether the file beside a runtime's Cargo.toml is what `--catalog` prints: for a test of each runtime.
///
/// # Errors
///
/// Says how to write it anew.
pub fn check<R: Runtime>(written: &str) -> Result<(), String> {
    if written == entry::<R>() {
        return Ok(());
    }
    let name = R::NAME;
    Err(format!(
        "catalog.json is not that of the sources: \
         cargo run --quiet --package {name} -- --catalog > runtimes/{name}/catalog.json"
    ))
}
