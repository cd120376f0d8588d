//! `lab down`: takes everything away that a lab made, also when the tool died in the middle.

use super::components::Component;
use super::place::Lab;
use super::{cgroups, network, process, tell};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Ends the lab's processes and removes its mounts, cgroups, namespace and folders.
pub fn down(lab: &Lab) -> Result<()> {
    if !lab.state.exists() && !lab.run.exists() && !lab.namespace_file().exists() {
        eprintln!("lab: there is no lab {}", lab.name);
        return Ok(());
    }
    // The kubelet and its masters first, so that nobody starts again what ends next.
    tell::step("stop the cluster", || {
        for part in Component::ALL.iter().rev() {
            if !matches!(part, Component::Containerd | Component::Etcd) {
                part.stop(lab)?;
            }
        }
        Component::Etcd.stop(lab)
    })?;
    tell::step("end the pods", || end_pods(lab))?;
    tell::step("stop containerd", || Component::Containerd.stop(lab))?;
    tell::step("unmount", || {
        unmount_below(&lab.state)?;
        unmount_below(&lab.run)
    })?;
    tell::step("network namespace and cgroups", || {
        network::remove(lab)?;
        cgroups::remove(lab)
    })?;
    tell::step("files", || remove_files(lab))
}

/// Kills what runs in the lab's cgroup, and the shims that serve its containerd.
fn end_pods(lab: &Lab) -> Result<()> {
    let socket = lab.containerd_socket().display().to_string();
    tell::wait("the pods' end", Duration::from_secs(30), || {
        let shims = process::with_argument(&socket).into_iter().filter(|pid| is_shim(*pid));
        let left: Vec<u32> = cgroups::members(lab).into_iter().chain(shims).collect();
        for pid in &left {
            process::send(*pid, "KILL")?;
        }
        Ok(left.is_empty().then_some(()))
    })
}

fn is_shim(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("containerd-shim"))
}

/// Unmounts everything at or below this folder, the innermost first.
fn unmount_below(folder: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("read the mounts")?;
    let mut points: Vec<String> =
        mounts.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape).filter(|point| Path::new(point).starts_with(folder)).collect();
    points.reverse();
    for point in points {
        if tell::quiet(Command::new("umount").arg(&point)).is_err() {
            tell::quiet(Command::new("umount").arg("--lazy").arg(&point))?;
        }
    }
    Ok(())
}

/// mountinfo writes a space as `\040`.
fn unescape(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

fn remove_files(lab: &Lab) -> Result<()> {
    remove_matching(Path::new("/var/log/containers"), |path| {
        fs::read_link(path).is_ok_and(|target| target.starts_with(&lab.state))
    })?;
    let network = format!("hearth-lab-{}-", lab.name);
    for folder in ["/var/lib/cni/results", "/var/lib/cni/cache/results"] {
        remove_matching(Path::new(folder), |path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&network))
        })?;
    }
    for folder in [&lab.state, &lab.run] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    Ok(())
}

fn remove_matching(folder: &Path, ours: impl Fn(&Path) -> bool) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| ours(path)) {
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn mount_points_are_read_as_they_are() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
    }
}
