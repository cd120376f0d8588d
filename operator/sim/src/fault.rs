//! What goes wrong, and at which write.

use std::time::Duration;

/// How a write goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// The process dies before the request leaves.
    KillBefore,
    /// The request takes effect, and the process dies before it acts on the answer.
    KillAfter,
    /// The request takes effect, the answer is lost, the process lives.
    NoReplyTaken,
    /// The request never arrives, and the process learns only that no answer came.
    NoReplyLost,
    /// The process dies with the request on the wire: it takes effect a little later, under the next process.
    KillInFlight,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::KillBefore, Self::KillAfter, Self::NoReplyTaken, Self::NoReplyLost, Self::KillInFlight];
}

/// How long a request may be under way at most; shorter than the request time-out.
pub const IN_FLIGHT: Duration = Duration::from_secs(4);

/// A write that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Number of the write, from 1, counted over all processes of the operator.
    pub write: usize,
    /// How.
    pub mode: Mode,
}

/// The faults still to come, and the writes so far.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Faults by number of the write.
    pub list: Vec<Fault>,
    /// Writes so far.
    pub writes: usize,
    /// Faults that struck: number, mode and what was being written.
    pub struck: Vec<(usize, Mode, String)>,
}

impl Faults {
    /// Faults at these writes.
    #[must_use]
    pub fn at(list: &[(usize, Mode)]) -> Self {
        Self {
            list: list.iter().map(|(write, mode)| Fault { write: *write, mode: *mode }).collect(),
            ..Self::default()
        }
    }

    /// Counts a write; says how it goes wrong, if it does.
    pub fn next(&mut self, what: &str) -> Option<Mode> {
        self.writes += 1;
        let mode = self.list.iter().find(|f| f.write == self.writes)?.mode;
        self.struck.push((self.writes, mode, what.to_owned()));
        Some(mode)
    }
}
