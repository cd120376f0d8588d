//! kubectl hearth.

fn main() {}
