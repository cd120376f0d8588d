//! Pure decisions: validate and plan.
//!
//! Nothing in here may wait, read a clock, draw a random number or talk to a server. The driver gathers what is,
//! [`Kind::plan`] says what should be written and done, and [`Kind::records`] says what history keeps of it.

pub mod expr;
pub mod facts;
pub mod kind;
pub mod offer;
pub mod record;
pub mod selection;
pub mod work;
pub mod workflow;

pub use facts::{Child, Facts, PodFact, Post, RevisionFact};
pub use kind::{Accepted, Action, Env, Intends, Intent, Kind, Note, OnDelete, Plan, Start, Subject};
pub use record::Record;
pub use selection::RunPods;
