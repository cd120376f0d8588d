//! The components' configuration files: templates of e2e/lab/config with this lab's paths.

use super::pki::{self, Client};
use super::place::{ADDRESS, Lab};
use crate::repo;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Who talks to the API server. The names of the components are those that RBAC knows.
const CLIENTS: [Client<'static>; 6] = [
    Client { file: "admin", user: "lab-admin", groups: &["system:masters"] },
    Client { file: "kube-controller-manager", user: "system:kube-controller-manager", groups: &[] },
    Client { file: "kube-scheduler", user: "system:kube-scheduler", groups: &[] },
    Client { file: "kube-proxy", user: "system:kube-proxy", groups: &[] },
    Client { file: "coredns", user: "lab-coredns", groups: &[] },
    Client { file: "kwok", user: "lab-kwok", groups: &["system:masters"] },
];

/// Writes certificates, kubeconfigs, configuration files and the wrapped tools.
pub fn write(lab: &Lab, programs: &Path) -> Result<()> {
    pki::make(lab)?;
    for client in &CLIENTS {
        pki::kubeconfig(lab, client)?;
    }
    let node = format!("system:node:{}", lab.node());
    pki::kubeconfig(lab, &Client { file: "kubelet", user: &node, groups: &["system:nodes"] })?;
    pki::kubeconfig(lab, &Client { file: "apiserver-kubelet", user: "lab-apiserver", groups: &["system:masters"] })?;
    let templates = repo::root().join("e2e/lab/config");
    for entry in fs::read_dir(&templates).with_context(|| format!("read {}", templates.display()))? {
        let from = entry?.path();
        let Some(name) = from.file_name().and_then(|name| name.to_str()) else { continue };
        // CNI reads every file of its folder.
        let to = match name {
            "cni.conflist" => lab.state.join("config/cni/10-lab.conflist"),
            other => lab.state.join("config").join(other),
        };
        repo::write(&to, &fill(lab, &fs::read_to_string(&from)?))?;
    }
    for tool in ["kubectl", "helm"] {
        wrap(lab, tool, &programs.join(tool))?;
    }
    for folder in ["kubelet", "kubelet-plugins", "log/pods"] {
        fs::create_dir_all(lab.state.join(folder))?;
    }
    Ok(())
}

fn fill(lab: &Lab, template: &str) -> String {
    template
        .replace("@@STATE@@", &lab.state.display().to_string())
        .replace("@@RUN@@", &lab.run.display().to_string())
        .replace("@@NAME@@", &lab.name)
        .replace("@@NODE@@", &lab.node())
        .replace("@@CGROUP@@", &lab.cgroup())
        .replace("@@ADDRESS@@", ADDRESS)
}

/// A tool that enters the namespace by itself, and takes the lab's kubeconfig where none is set.
fn wrap(lab: &Lab, tool: &str, program: &Path) -> Result<()> {
    let path = lab.bin().join(tool);
    let script = format!(
        "#!/bin/sh\n# Runs {tool} within the lab {name}.\nKUBECONFIG=\"${{KUBECONFIG:-{config}}}\"\nexport KUBECONFIG\n\
         exec nsenter --net={namespace} -- {program} \"$@\"\n",
        name = lab.name,
        config = lab.kubeconfig().display(),
        namespace = lab.namespace_file().display(),
        program = program.display(),
    );
    repo::write(&path, &script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
