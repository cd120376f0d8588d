//! How the store behaves, on a real Postgres. `HEARTH_TEST_POSTGRES` is the DSN of a server in which databases may be
//! made; each test makes its own and drops it. Without it the tests fail: a store that nobody tried is not tested.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panic"
)]

mod away;
mod harness;
mod ordering;
mod proxy;
mod queries;
mod refusal;
mod rows;
mod schema;
mod sweep;
