//! What only a file has: its mode, a disk that is full or read-only, damage.

mod file;
