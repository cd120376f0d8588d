//! What the operator does on a real cluster. `cargo xtask test --only e2e` runs it in rounds.

#![allow(clippy::indexing_slicing, reason = "indexing JSON gives null, and a test may fail by panic")]

mod afterwards;
mod artifacts;
mod asked;
mod bad_days;
mod bad_input;
mod bad_outputs;
mod cache;
mod day2;
mod deletion;
mod examples;
mod flow;
mod ha;
mod identity;
mod logs;
mod namespaces;
mod nested;
mod pictures;
mod pods;
mod poison;
mod rights;
