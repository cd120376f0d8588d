//! The step's command as a child, by a parent that may be process 1.

use crate::failure::Failure;
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait},
};
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH},
    iterator::Signals,
};
use std::{ffi::OsString, process::Command};

/// What is passed on to the command.
const PASSED_ON: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];

/// Runs a command with our standard streams until it ends, passes signals on to it, and reaps whatever else is left to
/// us. Gives its exit code, or 128 and the number of the signal that ended it.
pub fn run(command: &[OsString]) -> Result<u8, Failure> {
    let (program, args) = command.split_first().ok_or_else(|| Failure::Config("there is no command".to_owned()))?;
    let defect = |e: std::io::Error| Failure::Defect(format!("signals cannot be heard: {e}"));
    // Before the child is there, so that its end is not missed.
    let mut signals = Signals::new(PASSED_ON.iter().chain([&SIGCHLD])).map_err(defect)?;
    let child = Command::new(program).args(args).spawn().map_err(|e| {
        Failure::Config(format!("cannot run {}: {e}: check the step's command and image", program.to_string_lossy()))
    })?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Failure::Defect("the child has no process id".to_owned()))?;
    for signal in signals.forever() {
        if signal == SIGCHLD {
            if let Some(code) = reap(pid)? {
                return Ok(code);
            }
        } else if let Some(signal) = Signal::from_named_raw(signal) {
            // It is not reaped yet, so the number is still its own.
            let _gone = kill_process(pid, signal);
        }
    }
    Err(Failure::Defect("signals are not heard any more".to_owned()))
}

/// Takes all that has ended; the exit code if the command is among it.
fn reap(command: Pid) -> Result<Option<u8>, Failure> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => return Ok(Some(code(status))),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(None),
            Err(error) => return Err(Failure::Defect(format!("the command cannot be waited for: {error}"))),
        }
    }
}

/// As shells have it.
fn code(status: WaitStatus) -> u8 {
    let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
    code.and_then(|c| u8::try_from(c).ok()).unwrap_or(u8::MAX)
}
