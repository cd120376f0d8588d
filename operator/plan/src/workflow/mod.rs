//! The Workflow kind.
