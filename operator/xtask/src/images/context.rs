//! What there is to build, and what goes into each build.

use super::rootfs;
use crate::lab::tell;
use crate::{repo, tools::build_shipped};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where cargo puts programs, below its target folder: static glibc, by the flags of .cargo/config.toml.
const BUILT: &str = "x86_64-unknown-linux-gnu/ci";

/// An image that we can build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Holds a pod's namespaces.
    Pause,
    /// Debian's static busybox, with a link per applet.
    Busybox,
    /// The operator.
    Operator,
    /// The operator with cargo feature `failpoints`; built only when it is named.
    OperatorWithFailpoints,
    /// A folder with a Containerfile.
    Folder {
        /// Name of the folder, and of the image.
        name: String,
        /// The folder.
        path: PathBuf,
    },
}

impl Source {
    /// The image's name, without prefix and tag.
    pub fn name(&self) -> &str {
        match self {
            Self::Pause => "pause",
            Self::Busybox => "busybox",
            Self::Operator => "hearth",
            Self::OperatorWithFailpoints => "hearth-failpoints",
            Self::Folder { name, .. } => name,
        }
    }

    /// Whether it is built when no name is given.
    pub fn by_default(&self) -> bool {
        !matches!(self, Self::OperatorWithFailpoints)
    }

    /// Puts the build context into this folder; gives the hash of all that decides the image.
    pub fn gather(&self, folder: &Path) -> Result<String> {
        let root = repo::root();
        match self {
            Self::Pause => {
                let from = root.join("e2e/lab/pause");
                fs::copy(from.join("Containerfile"), folder.join("Containerfile"))?;
                fs::copy(from.join("pause.c"), folder.join("pause.c"))?;
                let hash = hash_of(folder)?;
                tell::quiet(
                    Command::new("gcc")
                        .args(["-static", "-Os", "-s", "-Wall", "-Werror", "-o"])
                        .arg(folder.join("pause"))
                        .arg(folder.join("pause.c")),
                )?;
                Ok(hash)
            }
            Self::Busybox => {
                super::copy_folder(&root.join("e2e/images/busybox"), folder)?;
                lay_out_busybox(&folder.join("rootfs"))?;
                hash_of(folder)
            }
            Self::Operator | Self::OperatorWithFailpoints => {
                super::copy_folder(&root.join("e2e/images/hearth"), folder)?;
                fs::copy(kept_program(self.name())?, folder.join("hearth")).context("copy the operator's binary")?;
                hash_of(folder)
            }
            Self::Folder { name, path } => gather_folder(name, path, folder),
        }
    }

    /// The Cargo package that it needs, with its features and the name of its program.
    fn package(&self) -> Option<Package<'_>> {
        match self {
            Self::Pause | Self::Busybox => None,
            Self::Operator => {
                Some(Package { name: "hearth-manager", program: "hearth", build: build_shipped("ci", &[]) })
            }
            Self::OperatorWithFailpoints => {
                let build = build_shipped("ci", &["hearth-manager/failpoints"]);
                Some(Package { name: "hearth-manager", program: "hearth", build })
            }
            Self::Folder { name, path } => path.join("Cargo.toml").exists().then(|| Package {
                name,
                program: name,
                build: build_shipped("ci", &[]),
            }),
        }
    }
}

struct Package<'a> {
    name: &'a str,
    program: &'a str,
    build: Command,
}

/// Everything that can be built.
pub fn all() -> Result<Vec<Source>> {
    let root = repo::root();
    let mut found = vec![Source::Pause, Source::Busybox, Source::Operator, Source::OperatorWithFailpoints];
    let mut parents = vec![root.join("runtimes")];
    parents.extend(folders(&root.join("examples")).into_iter().map(|example| example.join("images")));
    for path in parents.iter().flat_map(|parent| folders(parent)) {
        if path.join("Containerfile").exists() {
            let name = path.file_name().context("a folder has a name")?.to_string_lossy().into_owned();
            found.push(Source::Folder { name, path });
        }
    }
    Ok(found)
}

/// Compiles the programs of these images, and keeps each where no later build overwrites it.
pub fn build_programs(sources: &[Source]) -> Result<()> {
    for source in sources {
        let Some(mut package) = source.package() else { continue };
        tell::step(&format!("compile {} for {}", package.name, source.name()), || {
            tell::shown(&mut package.build)?;
            let kept = kept_program(source.name())?;
            if let Some(dir) = kept.parent() {
                fs::create_dir_all(dir)?;
            }
            let built = repo::target().join(BUILT).join(package.program);
            // Debug information is for debuggers on this machine, not for the image.
            let partial = kept.with_extension(format!("{}.partial", std::process::id()));
            tell::quiet(Command::new("strip").arg("--strip-debug").arg("-o").arg(&partial).arg(&built))?;
            fs::rename(&partial, &kept).with_context(|| format!("keep {}", kept.display()))
        })?;
    }
    Ok(())
}

fn kept_program(image: &str) -> Result<PathBuf> {
    Ok(repo::cache()?.join("programs").join(image))
}

fn gather_folder(name: &str, path: &Path, folder: &Path) -> Result<String> {
    super::copy_folder(path, folder)?;
    // What the program is made of is in the program.
    for part in ["src", "tests", "Cargo.toml", "target"] {
        remove(&folder.join(part))?;
    }
    remove_leftovers(folder)?;
    if path.join("Cargo.toml").exists() {
        fs::copy(kept_program(name)?, folder.join(name)).with_context(|| format!("copy the program of {name}"))?;
    }
    let hash = hash_of(folder)?;
    let list = path.join("debian-packages.txt");
    if list.exists() {
        // The list stands for the root file system: that is megabytes, and made only for a build.
        fs::write(folder.join(rootfs::WANTED), fs::read(&list)?)?;
    }
    Ok(hash)
}

/// Debian's busybox, and the names by which people call it.
fn lay_out_busybox(rootfs: &Path) -> Result<()> {
    let bin = rootfs.join("bin");
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(rootfs.join("etc"))?;
    let tmp = rootfs.join("tmp");
    fs::create_dir_all(&tmp)?;
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777))?;
    fs::write(rootfs.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\nnobody:x:65532:65532:nobody:/:/bin/sh\n")?;
    fs::write(rootfs.join("etc/group"), "root:x:0:\nnobody:x:65532:\n")?;
    fs::copy("/bin/busybox", bin.join("busybox")).context("copy /bin/busybox (package busybox-static)")?;
    let applets = tell::capture(Command::new("/bin/busybox").arg("--list"))?;
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", bin.join(applet))?;
    }
    Ok(())
}

/// A hash of every file's path, kind, mode and content.
fn hash_of(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut pending = vec![folder.to_path_buf()];
    while let Some(path) = pending.pop() {
        let meta = fs::symlink_metadata(&path)?;
        let relative = path.strip_prefix(folder)?.display().to_string();
        if meta.is_dir() {
            let mut inner: Vec<PathBuf> = fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
            inner.sort();
            pending.extend(inner);
            hash.update(format!("dir {relative}\n"));
        } else if meta.is_symlink() {
            hash.update(format!("link {relative} {}\n", fs::read_link(&path)?.display()));
        } else {
            let executable = meta.permissions().mode() & 0o111 != 0;
            hash.update(format!("file {relative} {executable} {}\n", meta.len()));
            hash.update(fs::read(&path)?);
        }
    }
    Ok(hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect())
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

/// What Python leaves beside its sources is no input.
fn remove_leftovers(folder: &Path) -> Result<()> {
    for inner in folders(folder) {
        if inner.file_name().is_some_and(|name| name == "__pycache__") {
            remove(&inner)?;
        } else {
            remove_leftovers(&inner)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::hash_of;

    #[test]
    fn hash_sees_names_content_and_modes() {
        let base = std::env::temp_dir().join(format!("hearth-hash-{}", std::process::id()));
        let make = |name: &str, file: &str, content: &str| {
            let folder = base.join(name);
            std::fs::create_dir_all(folder.join("sub")).expect("make the folder");
            std::fs::write(folder.join("sub").join(file), content).expect("write the file");
            hash_of(&folder).expect("hash")
        };
        let first = make("a", "x", "1");
        assert_eq!(first, make("b", "x", "1"), "alike");
        assert_ne!(first, make("c", "y", "1"), "another name");
        assert_ne!(first, make("d", "x", "2"), "another content");
        std::fs::remove_dir_all(&base).expect("clean up");
    }
}
