//! From a build context to an archive in the cache, and from there into containerd.

use super::{PREFIX, rootfs};
use crate::lab::{Lab, tell};
use crate::repo;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A built image.
#[derive(Debug)]
pub struct Archive {
    /// Name without prefix.
    pub name: String,
    /// Hash of its inputs: its tag.
    pub hash: String,
    /// The docker-archive.
    pub file: PathBuf,
}

/// Builds the image, unless the cache has it.
pub fn build(name: &str, context: &Path, hash: &str) -> Result<Archive> {
    let folder = repo::cache()?.join("images");
    fs::create_dir_all(&folder)?;
    // Two tools at once would write the same files.
    let lock = fs::File::create(folder.join("lock"))?;
    lock.lock()?;
    let file = folder.join(format!("{name}-{hash}.tar"));
    let archive = Archive { name: name.to_owned(), hash: hash.to_owned(), file };
    if archive.file.exists() {
        return Ok(archive);
    }
    rootfs::lay_out(context)?;
    let image = format!("{PREFIX}/{name}:{hash}");
    tell::quiet(
        buildah("build")?
            // Without times of day in it, the same inputs give the same digest.
            .args(["--isolation", "chroot", "--format", "oci", "--timestamp", "0", "--layers=false", "--tag", &image])
            .arg("-f")
            .arg(context.join("Containerfile"))
            .arg(context),
    )?;
    let partial = archive.file.with_extension("partial");
    remove(&partial)?;
    let pushed = tell::quiet(buildah("push")?.arg(&image).arg(format!("docker-archive:{}:{image}", partial.display())));
    // The archive is what is kept; buildah's own storage would only grow.
    tell::quiet(buildah("rmi")?.args(["--force", &image]))?;
    pushed?;
    fs::rename(&partial, &archive.file)?;
    forget_older(&folder, &archive)?;
    Ok(archive)
}

/// Imports an archive, unless containerd has it, and tags it `:dev`; gives its digest.
pub fn import(lab: &Lab, archive: &Archive) -> Result<String> {
    let name = format!("{PREFIX}/{}", archive.name);
    let tagged = format!("{name}:{}", archive.hash);
    let known = digest(lab, &tagged)?;
    let digest = match known {
        Some(digest) => digest,
        None => {
            // With digests and a base name, the image also gets the name `hearth.dev/x@sha256:…`.
            tell::quiet(
                lab.ctr(&["images", "import", "--digests", "--snapshotter", "overlayfs", "--base-name", &name])
                    .arg(&archive.file),
            )?;
            digest(lab, &tagged)?.with_context(|| format!("{tagged} is not there after its import"))?
        }
    };
    tell::quiet(&mut lab.ctr(&["images", "tag", "--force", &tagged, &format!("{name}:dev")]))?;
    Ok(digest)
}

/// Adds to the lab's list of images with their digests, which tests and the chart's values read.
pub fn record(lab: &Lab, digests: BTreeMap<String, String>) -> Result<()> {
    let path = lab.state.join("images.json");
    let old = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut all: BTreeMap<String, String> = serde_json::from_str(&old).unwrap_or_default();
    all.extend(digests);
    repo::write(&path, &format!("{}\n", serde_json::to_string_pretty(&all)?))
}

fn digest(lab: &Lab, image: &str) -> Result<Option<String>> {
    let listed = tell::capture(&mut lab.ctr(&["images", "ls", &format!("name=={image}")]))?;
    let mut words = listed.lines().skip(1).flat_map(str::split_whitespace);
    Ok(words.find(|word| word.starts_with("sha256:")).map(str::to_owned))
}

/// buildah with storage of our own, and a policy that asks for no signatures: nothing is pulled.
fn buildah(command: &str) -> Result<Command> {
    let home = repo::cache()?.join("buildah");
    let policy = home.join("policy.json");
    repo::write(&policy, "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}\n")?;
    let mut buildah = Command::new("buildah");
    buildah
        .arg("--root")
        .arg(home.join("storage"))
        .args(["--runroot", "/run/hearth/buildah", "--storage-driver", "overlay"])
        .arg(command);
    if command != "rmi" {
        buildah.arg("--signature-policy").arg(&policy);
    }
    Ok(buildah)
}

/// Archives of earlier inputs are built again when they are wanted again.
fn forget_older(folder: &Path, kept: &Archive) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let same_image = stem.rsplit_once('-').is_some_and(|(name, _)| name == kept.name);
        if same_image && path != kept.file && path.extension().is_some_and(|end| end == "tar") {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
