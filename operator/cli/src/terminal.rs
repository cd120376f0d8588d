//! Standard output: how large it is when it is a terminal, and the two ways to write to it.

use crate::error::CliError;
use std::io::{ErrorKind, IsTerminal, Write};

/// What is known of standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Columns; None when it is no terminal, or does not say.
    pub width: Option<usize>,
    /// Lines.
    pub height: Option<usize>,
    /// Whether what was written can be written over.
    pub live: bool,
}

impl Terminal {
    /// Looks.
    #[must_use]
    pub fn of_stdout() -> Self {
        let out = std::io::stdout();
        if !out.is_terminal() {
            return Self::default();
        }
        let size = terminal_size::terminal_size_of(&out);
        Self {
            width: size.map(|(width, _)| usize::from(width.0)),
            height: size.map(|(_, height)| usize::from(height.0)),
            live: std::env::var_os("TERM").is_some_and(|t| t != "dumb"),
        }
    }
}

/// Writes a text for people. Its colours reach terminals only, and none when `NO_COLOR` is set.
pub fn show(text: &str) -> Result<(), CliError> {
    written(anstream::stdout().lock(), text)
}

/// Writes a text as it is: documents and logs.
pub fn put(text: &str) -> Result<(), CliError> {
    written(std::io::stdout().lock(), text)
}

/// A reader that has gone is no error.
fn written(mut out: impl Write, text: &str) -> Result<(), CliError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(CliError::Other(e.into())),
        Ok(()) | Err(_) => Ok(()),
    }
}
