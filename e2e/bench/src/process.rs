//! The operator as a process of its own, and what it costs.

use anyhow::{Context, Result, bail, ensure};
use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    process::{Child, Command},
    time::timeout,
};

/// Linux counts a process's time in hundredths of a second, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;
/// How long the operator may take to end.
const PATIENCE: Duration = Duration::from_secs(40);

/// A running operator; it goes with this value.
pub struct Operator {
    child: Child,
    pid: u32,
}

impl Operator {
    /// Starts it out of the cluster, with the rights of its service account.
    pub fn start(program: &Path, kubeconfig: &Path, namespace: &str, log: &Path) -> Result<Self> {
        let output = std::fs::File::create(log).with_context(|| format!("write {}", log.display()))?;
        let child = Command::new(program)
            .args(["--api-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0", &format!("--namespace={namespace}")])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let pid = child.id().context("the operator ended at once")?;
        Ok(Self { child, pid })
    }

    /// Fails when it has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the operator ended with {status}"),
        }
    }

    /// CPU-seconds so far, of all its threads.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid)
    }

    /// The most memory that it has held at one time, in MiB.
    pub fn peak_mib(&self) -> Result<f64> {
        peak_mib(&std::fs::read_to_string(format!("/proc/{}/status", self.pid))?)
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await?;
        ensure!(asked.success(), "the operator was gone before it was asked to end");
        Ok(timeout(PATIENCE, self.child.wait()).await.context("the operator did not end in time")??)
    }
}

/// CPU-seconds of a process so far, of all its threads.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat"))?).map(|ticks| ticks / TICKS)
}

fn ticks(stat: &str) -> Result<f64> {
    // The command's name may hold spaces and brackets: what counts begins behind it.
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (fields.next().context("utime")??, fields.next().context("stime")??);
    Ok(f64::from(user) + f64::from(system))
}

fn peak_mib(status: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 1 2 3";
        assert_eq!(ticks(stat).unwrap(), 300.0);
        assert_eq!(peak_mib("Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t 1 kB\n").unwrap(), 20.0);
        assert!(peak_mib("Name:\tx\n").is_err());
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
