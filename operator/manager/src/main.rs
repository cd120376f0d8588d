//! The operator's binary.

// Subcommand `uninstall`: parse `uninstall::Uninstall`, then `uninstall::uninstall(client, &wish).await`; an error is
// logged and ends with status 1.
mod uninstall;

fn main() {}
