//! Where one lab keeps its things, and what it is called.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Address of the node, the API server, Postgres and the name server, on a bridge without ports.
pub const ADDRESS: &str = "10.88.255.1";

/// Where a test may listen for what the operator exports.
pub const COLLECTOR: &str = "10.88.255.1:7979";

/// One lab: its name decides its folders, its network namespace and its node's name.
#[derive(Debug, Clone)]
pub struct Lab {
    /// `hearth` unless said otherwise.
    pub name: String,
    /// Everything that the lab writes, but for sockets.
    pub state: PathBuf,
    /// Sockets and mounts: a short path that any user may enter.
    pub run: PathBuf,
}

impl Lab {
    /// The lab of this name; whether it runs is another matter.
    pub fn named(name: &str) -> Result<Self> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        ensure!(
            (1..=20).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('-') && !name.ends_with('-'),
            "a lab's name is 1 to 20 of a-z, 0-9 and '-', with no '-' at its ends: {name:?} is not"
        );
        let states = match std::env::var_os("XDG_STATE_HOME") {
            Some(dir) if !dir.is_empty() => PathBuf::from(dir),
            _ => PathBuf::from(std::env::var_os("HOME").context("neither XDG_STATE_HOME nor HOME is set")?)
                .join(".local/state"),
        };
        Ok(Self {
            name: name.to_owned(),
            state: states.join("hearth").join(format!("lab-{name}")),
            run: PathBuf::from(format!("/run/hearth/lab-{name}")),
        })
    }

    /// Name of the network namespace.
    pub fn namespace(&self) -> String {
        format!("hearth-{}", self.name)
    }

    /// The file through which the network namespace is entered.
    pub fn namespace_file(&self) -> PathBuf {
        Path::new("/var/run/netns").join(self.namespace())
    }

    /// Name of the one real node.
    pub fn node(&self) -> String {
        format!("{}-node", self.name)
    }

    /// The cgroup under which the kubelet puts all pods of this lab.
    pub fn cgroup(&self) -> String {
        format!("hearth-lab-{}", self.name)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig/admin")
    }

    /// kubectl and helm, wrapped so that they run within the namespace.
    pub fn bin(&self) -> PathBuf {
        self.state.join("bin")
    }

    /// The API server's audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.state.join("log/audit.log")
    }

    /// Socket of the lab's containerd.
    pub fn containerd_socket(&self) -> PathBuf {
        self.run.join("containerd.sock")
    }

    /// `PATH` with the lab's tools first.
    pub fn search_path(&self) -> String {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/sbin:/usr/bin:/sbin:/bin".to_owned());
        let bin = self.bin().display().to_string();
        if path.split(':').any(|entry| entry == bin) { path } else { format!("{bin}:{path}") }
    }

    /// A command that runs within the network namespace, and otherwise as it stands.
    ///
    /// nsenter and not `ip netns exec`: that remounts /sys, and the kubelet finds no cgroups.
    pub fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace_file().display())).arg("--").arg(program);
        command
    }

    /// A command within the namespace, with `KUBECONFIG`, `HEARTH_LAB` and `PATH` set.
    pub fn client(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.inside(program);
        command.env("KUBECONFIG", self.kubeconfig()).env("HEARTH_LAB", &self.name).env("PATH", self.search_path());
        command
    }

    /// kubectl as the administrator.
    pub fn kubectl(&self, args: &[&str]) -> Command {
        let mut command = self.client("kubectl");
        command.args(args);
        command
    }

    /// ctr against the lab's containerd, in the kubelet's namespace.
    pub fn ctr(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ctr");
        command.arg("-a").arg(self.containerd_socket()).args(["-n", "k8s.io"]).args(args);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::Lab;

    #[test]
    fn names_are_plain() {
        for good in ["hearth", "a", "lab-2"] {
            assert!(Lab::named(good).is_ok(), "{good} is a name");
        }
        for bad in ["", "-a", "a-", "A", "a/b", "a b", "../x", "aaaaaaaaaaaaaaaaaaaaa"] {
            assert!(Lab::named(bad).is_err(), "{bad} is no name");
        }
    }
}
