//! What an expression may read: declared ([`Env`]) before a run, with values ([`Values`]) during it.

use super::{Problem, Reference, Type};
use fixedbitset::FixedBitSet;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};

/// The names that an expression may use, with their types. What all steps of a Workflow have in common is shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    params: Arc<BTreeMap<String, Type>>,
    /// All steps, numbered as they were added.
    steps: Arc<BTreeMap<String, (usize, StepType)>>,
    /// Those that have ended when the expression is read.
    ended: FixedBitSet,
    /// Those of them that have ended well: they are null only where they may be skipped themselves.
    well: FixedBitSet,
    run_phase: bool,
    item: Option<Type>,
}

/// What an earlier step gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepType {
    /// Its outputs, with the types that they are declared with.
    pub outputs: BTreeMap<String, Type>,
    /// Whether all its outputs may be null, because it may be skipped (or fail, where the reader runs all the same).
    pub may_be_skipped: bool,
    /// Whether its outputs are a list, one object for each item.
    pub fan_out: bool,
}

impl Env {
    /// With `run.id`, `run.number` and `now` alone.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `params.name`.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, of: Type) -> Self {
        Arc::make_mut(&mut self.params).insert(name.into(), of);
        self
    }

    /// Adds `steps.name.outputs` and `steps.name.phase` of a step that has ended well.
    #[must_use]
    pub fn step(mut self, name: impl Into<String>, step: StepType) -> Self {
        let number = self.steps.len();
        Arc::make_mut(&mut self.steps).insert(name.into(), (number, step));
        self.ended.grow_and_insert(number);
        self.well.grow_and_insert(number);
        self
    }

    /// Names a step that exists but need not have ended: using it is an error that says to add it to `needs`.
    #[must_use]
    pub fn step_not_needed(mut self, name: impl Into<String>) -> Self {
        let number = self.steps.len();
        Arc::make_mut(&mut self.steps).insert(name.into(), (number, StepType::default()));
        self
    }

    /// The same names where just these steps have ended, and these of them well; numbered as they were added, from 0.
    #[must_use]
    pub fn when_ended(&self, ended: FixedBitSet, well: FixedBitSet) -> Self {
        Self { ended, well, ..self.clone() }
    }

    /// Whether the step of that name has ended.
    #[must_use]
    pub fn has_ended(&self, step: &str) -> bool {
        self.steps.get(step).is_some_and(|(number, _)| self.ended.contains(*number))
    }

    /// Adds `run.phase`, which is known when the run is over.
    #[must_use]
    pub fn run_phase(mut self) -> Self {
        self.run_phase = true;
        self
    }

    /// Adds `item`, an element of a list of `of`, and `index`.
    #[must_use]
    pub fn item(mut self, of: Type) -> Self {
        self.item = Some(of);
        self
    }

    /// The type of what `reference` names; `ran` when its step is known to have run to its good end.
    pub(super) fn type_of(&self, reference: &Reference, ran: bool) -> Result<Type, Problem> {
        match reference {
            Reference::Param(name) => {
                let known = || self.params.keys().map(String::as_str);
                self.params.get(name).cloned().ok_or_else(|| Problem::unknown("param", name, known()))
            }
            Reference::StepOutput { step, output } => {
                let name = step;
                let (step, may_be_null) = self.step_type(name)?;
                if step.fan_out {
                    return Err(Problem::unsupported(
                        format!("`{reference}` of a step with `forEach`"),
                        format!(
                            "its outputs are a list: write `steps.{name}.outputs.map(o, o.{output})`, or \
                             `steps.{name}.outputs[0].{output}`"
                        ),
                    ));
                }
                let known = || step.outputs.keys().map(String::as_str);
                let of = step.outputs.get(output).ok_or_else(|| Problem::unknown("output", output, known()))?;
                Ok(skippable(of.clone(), may_be_null, ran))
            }
            Reference::StepOutputs { step } => {
                let (step, may_be_null) = self.step_type(step)?;
                let one = Type::Record(step.outputs.clone());
                Ok(skippable(if step.fan_out { Type::list(one) } else { one }, may_be_null, ran))
            }
            Reference::StepPhase(step) => self.step_type(step).map(|_| Type::String),
            Reference::RunId | Reference::Now => Ok(Type::String),
            Reference::RunNumber => Ok(Type::Int),
            Reference::RunPhase if self.run_phase => Ok(Type::String),
            Reference::RunPhase => Err(Problem::unsupported("`run.phase`", "read it in `onExit`")),
            Reference::Item => self.item.clone().ok_or_else(|| no_item("item")),
            Reference::Index => self.item.as_ref().map(|_| Type::Int).ok_or_else(|| no_item("index")),
        }
    }

    /// What a step gives, and whether that may be null.
    fn step_type(&self, name: &str) -> Result<(&StepType, bool), Problem> {
        match self.steps.get(name) {
            Some((number, step)) if self.ended.contains(*number) => {
                Ok((step, step.may_be_skipped || !self.well.contains(*number)))
            }
            Some(_) => Err(Problem::NotNeeded { step: name.to_owned() }),
            None => {
                let known = self.steps.iter().filter(|(_, (number, _))| self.ended.contains(*number));
                Err(Problem::unknown("step", name, known.map(|(name, _)| name.as_str())))
            }
        }
    }
}

fn no_item(name: &str) -> Problem {
    Problem::unsupported(format!("`{name}`"), "give the step a `forEach`")
}

fn skippable(of: Type, may_be_null: bool, ran: bool) -> Type {
    if may_be_null && !ran { of.nullable() } else { of }
}

/// The values of a run, as far as it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// `params`, defaults filled in.
    pub params: Map<String, Value>,
    /// The steps that have ended.
    pub steps: BTreeMap<String, StepValue>,
    /// `run.id`.
    pub run_id: String,
    /// `run.number`.
    pub run_number: i64,
    /// `run.phase`, once the run is over.
    pub run_phase: Option<String>,
    /// `item` and `index`, in a fan-out.
    pub item: Option<Item>,
    /// `now`: when the run started, by RFC 3339. The clock is not asked.
    pub now: String,
}

/// One of a fan-out.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `index`, from 0.
    pub index: u32,
    /// `item`.
    pub value: Value,
}

/// What a step that has ended gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepValue {
    /// An object, or null when the step was skipped.
    pub outputs: Value,
    /// `Succeeded`, `Skipped` and so on.
    pub phase: String,
}
