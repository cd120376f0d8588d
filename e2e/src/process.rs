//! Running programs.

use anyhow::{Context, Result, bail};
use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

/// Runs a program to its end, whatever that is.
///
/// # Errors
/// It cannot be started.
pub fn output(command: &mut Command, input: Option<&str>) -> Result<Output> {
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
        // A program that ends without reading says why by its status.
        let _written = pipe.write_all(text.as_bytes());
    }
    child.wait_with_output().with_context(|| format!("wait for {command:?}"))
}

/// Runs a program that must end well, and gives what it printed.
///
/// # Errors
/// It cannot be started, or ends with another status than 0.
pub fn capture(command: &mut Command, input: Option<&str>) -> Result<String> {
    let done = output(command, input)?;
    if !done.status.success() {
        bail!("{command:?} ended with {}\n{}{}", done.status, text(&done.stdout), text(&done.stderr));
    }
    Ok(text(&done.stdout))
}

/// What was printed, as text.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
