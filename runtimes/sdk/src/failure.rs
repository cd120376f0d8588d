//! Why a runtime ended without a result, and the exit code that says so.

use hearth_contract::exit;
use std::fmt;

/// The exit codes of runtimes/CONTRACT.md that a runtime chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 64: bad arguments on the command line.
    Arguments,
    /// 65: bad data; the same data fails again.
    Data,
    /// 70: a defect in the runtime.
    Defect,
    /// 74: input or output failed.
    Io,
    /// 75: try again.
    Again,
    /// 78: bad configuration: `with:`, the declared inputs, outputs or artifacts.
    Config,
    /// 143: was told to stop.
    Stopped,
}

impl Code {
    /// The exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Arguments => exit::ARGUMENTS,
            Self::Data => exit::DATA,
            Self::Defect => exit::DEFECT,
            Self::Io => exit::IO,
            Self::Again => exit::AGAIN,
            Self::Config => exit::CONFIG,
            Self::Stopped => exit::STOPPED,
        }
    }
}

/// An end without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which exit code.
    pub code: Code,
    /// What is wrong, where, and what to do, for people.
    pub message: String,
}

impl Failure {
    /// The data are bad: say the row or line, what was found and what was expected.
    pub fn data(message: impl fmt::Display) -> Self {
        Self::new(Code::Data, message)
    }

    /// A defect in the runtime.
    pub fn defect(message: impl fmt::Display) -> Self {
        Self::new(Code::Defect, message)
    }

    /// Reading or writing failed: say which file.
    pub fn io(message: impl fmt::Display) -> Self {
        Self::new(Code::Io, message)
    }

    /// Somebody else's trouble that will pass.
    pub fn again(message: impl fmt::Display) -> Self {
        Self::new(Code::Again, message)
    }

    /// The configuration is wrong: name the field and the fix.
    pub fn config(message: impl fmt::Display) -> Self {
        Self::new(Code::Config, message)
    }

    /// With this code.
    pub fn new(code: Code, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
