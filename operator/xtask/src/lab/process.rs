//! Processes that outlive the tool: started detached, remembered by pid and start time,
//! ended only when both still fit.

use super::place::Lab;
use super::tell;
use anyhow::{Context, Result, bail};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::MetadataExt;
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
    let parent = |pid: u32| stat_fields(pid)?.split_whitespace().nth(1)?.parse().ok();
    all().into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect()
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
    }
    forget(lab, name)
}

/// Kills a component and its descendants without asking.
pub fn kill(lab: &Lab, name: &str) -> Result<()> {
    signal_all(lab, name, "KILL")?;
    tell::wait(name, Duration::from_secs(10), || Ok(pid(lab, name).is_none().then_some(())))?;
    forget(lab, name)
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

/// Pids whose command line holds this word: how the shims of our own containerd are found.
pub fn with_argument(text: &str) -> Vec<u32> {
    all().into_iter().filter(|pid| words(*pid).iter().any(|word| word == text)).collect()
}

/// Processes in the lab's namespace with a path of the lab in their command line: parts that
/// were started a moment before the tool was killed, and so are in no pid file.
pub fn strays(lab: &Lab) -> Vec<u32> {
    let Ok(ours) = fs::metadata(lab.namespace_file()).map(|meta| meta.ino()) else { return Vec::new() };
    let folders = [format!("{}/", lab.state.display()), format!("{}/", lab.run.display())];
    let inside = |pid: &u32| fs::metadata(format!("/proc/{pid}/ns/net")).is_ok_and(|meta| meta.ino() == ours);
    let names_us = |pid: &u32| words(*pid).iter().any(|word| folders.iter().any(|folder| word.contains(folder)));
    all().into_iter().filter(inside).filter(names_us).collect()
}

fn all() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse().ok()).collect()
}

fn words(pid: u32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Waits until a dead process has been reaped: it keeps its pid until then.
pub fn wait_reaped(pid: u32) {
    // One that this very tool started is reaped only when the tool ends: not worth an error.
    let _ = tell::wait("reaped", Duration::from_secs(5), || Ok((!is_zombie(pid)).then_some(())));
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
