//! What becomes of a pod, by script.

use crate::clock::secs;
use std::{collections::BTreeMap, time::Duration};

/// How one pod fares.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What it waits for before it runs.
    pub pending: Pending,
    /// How long it runs.
    pub run_for: Duration,
    /// How it ends.
    pub end: End,
}

/// What a pod waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Nothing worth telling.
    Nothing,
    /// A node with room, for that long; for ever when None.
    Node(Option<Duration>),
    /// Its image, for that long; for ever when None.
    Image(Option<Duration>),
    /// A Secret that is not there.
    Config,
}

/// How a pod ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The container exits with that code and termination message.
    Exit(i32, String),
    /// The container is killed for memory.
    Oom,
    /// The kubelet evicts it: for the node's sake, or for its own limits.
    Evicted {
        /// For its own limits.
        own_limits: bool,
    },
    /// The scheduler takes its place for another.
    Preempted,
    /// Its node is cut off; back after that long, never when None.
    NodeLost(Option<Duration>),
    /// It runs until it is stopped.
    Never,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { pending: Pending::Nothing, run_for: secs(2), end: End::Exit(0, String::new()) }
    }
}

impl Outcome {
    /// Exit 0 with outputs, after two seconds.
    #[must_use]
    pub fn outputs(json: &str) -> Self {
        Self { end: End::Exit(0, json.to_owned()), ..Self::default() }
    }

    /// A non-zero exit, after two seconds.
    #[must_use]
    pub fn exit(code: i32) -> Self {
        Self { end: End::Exit(code, format!("exit {code}\n")), ..Self::default() }
    }

    /// The same, but running for that long.
    #[must_use]
    pub fn after(self, run_for: Duration) -> Self {
        Self { run_for, ..self }
    }
}

/// Outcomes by step and by how many pods of the step there were before; a step's last one holds for all later pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes(BTreeMap<String, Vec<Outcome>>);

impl Outcomes {
    /// Says how the `nth` pod (from 1) of a step fares; those before it succeed unless said otherwise.
    pub fn set(&mut self, step: &str, nth: usize, outcome: Outcome) {
        let list = self.0.entry(step.to_owned()).or_default();
        let index = nth.max(1) - 1;
        while list.len() <= index {
            list.push(Outcome::default());
        }
        if let Some(slot) = list.get_mut(index) {
            *slot = outcome;
        }
    }

    /// How the `nth` pod (from 1) of an item of a step fares: as is said of `step[item]`, or else of the step.
    #[must_use]
    pub fn get(&self, step: &str, item: u32, nth: usize) -> Outcome {
        let Some(list) = self.0.get(&format!("{step}[{item}]")).or_else(|| self.0.get(step)) else {
            return Outcome::default();
        };
        list.get(nth.max(1) - 1).or(list.last()).cloned().unwrap_or_default()
    }
}
