//! Generators, checks, the lab cluster and the demo.

fn main() {}
