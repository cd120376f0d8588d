//! What is told, and what happens when it is not taken.

mod delivery;
mod lineage;
mod spans;
