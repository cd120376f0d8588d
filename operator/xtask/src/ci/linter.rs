//! kube-score over what the chart renders: no finding but those that are answered here.

use crate::tools;
use anyhow::{Result, ensure};
use std::{path::Path, process::Command};

/// Its checks that do not hold here, and why.
const ANSWERED: &[(&str, &str)] = &[
    ("container-ephemeral-storage-request-and-limit", "the root is read-only; the kubelet bounds and rotates the log"),
    ("container-image-pull-policy", "a release's tag does not move, and a restart must not need the registry"),
    ("pod-networkpolicy", "the chart ships none, as docs/threat-model.md says: which peers there are is the cluster's"),
];

/// Those that do not hold in mode single either.
const ANSWERED_IN_SINGLE: &[(&str, &str)] = &[
    ("deployment-replicas", "the volume is one pod's at a time"),
    ("deployment-strategy", "a new pod could not mount the volume before the old one is gone"),
];

/// Fails on a finding, a warning included.
pub fn check(rendered: &Path, single: bool) -> Result<()> {
    let mut command = Command::new(tools::kube_score()?);
    // A CPU limit throttles a leader until it misses the renewal of its Lease.
    command.args(["score", "--kubernetes-version", "v1.33", "--output-format", "ci", "--ignore-container-cpu-limit"]);
    for (test, _why) in ANSWERED.iter().chain(if single { ANSWERED_IN_SINGLE } else { &[] }) {
        command.args(["--ignore-test", test]);
    }
    let output = command.arg(rendered).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(
        said.contains("[OK] hearth/"),
        "kube-score looked at nothing:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found: Vec<&str> = said.lines().filter(|l| !l.starts_with("[OK]") && !l.starts_with("[SKIPPED]")).collect();
    ensure!(found.is_empty(), "kube-score finds:\n  {}", found.join("\n  "));
    Ok(())
}
