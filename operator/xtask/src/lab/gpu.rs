//! Fake GPUs on the real node: the scheduler and the kubelet honour them, and the pod runs.

use super::place::Lab;
use super::tell;
use anyhow::Result;

/// Sets how many GPUs the node has; 0 takes label and taint away too.
pub fn set(lab: &Lab, product: &str, count: u32) -> Result<()> {
    let node = lab.node();
    let run = |args: &[&str]| tell::quiet(&mut lab.kubectl(args));
    let capacity = if count > 0 {
        format!(r#"{{"status":{{"capacity":{{"nvidia.com/gpu":"{count}"}},"allocatable":{{"nvidia.com/gpu":"{count}"}}}}}}"#)
    } else {
        r#"{"status":{"capacity":{"nvidia.com/gpu":null},"allocatable":{"nvidia.com/gpu":null}}}"#.to_owned()
    };
    run(&["patch", "node", &node, "--subresource=status", "--type=merge", "-p", &capacity])?;
    if count > 0 {
        run(&["label", "node", &node, "--overwrite", &format!("nvidia.com/gpu.product={product}")])?;
        run(&["taint", "node", &node, "--overwrite", "nvidia.com/gpu=present:PreferNoSchedule"])?;
    } else {
        run(&["label", "node", &node, "nvidia.com/gpu.product-"])?;
        // It may not be there: that is what is wanted.
        let _ = run(&["taint", "node", &node, "nvidia.com/gpu-"]);
    }
    Ok(())
}
