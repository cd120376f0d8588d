//! `lab down`: takes everything away that a lab made, also when the tool died in the middle.

use super::components::Component;
use super::place::Lab;
use super::{cgroups, network, process, tell};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Ends the lab's processes and removes its mounts, cgroups, namespace and folders.
pub fn down(lab: &Lab) -> Result<()> {
    if !lab.state.exists() && !lab.run.exists() && !lab.namespace_file().exists() {
        eprintln!("lab: there is no lab {}", lab.name);
        return Ok(());
    }
    fs::create_dir_all(&lab.run)?;
    let _one_at_a_time = super::up::lock(lab)?;
    // The kubelet and its masters first, so that nobody starts again what ends next.
    tell::step("stop the cluster", || {
        for part in Component::ALL.iter().rev() {
            match part {
                // It ends the pods' processes with us, below.
                Component::Containerd => {}
                // Killed, it would leave its shared memory behind.
                Component::Postgres => part.stop(lab)?,
                Component::Kwok
                | Component::Coredns
                | Component::KubeProxy
                | Component::Kubelet
                | Component::Scheduler
                | Component::ControllerManager
                | Component::Apiserver
                | Component::S3
                | Component::Etcd => process::kill(lab, part.name())?,
            }
        }
        Ok(())
    })?;
    let sockets = shim_sockets(lab);
    tell::step("end the pods", || end_pods(lab))?;
    tell::step("stop containerd", || {
        Component::Containerd.stop(lab)?;
        process::strays(lab).into_iter().try_for_each(|pid| process::send(pid, "KILL"))
    })?;
    tell::step("unmount", || {
        unmount_below(&lab.state)?;
        unmount_below(&lab.run)
    })?;
    tell::step("network namespace and cgroups", || {
        network::remove(lab)?;
        cgroups::remove(lab)
    })?;
    tell::step("files", || {
        sockets.iter().try_for_each(|socket| remove_file(socket))?;
        remove_files(lab)?;
        remove_shared()
    })
}

/// Sockets of the shims: containerd puts them all in one folder of the machine, and a shim
/// that is killed leaves its own. A socket is listed in the namespace that it was made in.
fn shim_sockets(lab: &Lab) -> Vec<PathBuf> {
    if !lab.namespace_file().exists() {
        return Vec::new();
    }
    let listed = tell::capture(lab.inside("cat").arg("/proc/net/unix")).unwrap_or_default();
    let paths = listed.lines().filter_map(|line| line.split_whitespace().nth(7));
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.starts_with("/run/containerd/s/")).map(PathBuf::from).collect();
    found.sort();
    found.dedup();
    found
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
    let mut points: Vec<String> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(unescape)
        .filter(|point| Path::new(point).starts_with(folder))
        .collect();
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
    remove_network_results(lab)?;
    for folder in [&lab.state, &lab.run] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    Ok(())
}

/// What the labs of one machine share, and only the last one may take away: folders whose
/// place is fixed in the kubelet and containerd. A folder that somebody else uses is not empty, and stays.
fn remove_shared() -> Result<()> {
    let runs = Path::new("/run/hearth");
    let is_lab = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("lab-");
    if fs::read_dir(runs).is_ok_and(|entries| entries.flatten().any(|entry| is_lab(&entry))) {
        return Ok(());
    }
    remove_file(Path::new("/var/lib/kubelet/device-plugins/kubelet.sock"))?;
    let folders = [
        "/var/lib/kubelet/device-plugins",
        "/var/lib/kubelet",
        "/var/log/containers",
        "/var/lib/cni/results",
        "/var/lib/cni",
        "/run/containerd/s",
        "/run/containerd",
    ];
    for folder in folders {
        // Not there, or not empty: both are fine.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// What CNI remembers of pods that were killed: files named NETWORK-POD-INTERFACE, in which
/// the loopback's network has the same name in every lab.
fn remove_network_results(lab: &Lab) -> Result<()> {
    let folder = Path::new("/var/lib/cni/results");
    let network = format!("hearth-lab-{}-", lab.name);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let ours = entries.flatten().filter_map(|entry| {
        let pod = name(&entry.path()).strip_prefix(&network)?.strip_suffix("-eth0")?.to_owned();
        (!pod.contains('-')).then_some(pod)
    });
    let pods: Vec<String> = ours.collect();
    remove_matching(folder, |path| {
        let name = name(path);
        pods.iter().any(|pod| name.ends_with(&format!("-{pod}-eth0")) || name.ends_with(&format!("-{pod}-lo")))
    })
}

fn remove_matching(folder: &Path, ours: impl Fn(&Path) -> bool) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    entries.flatten().map(|entry| entry.path()).filter(|path| ours(path)).try_for_each(|path| remove_file(&path))
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn mount_points_are_read_as_they_are() {
        assert_eq!(unescape("/a\\040b\\134c"), "/a b\\c");
    }
}
