//! A few static volumes on the node. Nothing provisions volumes here; a test claims one of
//! these, and `lab up` or `lab volumes` makes the released ones fresh.

use super::place::Lab;
use super::tell;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const COUNT: usize = 8;

/// Makes missing volumes, and new ones of those whose claim is gone.
pub fn reset(lab: &Lab) -> Result<()> {
    let listed = tell::capture(&mut lab.kubectl(&["get", "persistentvolumes", "-o", "json"]))?;
    let listed: Value = serde_json::from_str(&listed).context("kubectl's list of volumes is not JSON")?;
    let items = listed.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    let phase = |name: &str| {
        let found = items.iter().find(|item| item.pointer("/metadata/name").and_then(Value::as_str) == Some(name))?;
        found.pointer("/status/phase").and_then(Value::as_str)
    };
    for number in 1..=COUNT {
        let name = format!("lab-{number}");
        match phase(&name) {
            None => make(lab, &name)?,
            Some("Released" | "Failed") => {
                tell::quiet(&mut lab.kubectl(&["delete", "persistentvolume", &name]))?;
                make(lab, &name)?;
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn make(lab: &Lab, name: &str) -> Result<()> {
    let folder = lab.state.join("volumes").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)?;
    // A hostPath takes no fsGroup, and restricted pods are not root.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "5Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "lab",
            "hostPath": {"path": folder, "type": "Directory"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [lab.node()]},
            ]}]}},
        },
    });
    tell::feed(&mut lab.kubectl(&["apply", "-f", "-"]), &volume.to_string())?;
    Ok(())
}
