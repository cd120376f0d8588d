//! What only a server has: a wire that breaks, backends that die, a schema beside those of others, partitions.

mod away;
mod partitions;
mod proxy;
mod roles;
mod schema;
