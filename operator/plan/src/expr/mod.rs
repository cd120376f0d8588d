//! The expression language: CEL in `${…}`, checked before anything runs.
