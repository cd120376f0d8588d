//! Where things lie: the checkout, the cache and the target folder.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Root of the checkout.
pub fn root() -> PathBuf {
    // Several checkouts may share one target folder, and with it this program: the one that it is called in is meant.
    let here = std::env::current_dir().unwrap_or_default();
    let checkout = here.ancestors().find(|folder| folder.join("operator/xtask/Cargo.toml").is_file());
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    checkout.or_else(|| built_in.ancestors().nth(2)).unwrap_or(built_in).to_path_buf()
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, as CI sets it, or `target` in the checkout.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The cache outside of the checkout: `${XDG_CACHE_HOME:-~/.cache}/hearth`.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => PathBuf::from(std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    Ok(base.join("hearth"))
}

/// Whether this is a CI run: `CI` is set to anything but nothing, `0` or `false`.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Writes a file and its folders, only when its content changed.
pub fn write(path: &Path, content: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("write {}", path.display()))
}
