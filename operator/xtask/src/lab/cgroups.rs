//! The cgroup under which a lab's pods live: two labs' kubelets must not meet.

use super::place::Lab;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// Makes the lab's cgroup in every hierarchy.
pub fn make(lab: &Lab) -> Result<()> {
    for hierarchy in hierarchies()? {
        let group = hierarchy.join(lab.cgroup());
        fs::create_dir_all(&group).with_context(|| format!("make {}", group.display()))?;
        // A new cpuset is empty, and nothing may join an empty one.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let (from, to) = (hierarchy.join(file), group.join(file));
            if to.exists() && from.exists() {
                fs::write(&to, fs::read(&from)?).with_context(|| format!("write {}", to.display()))?;
            }
        }
    }
    Ok(())
}

/// Processes of the lab's pods.
pub fn members(lab: &Lab) -> Vec<u32> {
    let mut members = Vec::new();
    for hierarchy in hierarchies().unwrap_or_default() {
        for group in tree(&hierarchy.join(lab.cgroup())) {
            let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
            members.extend(listed.lines().filter_map(|line| line.parse::<u32>().ok()));
        }
    }
    members.sort_unstable();
    members.dedup();
    members
}

/// Removes the lab's cgroups; they must be empty of processes.
pub fn remove(lab: &Lab) -> Result<()> {
    for hierarchy in hierarchies()? {
        for group in tree(&hierarchy.join(lab.cgroup())) {
            fs::remove_dir(&group).with_context(|| format!("remove {}", group.display()))?;
        }
    }
    Ok(())
}

/// One folder per controller (cgroup v1), or the one of cgroup v2.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return Ok(vec![root.to_path_buf()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("read {ROOT}"))? {
        let path = entry?.path();
        // Some hierarchies have a second name that is a link.
        if path.is_dir() && !path.is_symlink() && path.join("cgroup.procs").exists() {
            found.push(path);
        }
    }
    Ok(found)
}

/// A cgroup and all below it, the deepest first.
fn tree(group: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(group) else { return found };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(tree(&entry.path()));
        }
    }
    found.push(group.to_path_buf());
    found
}
