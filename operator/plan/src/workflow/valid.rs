//! A spec that can run: every name, type, duration and expression in it holds.

use super::{artifacts::ArtifactRules, cache::CacheRule, nested::Sub, schedule::Schedules, with::With};
use crate::expr::Checked;
use hearth_crds::{
    json::ValueType,
    pod::{EnvSource, PodSubset},
    workflow::{Logs, StepEnd},
};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What is wrong with a spec: the field, what was found, and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// Path of the field, for example `spec.steps[fit].needs`.
    pub field: String,
    /// What is wrong, and how to put it right.
    pub message: String,
}

pub(super) fn invalid<T>(field: impl Into<String>, message: impl Into<String>) -> Result<T, Invalid> {
    Err(Invalid { field: field.into(), message: message.into() })
}

/// A spec that can run.
#[derive(Clone, Debug, PartialEq)]
pub struct Valid {
    /// Params with their values.
    pub params: Map<String, Value>,
    /// Params of a template that those who run it must give.
    pub open_params: Vec<String>,
    /// Steps so that each comes after its needs, else in the order of the spec.
    pub steps: Vec<ValidStep>,
    /// The most pods at one time.
    pub parallelism: usize,
    /// Stop at the first failed step.
    pub fail_fast: bool,
    /// Limit of the whole run.
    pub timeout: Option<Duration>,
    /// Limit of waiting for room, quota or image.
    pub pending_timeout: Duration,
    /// How long failed pods stay after their run.
    pub keep_failed: Option<Duration>,
    /// Results by name.
    pub results: BTreeMap<String, Checked>,
    /// The step that follows the end of all others.
    pub on_exit: Option<ValidStep>,
    /// When runs start by the clock.
    pub schedules: Schedules,
    /// Where each of the steps is among them.
    pub(super) positions: BTreeMap<String, usize>,
}

/// Where each of the steps is among them.
pub(super) fn positions(steps: &[ValidStep]) -> BTreeMap<String, usize> {
    steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect()
}

impl Valid {
    /// The step of that name, the one on exit included.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<&ValidStep> {
        let at = self.position(name);
        at.and_then(|at| self.steps.get(at)).or(self.on_exit.as_ref().filter(|exit| exit.name == name))
    }

    /// Where the step of that name is among the steps; None for the one on exit.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// Whether the step of that name follows the end of all others.
    #[must_use]
    pub fn is_exit(&self, name: &str) -> bool {
        self.on_exit.as_ref().is_some_and(|s| s.name == name)
    }

    /// How many steps there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps.len() + usize::from(self.on_exit.is_some())
    }
}

/// A step that can run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidStep {
    /// Name.
    pub name: String,
    /// Its place in the steps as they are written, from 0.
    pub place: u32,
    /// Steps that must have ended first.
    pub needs: Vec<String>,
    /// Ends that are asked of some of them; the others must end well.
    pub after: BTreeMap<String, BTreeSet<StepEnd>>,
    /// Condition.
    pub when: Option<Checked>,
    /// The list whose items the step runs for, one pod each.
    pub for_each: Option<ItemSource>,
    /// The most items at one time.
    pub max_parallel: usize,
    /// What a person is asked; such a step has no pod, and none of the fields that make one.
    pub approval: Option<Checked>,
    /// The Workflow that the step runs; such a step has no pod either.
    pub sub: Option<Sub>,
    /// Image as written.
    pub image: String,
    /// Command.
    pub command: Vec<Checked>,
    /// Arguments.
    pub args: Vec<Checked>,
    /// What a runtime of the catalog is told.
    pub with: Option<With>,
    /// Environment.
    pub env: Vec<(String, ValidEnv)>,
    /// Pod settings, the step's over the spec's.
    pub pod: PodSubset,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Limit of an attempt.
    pub timeout: Option<Duration>,
    /// Which earlier work it takes over.
    pub cache: Option<CacheRule>,
    /// Declared outputs.
    pub outputs: BTreeMap<String, ValueType>,
    /// Files that it reads and leaves.
    pub artifacts: ArtifactRules,
    /// Outputs that somebody reads: these are kept in status.
    pub kept: BTreeSet<String>,
    /// Steps whose phase or outputs its expressions read.
    pub reads: BTreeSet<String>,
    /// Which logs the record keeps.
    pub logs: Logs,
}

/// Where the items of a fan-out come from.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemSource {
    /// The spec lists them.
    Listed(Vec<Value>),
    /// An expression gives them when the step starts.
    Given(Checked),
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidEnv {
    /// Text, perhaps with expressions.
    Text(Checked),
    /// From somewhere else.
    Source(EnvSource),
}

/// When a failed attempt is followed by another. The default is never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryPolicy {
    /// Further attempts after application failures.
    pub limit: u32,
    /// First pause.
    pub base: Duration,
    /// Growth of the pause.
    pub factor: u32,
    /// Longest pause.
    pub max: Duration,
    /// Exit codes that are tried again; empty for all.
    pub exit_codes: BTreeSet<i32>,
    /// Stay off nodes where attempts failed.
    pub avoid_node: bool,
}

impl RetryPolicy {
    /// The pause after the `failures`-th failure: `base · factor^(failures − 1)`, at most `max`.
    #[must_use]
    pub fn pause(&self, failures: u32) -> Duration {
        let factor = self.factor.saturating_pow(failures.saturating_sub(1).min(32));
        self.base.saturating_mul(factor).min(self.max)
    }
}

impl ValidStep {
    /// Every expression of the step.
    pub fn expressions(&self) -> impl Iterator<Item = &Checked> {
        let env = self.env.iter().filter_map(|(_, value)| match value {
            ValidEnv::Text(text) => Some(text),
            ValidEnv::Source(_) => None,
        });
        let list = match &self.for_each {
            Some(ItemSource::Given(expression)) => Some(expression),
            Some(ItemSource::Listed(_)) | None => None,
        };
        let with = self.with.iter().chain(self.sub.as_ref().map(|s| &s.params)).flat_map(With::expressions);
        self.when.iter().chain(list).chain(&self.approval).chain(&self.command).chain(&self.args).chain(env).chain(with)
    }
}
