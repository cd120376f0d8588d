//! A namespace with diamonds in it, and the operators that run them.

use crate::{STEP_SECONDS, kept::Kept, report::Side, seconds, tally};
use anyhow::{Context, Result};
use hearth_e2e::{
    A_RUN, A_WORD, Scene, diamond,
    ledger::{self, Ledger},
    status::{says_true, text},
    wait::until_despite_errors,
};
use serde_json::Value;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long runs may take after the last disturbance; one that takes longer is stuck.
const SETTLE: Duration = Duration::from_secs(600);
/// In full: kubectl keeps what it was told of short names, and an API server that has just started knows none of ours.
const WORKFLOWS: &str = "workflows.hearth.dev";
/// Between two looks at the operators while runs are waited for.
const TURN: &str = "20s";

/// One side of a proof.
pub struct World {
    /// The namespace.
    pub scene: Scene,
    /// Those who run the diamonds.
    pub operators: Vec<Kept>,
    /// What went wrong beside rows and ledgers.
    pub misses: Vec<String>,
    /// Folder of the ledgers.
    ledgers: PathBuf,
    started: u32,
}

/// Makes a world, does something in it until all its runs are over, and counts. Gives what that something gave, too.
pub fn run<T>(
    name: &str,
    operators: Vec<Kept>,
    like: Option<&Value>,
    disturb: impl FnOnce(&mut World) -> Result<T>,
) -> Result<(Side, T)> {
    println!("\n--- {name}");
    let begun = Instant::now();
    let mut world = World::new(name, operators)?;
    let counted = disturb(&mut world).and_then(|given| {
        world.settle();
        let took = begun.elapsed();
        println!("{} diamonds in {}", world.started, seconds(took));
        Ok((tally::side(&world, like, took)?, given))
    });
    if !counted.as_ref().is_ok_and(|(side, _)| side.missed().is_empty()) {
        eprintln!("{}", world.scene.describe());
    }
    let closed = world.close();
    let counted = counted?;
    closed.map(|()| counted)
}

impl World {
    fn new(name: &str, operators: Vec<Kept>) -> Result<Self> {
        let scene = Scene::new(&format!("prove-{name}"))?;
        ledger::claim(&scene)?;
        let mut world = Self { scene, operators, misses: Vec::new(), ledgers: PathBuf::new(), started: 0 };
        // The first one shows where the ledgers are: the claim is bound when a pod wants it, or before.
        world.start_until(1)?;
        world.ledgers = until_despite_errors("the volume of the ledgers", A_WORD, || world.folder())?;
        Ok(world)
    }

    /// The folder of this machine that the claim is bound to.
    fn folder(&self) -> Result<Option<PathBuf>> {
        let claim = self.scene.cluster.get(&["-n", &self.scene.namespace, "pvc", "ledger"])?;
        let Some(name) = claim.as_ref().map(|c| text(c, "/spec/volumeName")).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let volume = self.scene.cluster.get(&["persistentvolume", name])?.context("the volume is gone")?;
        Ok(Some(PathBuf::from(text(&volume, "/spec/hostPath/path"))))
    }

    /// One of the operators.
    pub fn operator(&mut self, number: usize) -> Result<&mut Kept> {
        self.operators.get_mut(number).with_context(|| format!("there is no operator {number}"))
    }

    /// Starts operators again that have ended by themselves.
    pub fn look(&mut self) -> Result<()> {
        self.operators.iter_mut().try_for_each(Kept::look)
    }

    /// Names of the diamonds so far.
    pub fn names(&self) -> impl Iterator<Item = String> {
        (0..self.started).map(name)
    }

    /// Starts diamonds until there are so many.
    pub fn start_until(&mut self, wanted: u32) -> Result<()> {
        let spec = ledger::spec(diamond::steps(), STEP_SECONDS).to_string();
        while self.started < wanted {
            let name = name(self.started);
            until_despite_errors(&format!("{name} is accepted"), A_WORD, || self.scene.apply(&name, &spec).map(Some))?;
            self.started += 1;
        }
        Ok(())
    }

    /// Starts diamonds until there are so many, with no more than some at the same time.
    pub fn start_all(&mut self, wanted: u32, at_once: u32) -> Result<()> {
        while self.started < wanted {
            if let Some(earlier) = self.started.checked_sub(at_once) {
                self.wait_for(&[&format!("{WORKFLOWS}/{}", name(earlier))], SETTLE)?;
            }
            self.start_until(self.started + 1)?;
        }
        Ok(())
    }

    /// How many of the diamonds are not over.
    pub fn in_flight(&self) -> Result<usize> {
        let objects = until_despite_errors("the list of Workflows", A_WORD, || self.objects().map(Some))?;
        Ok(objects.iter().filter(|object| !says_true(object, "HistoryStored")).count())
    }

    /// The Workflows as they are.
    pub fn objects(&self) -> Result<Vec<Value>> {
        self.scene.cluster.list(&["-n", &self.scene.namespace, WORKFLOWS])
    }

    /// The ledger of a run; an empty one if none of its steps began.
    pub fn ledger(&self, run: &str) -> Result<Ledger> {
        let path = self.ledgers.join(run);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Ledger::read(text.lines())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Waits until all runs are over. One that does not end is counted as stuck.
    pub fn settle(&mut self) {
        if let Err(error) = self.wait_for(&[WORKFLOWS, "--all"], SETTLE) {
            println!("not all runs are over: {error:#}");
        }
    }

    /// Waits until the records of these are stored, and keeps the operators running meanwhile.
    fn wait_for(&mut self, which: &[&str], limit: Duration) -> Result<()> {
        let wait = ["-n", &self.scene.namespace, "wait", "--for=condition=HistoryStored", "--timeout", TURN];
        let args = [wait.as_slice(), which].concat();
        until_despite_errors(&which.join(" "), limit, || {
            self.operators.iter_mut().try_for_each(Kept::look)?;
            self.scene.cluster.kubectl(&args).map(Some)
        })?;
        Ok(())
    }

    /// Removes the namespace, for which the operators must live.
    fn close(mut self) -> Result<()> {
        let limit = format!("--timeout={}s", A_RUN.as_secs());
        self.look()?;
        self.scene.cluster.kubectl(&["delete", "namespace", &self.scene.namespace, "--wait", &limit])?;
        self.operators.iter_mut().try_for_each(|operator| operator.stop().map(drop))
    }
}

fn name(number: u32) -> String {
    format!("diamond-{number}")
}
