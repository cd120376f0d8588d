//! Root file systems of Debian packages, for images that are not one static program.

use crate::lab::tell;
use crate::repo;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;

/// File in a build context that asks for a root file system of these packages in `rootfs/`.
pub const WANTED: &str = ".rootfs-packages";

const RELEASE: &str = "bookworm";

/// What no program reads, and what fills half of every package.
const LEFT_OUT: [&str; 5] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*"];

/// Lays out `rootfs/` where the context asks for it.
pub fn lay_out(context: &Path) -> Result<()> {
    let wanted = context.join(WANTED);
    let Ok(list) = std::fs::read_to_string(&wanted) else { return Ok(()) };
    std::fs::remove_file(&wanted)?;
    let archive = cached(&list)?;
    let rootfs = context.join("rootfs");
    std::fs::create_dir_all(&rootfs)?;
    tell::quiet(Command::new("tar").arg("-C").arg(&rootfs).args(["--numeric-owner", "-xf"]).arg(&archive))?;
    Ok(())
}

/// The packages and all that they depend on, unpacked and not configured, as an archive in the cache.
fn cached(list: &str) -> Result<PathBuf> {
    let packages = packages(list)?;
    let mut hash = Sha256::new();
    hash.update(format!("{RELEASE}\n{}\n{}", LEFT_OUT.join("\n"), packages.join("\n")));
    let key: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = repo::cache()?.join("rootfs");
    let archive = folder.join(format!("{key}.tar"));
    if archive.exists() {
        return Ok(archive);
    }
    std::fs::create_dir_all(&folder)?;
    let partial = folder.join(format!("{key}.partial.tar"));
    let mut make = Command::new("mmdebstrap");
    make.args(["--variant=extract", "--mode=root", "--quiet"]);
    make.arg(format!("--include={}", packages.join(",")));
    make.args(LEFT_OUT.iter().map(|path| format!("--dpkgopt=path-exclude={path}")));
    make.arg(RELEASE).arg(&partial).arg("/etc/apt/sources.list.d/debian.sources");
    tell::step(&format!("root file system of {}", packages.join(" ")), || tell::quiet(&mut make))?;
    std::fs::rename(&partial, &archive).with_context(|| format!("keep {}", archive.display()))?;
    Ok(archive)
}

/// One package a line; `#` begins a comment.
fn packages(list: &str) -> Result<Vec<String>> {
    let lines = list.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut found: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let plain = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:".contains(&byte));
    if let Some(odd) = found.iter().find(|name| !plain(name)) {
        bail!("{odd:?} is no name of a Debian package");
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn lists_are_read() {
        let read = packages("python3 # the language\n\n# more\npython3-numpy\npython3\n").expect("a good list");
        assert_eq!(read, ["python3", "python3-numpy"]);
        assert!(packages("a;b").is_err());
    }
}
