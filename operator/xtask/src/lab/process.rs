//! Processes that outlive the tool: started detached, remembered by pid and start time,
//! ended only when both still fit.

use super::place::Lab;
use super::tell;
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts a command in a session of its own, its output in the component's log.
///
/// The command must become the program by exec alone, so that the pid stays the same.
pub fn start(lab: &Lab, name: &str, command: &Command) -> Result<()> {
    let log = log_file(lab, name);
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir)?;
    }
    let output = OpenOptions::new().create(true).append(true).open(&log)?;
    let mut detached = Command::new("setsid");
    detached
        .arg(command.get_program())
        .args(command.get_args())
        .envs(command.get_envs().filter_map(|(key, value)| value.map(|value| (key, value))))
        // Postgres' account may not enter the folder that the tool was called in.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let child = detached.spawn().with_context(|| format!("start {name}"))?;
    let pid = child.id();
    let begun = start_time(pid).with_context(|| format!("{name} ended at once; see {}", log.display()))?;
    let record = pid_file(lab, name);
    if let Some(dir) = record.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(&record, format!("{pid} {begun}\n")).with_context(|| format!("write {}", record.display()))
}

/// The pid of a component that runs and is the process that we started.
pub fn pid(lab: &Lab, name: &str) -> Option<u32> {
    let record = fs::read_to_string(pid_file(lab, name)).ok()?;
    let mut words = record.split_whitespace();
    let pid: u32 = words.next()?.parse().ok()?;
    let begun: u64 = words.next()?.parse().ok()?;
    (start_time(pid) == Some(begun) && !is_zombie(pid)).then_some(pid)
}

/// Fails with the end of the log when the component has died.
pub fn check(lab: &Lab, name: &str) -> Result<()> {
    if pid(lab, name).is_some() {
        return Ok(());
    }
    let log = log_file(lab, name);
    let text = fs::read_to_string(&log).unwrap_or_default();
    bail!("{name} does not run; the end of {}:\n{}", log.display(), tell::tail(&text))
}

/// Sends a signal to a component and all its descendants: Postgres answers each client by a child.
pub fn signal_all(lab: &Lab, name: &str, signal: &str) -> Result<()> {
    let Some(first) = pid(lab, name) else { return Ok(()) };
    let parents = parents();
    let mut family = vec![first];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    family.into_iter().try_for_each(|pid| send(pid, signal))
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat_fields(pid)?.split_whitespace().nth(1)?.parse().ok()?))).collect()
}

/// Ends a component: asks, waits, then kills. A stopped (SIGSTOP) one is woken, to be able to end.
pub fn stop(lab: &Lab, name: &str, ask: &str, patience: Duration) -> Result<()> {
    if let Some(pid) = pid(lab, name) {
        send(pid, ask)?;
        signal_all(lab, name, "CONT")?;
        let ended = |lab: &Lab| Ok(self::pid(lab, name).is_none().then_some(()));
        if tell::wait(name, patience, || ended(lab)).is_err() {
            eprintln!("lab: {name} did not end within {} s of asking, killing it", patience.as_secs());
            signal_all(lab, name, "KILL")?;
            tell::wait(name, Duration::from_secs(10), || ended(lab))?;
        }
        wait_reaped(pid);
    }
    forget(lab, name)
}

/// Kills a component and its descendants without asking.
pub fn kill(lab: &Lab, name: &str) -> Result<()> {
    if let Some(pid) = pid(lab, name) {
        signal_all(lab, name, "KILL")?;
        wait_reaped(pid);
    }
    forget(lab, name)
}

/// A dead process keeps its pid until it is reaped, and Postgres takes that for a live one.
fn wait_reaped(pid: u32) {
    // Whoever was started by this very process is reaped only when that ends: not worth an error.
    let _ = tell::wait("reaped", Duration::from_secs(3), || Ok(start_time(pid).is_none().then_some(())));
}

fn forget(lab: &Lab, name: &str) -> Result<()> {
    match fs::remove_file(pid_file(lab, name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Sends a signal to a pid that the caller knows to be ours.
pub fn send(pid: u32, signal: &str) -> Result<()> {
    // A process that ended in between is no error: it is what was wanted.
    Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).stderr(Stdio::null()).status()?;
    Ok(())
}

/// Pids whose command line holds this text: how the shims of our own containerd are found.
pub fn with_argument(text: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == text.as_bytes())
    })
    .collect()
}

/// Where a component writes.
pub fn log_file(lab: &Lab, name: &str) -> PathBuf {
    lab.state.join("log").join(format!("{name}.log"))
}

/// Whether the component is stopped by SIGSTOP.
pub fn is_paused(pid: u32) -> bool {
    state(pid) == Some('T')
}

fn pid_file(lab: &Lab, name: &str) -> PathBuf {
    lab.state.join("pids").join(name)
}

fn is_zombie(pid: u32) -> bool {
    state(pid) == Some('Z')
}

fn state(pid: u32) -> Option<char> {
    stat_fields(pid)?.split_whitespace().next()?.chars().next()
}

/// Start of a process in clock ticks since boot: with the pid it names one process for good.
fn start_time(pid: u32) -> Option<u64> {
    stat_fields(pid)?.split_whitespace().nth(19)?.parse().ok()
}

/// `/proc/PID/stat` behind the command's name, which may hold spaces and brackets.
fn stat_fields(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')').map(|(_, rest)| rest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{start_time, state};

    #[test]
    fn this_process_has_a_start_and_a_state() {
        let pid = std::process::id();
        assert!(start_time(pid).is_some_and(|ticks| ticks > 0));
        assert!(state(pid).is_some_and(|state| "RSD".contains(state)));
    }
}
