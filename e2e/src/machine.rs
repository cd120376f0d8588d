//! The machine that it ran on.

use anyhow::{Context, Result};
use std::fs::read_to_string;

/// One line about the machine.
///
/// # Errors
/// The kernel does not say.
pub fn describe() -> Result<String> {
    let cpu = read_to_string("/proc/cpuinfo")?;
    let model = value(&cpu, "model name").unwrap_or("unknown CPU");
    let cores = std::thread::available_parallelism()?;
    let memory: u64 = value(&read_to_string("/proc/meminfo")?, "MemTotal")
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .context("MemTotal")?;
    let kernel = read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "Machine: {model}, {cores} cores, {} GiB, Linux {}; the lab (control plane, nodes, Postgres) shares it.",
        memory.div_ceil(1024 * 1024),
        kernel.trim()
    ))
}

/// The load average of the last minute.
///
/// # Errors
/// The kernel does not say.
pub fn load() -> Result<String> {
    Ok(read_to_string("/proc/loadavg")?.split_whitespace().next().context("loadavg")?.to_owned())
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_described() {
        assert!(describe().unwrap().starts_with("Machine: "));
        assert!(load().unwrap().parse::<f64>().is_ok());
        assert_eq!(value("a: 1\nmodel name\t: x y\n", "model name"), Some("x y"));
    }
}
