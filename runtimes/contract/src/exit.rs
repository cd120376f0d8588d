//! Exit codes of `runtimes/CONTRACT.md`.

/// Bad arguments on the command line. Not tried again.
pub const ARGUMENTS: u8 = 64;
/// The data is wrong. Not tried again.
pub const DATA: u8 = 65;
/// A defect in the program. Not tried again.
pub const DEFECT: u8 = 70;
/// Input or output failed for good. Not tried again.
pub const IO: u8 = 74;
/// It may work another time.
pub const AGAIN: u8 = 75;
/// The configuration is wrong. Not tried again.
pub const CONFIG: u8 = 78;
/// Was told to stop.
pub const STOPPED: u8 = 143;
