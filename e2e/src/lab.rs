//! The lab's parts: stopping, hanging and starting them, and people's kubeconfigs.

use crate::{cluster, process::capture};
use anyhow::{Context, Result, ensure};
use std::{path::PathBuf, process::Command};

/// `cargo xtask lab …` on the lab that these tests run in.
///
/// # Errors
/// These tests do not run in a lab, or the lab refuses.
pub fn lab(args: &[&str]) -> Result<String> {
    let name = std::env::var("HEARTH_LAB").unwrap_or_default();
    ensure!(!name.is_empty(), "this test stops and starts parts of the cluster: it needs the lab (`make lab`)");
    let program = cluster::built("HEARTH_XTASK", "xtask")?;
    capture(Command::new(program).current_dir(cluster::root()).args(["lab", "--name", &name]).args(args), None)
}

/// A part that is down or hangs, and is up again when this value goes, whatever happens in between.
#[derive(Debug)]
pub struct Away {
    part: &'static str,
    back: Option<&'static str>,
}

impl Away {
    /// Stops a part.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn stopped(part: &'static str) -> Result<Self> {
        lab(&["stop", part])?;
        Ok(Self { part, back: Some("start") })
    }

    /// Makes a part hang: it takes connections and answers nothing.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn hanging(part: &'static str) -> Result<Self> {
        lab(&["pause", part])?;
        Ok(Self { part, back: Some("cont") })
    }

    /// Brings it back.
    ///
    /// # Errors
    /// The lab refuses.
    pub fn back(mut self) -> Result<()> {
        self.back.take().map_or(Ok(()), |verb| lab(&[verb, self.part]).map(drop))
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let Some(verb) = self.back.take()
            && let Err(error) = lab(&[verb, self.part])
        {
            eprintln!("{} is still away: {error:#}", self.part);
        }
    }
}

/// Kubeconfig of a user by client certificate.
///
/// # Errors
/// The lab refuses.
pub fn user(name: &str, group: &str) -> Result<PathBuf> {
    path_of(&lab(&["kubeconfig", "--user", name, "--group", group])?)
}

/// Kubeconfig of a service account by token.
///
/// # Errors
/// The lab refuses.
pub fn service_account(namespace: &str, name: &str) -> Result<PathBuf> {
    path_of(&lab(&["kubeconfig", "--service-account", &format!("{namespace}/{name}")])?)
}

fn path_of(said: &str) -> Result<PathBuf> {
    said.lines().last().map(PathBuf::from).context("the lab named no kubeconfig")
}
