//! An in-memory API server for the pure crates, with faults and a virtual clock.
//!
//! A [`world::World`] is a cluster (API server, scheduler, kubelet), a history store and one or more processes of the
//! operator under one clock. A [`judge::Judge`] looks at every change and writes down what must never be.
//! Nothing in here waits, reads a clock or talks to anybody but [`conformance`], which may ask a real API server.

pub mod act;
pub mod arbitrary;
pub mod cache;
pub mod clock;
pub mod conformance;
mod deeds;
pub mod driver;
pub mod fault;
pub mod judge;
pub mod kubelet;
pub mod lens;
pub mod memory;
pub mod normal;
pub mod outcome;
pub mod pass;
pub mod properties;
mod report;
pub mod samples;
pub mod scenario;
mod scenes;
pub mod server;
pub mod store;
pub mod trim;
pub mod whole_logs;
pub mod wire;
pub mod world;
