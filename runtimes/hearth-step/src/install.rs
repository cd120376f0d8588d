//! This program, put where another container finds it.

use crate::failure::Failure;
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path};

/// What it is called there.
const NAME: &str = "hearth-step";

/// Copies this program into a folder. It has its name only when it is whole.
pub fn install(folder: &Path) -> Result<(), Failure> {
    let copy = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let partial = folder.join(".hearth-step.partial");
        fs::copy("/proc/self/exe", &partial)?;
        fs::set_permissions(&partial, fs::Permissions::from_mode(0o755))?;
        fs::rename(&partial, folder.join(NAME))
    };
    copy().map_err(|e| Failure::Io(format!("cannot put this program into {}: {e}", folder.display())))
}
