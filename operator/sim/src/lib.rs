//! An in-memory API server for the pure crates, with faults and a virtual clock.
