//! What only a server has: a wire that breaks, backends that die, a schema beside those of others.

mod away;
mod proxy;
mod schema;
