//! The tree of an expression, reduced to the subset: what is not in here cannot be said.

use super::functions::Function;
use std::fmt;

/// A value from outside that an expression reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `params.name`.
    Param(String),
    /// `steps.step.outputs.output`.
    StepOutput {
        /// The step's name.
        step: String,
        /// The output's name.
        output: String,
    },
    /// `steps.step.outputs`, all of them.
    StepOutputs {
        /// The step's name.
        step: String,
    },
    /// `steps.step.phase`.
    StepPhase(String),
    /// `run.id`.
    RunId,
    /// `run.number`.
    RunNumber,
    /// `run.phase`: how the run ended, for the step that follows its end.
    RunPhase,
    /// `item`: the element that this one of a fan-out works on.
    Item,
    /// `index`: its place in the list, from 0.
    Index,
    /// `now`: when the run started.
    Now,
}

impl Reference {
    /// The step whose outputs these are.
    pub(super) fn outputs_of(&self) -> Option<&str> {
        match self {
            Self::StepOutput { step, .. } | Self::StepOutputs { step } => Some(step),
            Self::Param(_)
            | Self::StepPhase(_)
            | Self::RunId
            | Self::RunNumber
            | Self::RunPhase
            | Self::Item
            | Self::Index
            | Self::Now => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Param(name) => write!(f, "params{}", Member(name)),
            Self::StepOutput { step, output } => write!(f, "steps{}.outputs{}", Member(step), Member(output)),
            Self::StepOutputs { step } => write!(f, "steps{}.outputs", Member(step)),
            Self::StepPhase(step) => write!(f, "steps{}.phase", Member(step)),
            Self::RunId => f.write_str("run.id"),
            Self::RunNumber => f.write_str("run.number"),
            Self::RunPhase => f.write_str("run.phase"),
            Self::Item => f.write_str("item"),
            Self::Index => f.write_str("index"),
            Self::Now => f.write_str("now"),
        }
    }
}

/// `.name`, or `["na-me"]` where CEL would read a minus.
struct Member<'a>(&'a str);

impl fmt::Display for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && self.0.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if plain { write!(f, ".{}", self.0) } else { write!(f, "[{:?}]", self.0) }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
}

impl Operator {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::In => "in",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopKind {
    Map,
    Filter,
    All,
    Exists,
}

impl LoopKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Filter => "filter",
            Self::All => "all",
            Self::Exists => "exists",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Literal),
    Ref(Reference),
    /// The variable of the loop around it.
    Local(String),
    Field {
        of: Box<Node>,
        name: String,
    },
    /// `has(of.name)`.
    Has {
        of: Box<Node>,
        name: String,
    },
    Index {
        of: Box<Node>,
        key: Box<Node>,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Condition {
        test: Box<Node>,
        then: Box<Node>,
        other: Box<Node>,
    },
    Binary {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// The receiver of `x.f(y)` is the first argument.
    Call {
        function: Function,
        args: Vec<Node>,
    },
    Loop {
        kind: LoopKind,
        over: Box<Node>,
        variable: String,
        body: Box<Node>,
    },
}

impl Node {
    /// Calls `f` with each reference, in the order of the text.
    pub(super) fn each_reference(&self, f: &mut impl FnMut(&Reference)) {
        match self {
            Self::Literal(_) | Self::Local(_) => {}
            Self::Ref(reference) => f(reference),
            Self::Field { of, .. } | Self::Has { of, .. } | Self::Not(of) | Self::Negate(of) => of.each_reference(f),
            Self::Index { of: a, key: b }
            | Self::And(a, b)
            | Self::Or(a, b)
            | Self::Binary { left: a, right: b, .. }
            | Self::Loop { over: a, body: b, .. } => {
                a.each_reference(f);
                b.each_reference(f);
            }
            Self::Condition { test, then, other } => {
                test.each_reference(f);
                then.each_reference(f);
                other.each_reference(f);
            }
            Self::List(nodes) | Self::Call { args: nodes, .. } => nodes.iter().for_each(|n| n.each_reference(f)),
            Self::Map(entries) => entries.iter().for_each(|(key, value)| {
                key.each_reference(f);
                value.each_reference(f);
            }),
        }
    }
}
