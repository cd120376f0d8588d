//! Fake GPUs on the real node: the scheduler and the kubelet honour them, and the pod runs.

use super::place::Lab;
use super::tell;
use anyhow::Result;

const TAINT: &str = "nvidia.com/gpu";
const LABEL: &str = "nvidia.com/gpu.product";

/// Gives the node two GPUs of this product, and a taint as real ones have it.
pub fn add(lab: &Lab, product: &str, effect: &str) -> Result<()> {
    // An earlier taint may have had another effect.
    take_taint(lab);
    set_capacity(lab, r#""2""#)?;
    run(lab, &["label", "node", &lab.node(), "--overwrite", &format!("{LABEL}={product}")])?;
    run(lab, &["taint", "node", &lab.node(), "--overwrite", &format!("{TAINT}=present:{effect}")])
}

/// Takes the GPUs, their label and their taint away.
pub fn remove(lab: &Lab) -> Result<()> {
    take_taint(lab);
    set_capacity(lab, "null")?;
    run(lab, &["label", "node", &lab.node(), &format!("{LABEL}-")])
}

fn set_capacity(lab: &Lab, count: &str) -> Result<()> {
    let resources = format!(r#"{{"nvidia.com/gpu":{count}}}"#);
    let patch = format!(r#"{{"status":{{"capacity":{resources},"allocatable":{resources}}}}}"#);
    run(lab, &["patch", "node", &lab.node(), "--subresource=status", "--type=merge", "-p", &patch])
}

/// kubectl calls it an error when there is no such taint; that is what is wanted here.
fn take_taint(lab: &Lab) {
    let _ = run(lab, &["taint", "node", &lab.node(), &format!("{TAINT}-")]);
}

fn run(lab: &Lab, args: &[&str]) -> Result<()> {
    tell::quiet(&mut lab.kubectl(args)).map(drop)
}
