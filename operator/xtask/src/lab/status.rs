//! `lab status` and `lab env`.

use super::components::Component;
use super::place::Lab;
use super::{postgres, process, s3, tell};
use anyhow::Result;

/// Prints each part with its pid.
pub fn print(lab: &Lab) -> Result<()> {
    println!("lab {}: state {}, namespace {}", lab.name, lab.state.display(), lab.namespace());
    for part in Component::ALL {
        let what = match process::pid(lab, part.name()) {
            Some(pid) if process::is_paused(pid) => format!("paused, pid {pid}"),
            Some(pid) => format!("runs, pid {pid}"),
            None => "not running".to_owned(),
        };
        println!("  {:<20} {what}", part.name());
    }
    if process::pid(lab, Component::Apiserver.name()).is_some() {
        // An API server that hangs must not hang the status too.
        let nodes = tell::capture(&mut lab.kubectl(&["get", "nodes", "--request-timeout=5s"]));
        println!("{}", nodes.unwrap_or_else(|error| error.to_string()));
    }
    Ok(())
}

/// Prints what a shell evaluates.
pub fn print_env(lab: &Lab) -> Result<()> {
    println!("export HEARTH_LAB='{}'", lab.name);
    println!("export KUBECONFIG='{}'", lab.kubeconfig().display());
    println!("export HEARTH_LAB_DATABASE_URL='{}'", postgres::url(lab)?);
    println!("export HEARTH_LAB_BUCKET='{}'", s3::folder(lab).display());
    println!("export PATH='{}'", lab.search_path());
    Ok(())
}
