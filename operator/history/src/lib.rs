//! The history store.
