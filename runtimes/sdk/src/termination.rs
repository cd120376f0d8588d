//! The file that the kubelet reads when the container has ended: outputs, or why there are none.

use crate::Failure;
use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The most bytes that count.
pub(crate) use hearth_contract::message::MAX_OUTPUTS as MAX;

/// Where the kubelet looks.
pub(crate) const PATH: &str = "/dev/termination-log";

/// The termination log.
#[derive(Clone, Debug)]
pub(crate) struct Log(pub(crate) PathBuf);

impl Log {
    /// Writes the outputs.
    pub(crate) fn outputs(&self, text: &str) -> Result<(), Failure> {
        self.write(text).map_err(|error| Failure::io(format!("{}: {error}", self.0.display())))
    }

    /// Writes why there are no outputs, as far as it fits. Standard error has it in full.
    pub(crate) fn explain(&self, message: &str) {
        if let Err(error) = self.write(shortened(message)) {
            eprintln!("error: {}: {error}", self.0.display());
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        // The kubelet makes its file. Outside of a pod there is none, and none is left in /dev.
        let make = self.0 != Path::new(PATH);
        let mut file = OpenOptions::new().write(true).truncate(true).create(make).open(&self.0)?;
        file.write_all(text.as_bytes())
    }
}

fn shortened(message: &str) -> &str {
    let end = (0..=MAX.min(message.len())).rev().find(|end| message.is_char_boundary(*end));
    end.and_then(|end| message.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_ends_between_two_characters() {
        assert_eq!(shortened("short"), "short");
        let long = format!("a{}", "é".repeat(2000));
        let short = shortened(&long);
        assert!(short.len() <= MAX && short.len() >= MAX - 1 && long.starts_with(short));
    }
}
