//! What this program says on standard error.

use std::{
    fmt::Display,
    io::{self, Write},
};

/// Says it, if there is anybody to hear it: a closed stream must not end a step.
pub fn say(text: impl Display) {
    let _unheard = writeln!(io::stderr(), "hearth-step: {text}");
}
