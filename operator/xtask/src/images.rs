//! Images, built by buildah and imported into the lab's containerd.
//!
//! An image is a folder with a `Containerfile` under runtimes/ or examples/*/images/, or one of the few named
//! here. Its name is `hearth.dev/<folder>:<hash of its inputs>`, and `:dev` too; it is built again only when
//! the hash changed.

mod archive;
mod context;
mod rootfs;

use crate::lab::{self, Cluster, Lab, tell};
use anyhow::{Context, Result, bail};
use clap::Args;
use context::Source;
use std::collections::BTreeMap;
use std::path::Path;

/// What all our images' names begin with.
const PREFIX: &str = "hearth.dev";

/// Arguments of `cargo xtask images`.
#[derive(Args)]
pub struct ImagesArgs {
    /// Which images; all but `hearth-failpoints` when none is named.
    names: Vec<String>,
    /// Only list what there is to build.
    #[arg(long)]
    list: bool,
    /// Build the archives, and import them nowhere.
    #[arg(long)]
    no_import: bool,
}

/// Builds and imports the images.
pub fn run(args: ImagesArgs) -> Result<()> {
    let sources = context::all()?;
    if args.list {
        for source in &sources {
            println!("{}", source.name());
        }
        return Ok(());
    }
    let chosen = choose(sources, &args.names)?;
    let target = if args.no_import { None } else { Some(running_lab()?) };
    context::build_programs(&chosen)?;
    let mut report = BTreeMap::new();
    for source in &chosen {
        let built = tell::step(&format!("image {}", source.name()), || build(source))?;
        if let Some(lab) = &target {
            let digest = archive::import(lab, &built)?;
            println!("{PREFIX}/{}:{} {digest}", built.name, built.hash);
            report.insert(built.name.clone(), digest);
        } else {
            println!("{}", built.file.display());
        }
    }
    if let Some(lab) = &target {
        archive::record(lab, report)?;
    }
    Ok(())
}

/// The image that holds a pod's namespaces: no pod starts without it.
pub fn pause(lab: &Lab) -> Result<()> {
    archive::import(lab, &build(&Source::Pause)?)?;
    Ok(())
}

fn build(source: &Source) -> Result<archive::Archive> {
    let folder = tempfile(source)?;
    let inputs = source.gather(&folder)?;
    let archive = archive::build(source.name(), &folder, &inputs);
    std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    archive
}

/// A folder of this process's own, in the cache.
fn tempfile(source: &Source) -> Result<std::path::PathBuf> {
    let folder = crate::repo::cache()?.join("work").join(format!("{}-{}", source.name(), std::process::id()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

fn choose(sources: Vec<Source>, names: &[String]) -> Result<Vec<Source>> {
    for name in names {
        if !sources.iter().any(|source| source.name() == name) {
            let known: Vec<&str> = sources.iter().map(Source::name).collect();
            bail!("there is no image {name:?}; there are {}", known.join(", "));
        }
    }
    let wanted = |source: &Source| {
        if names.is_empty() { source.by_default() } else { names.iter().any(|name| name == source.name()) }
    };
    Ok(sources.into_iter().filter(wanted).collect())
}

fn running_lab() -> Result<Lab> {
    match lab::cluster(false)? {
        Cluster::Lab(lab) => Ok(lab),
        Cluster::Given => bail!(
            "KUBECONFIG names a cluster of yours, and images are imported into the lab only: \
             build them with --no-import and push the archives where your cluster pulls from"
        ),
    }
}

/// Copies a folder and all below it; links stay links.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    tell::quiet(std::process::Command::new("cp").arg("-a").arg(format!("{}/.", from.display())).arg(to))?;
    Ok(())
}
