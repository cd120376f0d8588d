//! The history store: what happened, kept after the objects are gone.
//!
//! Rows come from statuses that the API server has accepted, as [`RecordBatch`]es through one bounded channel that no
//! reconcile awaits. One task ([`Store::spawn_writer`]) writes them in transactions and answers each final batch with
//! an [`Ack`] after the commit. A store that is away or hangs costs nothing but time: every operation has a limit on
//! this side, the batch is kept, and the object itself is the spool.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panic"
    )
)]

mod audit;
mod clean;
mod error;
mod export;
mod fields;
mod filter;
mod flush;
mod lineage;
mod link;
mod metrics;
mod model;
mod paging;
mod postgres;
mod refusal;
mod report;
mod retention;
mod sqlite;
mod store;
mod usage;
mod writer;

pub use audit::{AuditCursor, AuditEntry, AuditFilter, AuditLink};
pub use error::{Class, Error};
pub use export::{Export, ExportTarget};
pub use filter::{Order, RunFilter};
pub use hearth_plan::record::{Ack, ObjectKey, RecordBatch};
pub use lineage::{Lineage, LineageEdge, LineageQuery, LineageRoot};
pub use metrics::HistoryMetrics;
pub use model::{
    AttemptKey, BlobName, Event, EventKey, Log, Page, Run, RunCursor, RunSummary, Step, StepKey, Unfinished, WholeLog,
};
pub use report::{Report, ReportEnd, Reported, ReportedStep};
pub use retention::Retention;
pub use store::{Limits, Store, connect, connect_with, open, open_with};
pub use usage::{MOST_GROUPS, Usage, UsageFilter};
pub use writer::{Pace, QUEUE};
