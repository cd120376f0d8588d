//! An operator that is started again when it ends, as a Deployment would.

use anyhow::Result;
use hearth_e2e::{
    standalone::{Operator, Standalone},
    wait::until,
};
use std::{
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

/// An operator that is kept running.
#[derive(Debug)]
pub struct Kept {
    place: Standalone,
    identity: String,
    flags: Vec<String>,
    operator: Operator,
    /// How often it ended without being asked to.
    by_itself: u32,
}

impl Kept {
    /// Starts it under that name in its Lease.
    pub fn start(place: &Standalone, identity: &str, flags: &[String]) -> Result<Self> {
        Ok(Self {
            operator: place.start(identity, flags)?,
            place: place.clone(),
            identity: identity.to_owned(),
            flags: flags.to_vec(),
            by_itself: 0,
        })
    }

    /// Its name in the Lease.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// How often it ended without being asked to.
    pub fn by_itself(&self) -> u32 {
        self.by_itself
    }

    /// Starts it again if it has ended by itself.
    pub fn look(&mut self) -> Result<()> {
        if let Some(status) = self.operator.ended()? {
            println!("{} ended by itself ({status}), and is started again", self.identity);
            self.by_itself += 1;
            self.start_again()?;
        }
        Ok(())
    }

    /// Kills it. It is not there until it is started again.
    pub fn kill(&mut self) -> Result<()> {
        self.operator.kill()
    }

    /// Asks it to end, and says how long that took. It is not there until it is started again.
    pub fn stop(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.operator.stop()?;
        Ok(begun.elapsed())
    }

    /// Starts it again.
    pub fn start_again(&mut self) -> Result<()> {
        self.operator = self.place.start(&self.identity, &self.flags)?;
        Ok(())
    }

    /// The kubeconfig that it is started with.
    pub fn kubeconfig(&self) -> &Path {
        &self.place.kubeconfig
    }

    /// From now on it is started with that kubeconfig.
    pub fn move_to(&mut self, kubeconfig: &Path) {
        self.place.kubeconfig = kubeconfig.to_owned();
    }

    /// Stops it where it is (SIGSTOP).
    pub fn pause(&mut self) -> Result<()> {
        self.operator.signal("STOP")
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&mut self) -> Result<()> {
        self.operator.signal("CONT")
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self, limit: Duration) -> Result<ExitStatus> {
        until(&format!("the end of {}", self.identity), limit, || self.operator.ended())
    }
}
