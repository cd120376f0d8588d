//! The network namespace: the whole cluster lives in it, and nothing of the host changes.

use super::place::{ADDRESS, Lab};
use super::tell;
use anyhow::Result;
use std::process::Command;

/// Makes the namespace, its loopback and the bridge that gives the node an address.
pub fn make(lab: &Lab) -> Result<()> {
    if !lab.namespace_file().exists() {
        tell::quiet(Command::new("ip").args(["netns", "add", &lab.namespace()]))?;
    }
    let ip = |args: &[&str]| tell::quiet(lab.inside("ip").args(args));
    ip(&["link", "set", "lo", "up"])?;
    if ip(&["link", "show", "hl0"]).is_err() {
        // A bridge and not a dummy: not every kernel has dummy interfaces. It also is
        // where a stray packet for the outside dies.
        ip(&["link", "add", "hl0", "type", "bridge"])?;
    }
    ip(&["address", "replace", &format!("{ADDRESS}/32"), "dev", "hl0"])?;
    ip(&["link", "set", "hl0", "up"])?;
    ip(&["route", "replace", "default", "dev", "hl0"])?;
    tell::quiet(lab.inside("sysctl").args(["-q", "-w", "net.ipv4.ip_forward=1"]))?;
    Ok(())
}

/// Takes the namespace away, and all interfaces and rules with it.
pub fn remove(lab: &Lab) -> Result<()> {
    if lab.namespace_file().exists() {
        tell::quiet(Command::new("ip").args(["netns", "delete", &lab.namespace()]))?;
    }
    Ok(())
}
