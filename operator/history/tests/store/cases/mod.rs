//! What every back end does alike. A case gets a database of its own.

pub mod artifacts;
pub mod audit;
pub mod exports;
pub mod lineage;
pub mod logs;
pub mod ordering;
pub mod queries;
pub mod refusal;
pub mod reports;
pub mod retention;
pub mod schema;
pub mod sweep;
pub mod usage;
pub mod work;
pub mod writing;
