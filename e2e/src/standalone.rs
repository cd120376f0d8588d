//! The operator as a process of its own, outside of the cluster's pods, and what it costs.

use crate::wait::until;
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::{
    fs::OpenOptions,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Linux counts a process's time in hundredths of a second, whatever the kernel's own clock is.
const TICKS: f64 = 100.0;
/// How long the operator may take to end.
const PATIENCE: Duration = Duration::from_secs(40);

/// How the operator is started, with the rights of its service account.
#[derive(Args, Clone, Debug)]
pub struct Standalone {
    /// The operator's program.
    #[arg(long = "operator")]
    pub program: PathBuf,
    /// Kubeconfig of its service account.
    #[arg(long = "operator-kubeconfig")]
    pub kubeconfig: PathBuf,
    /// Namespace of its Lease.
    #[arg(long = "operator-namespace", default_value = "hearth-system")]
    pub namespace: String,
    /// File that its log is added to.
    #[arg(long = "operator-log")]
    pub log: PathBuf,
}

impl Standalone {
    /// Starts it under that name in its Lease, with further flags.
    ///
    /// # Errors
    /// The program or the log is not there.
    pub fn start(&self, identity: &str, flags: &[String]) -> Result<Operator> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("write {}", self.log.display()))?;
        let child = Command::new(&self.program)
            .args(["--api-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"])
            .args([format!("--namespace={}", self.namespace), format!("--identity={identity}")])
            .args(flags)
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        Ok(Operator { child })
    }
}

/// A running operator; it is killed when this value goes.
#[derive(Debug)]
pub struct Operator {
    child: Child,
}

impl From<Child> for Operator {
    fn from(child: Child) -> Self {
        Self { child }
    }
}

impl Operator {
    /// How it ended, if it has.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Fails when it has ended.
    ///
    /// # Errors
    /// It has.
    pub fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("the operator ended with {status}"),
        }
    }

    /// CPU-seconds so far, of all its threads.
    ///
    /// # Errors
    /// It has ended.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.child.id())
    }

    /// The memory that it holds, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn rss_mib(&self) -> Result<f64> {
        memory(&std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?, "VmRSS:")
    }

    /// The most memory that it has held at one time, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub fn peak_mib(&self) -> Result<f64> {
        memory(&std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?, "VmHWM:")
    }

    /// Sends it a signal, by its name without `SIG`.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&mut self, signal: &str) -> Result<()> {
        // Until its end was waited for, its pid names nobody else.
        self.check()?;
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status()?;
        ensure!(sent.success(), "SIG{signal} was not sent to the operator: {sent}");
        Ok(())
    }

    /// Kills it (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// It had ended before, or does not end in time.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.signal("TERM").context("ask the operator to end")?;
        until("the end of the operator", PATIENCE, || self.ended())
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        // One that has ended is past both.
        let _gone = self.kill();
    }
}

/// CPU-seconds of a process so far, of all its threads.
///
/// # Errors
/// There is no such process.
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

fn memory(status: &str, which: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(which)).with_context(|| which.to_owned())?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kib) / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 1 2 3";
        assert!((ticks(stat).unwrap() - 300.0).abs() < f64::EPSILON);
        let status = "Name:\tx\nVmHWM:\t   20480 kB\nVmRSS:\t 10240 kB\n";
        assert!((memory(status, "VmHWM:").unwrap() - 20.0).abs() < f64::EPSILON);
        assert!((memory(status, "VmRSS:").unwrap() - 10.0).abs() < f64::EPSILON);
        assert!(memory("Name:\tx\n", "VmHWM:").is_err());
    }

    #[test]
    fn this_process_has_used_some_time() {
        assert!(cpu_seconds(std::process::id()).unwrap() >= 0.0);
    }
}
