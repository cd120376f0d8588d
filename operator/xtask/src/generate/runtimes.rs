//! The entries of the chart's catalog: what each runtime of ours says of itself.

use super::Files;
use anyhow::{Context, Result};
use std::path::Path;

/// A copy of each `runtimes/NAME/catalog.json` in the chart.
pub fn catalog(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    for path in super::list(&root.join("runtimes"))? {
        if path.file_name().is_some_and(|name| name == "catalog.json") {
            let name = path.parent().and_then(Path::file_name).context("a folder has a name")?.to_string_lossy();
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            files.insert(format!("charts/hearth/files/runtimes/{name}.json"), text);
        }
    }
    Ok(files)
}
