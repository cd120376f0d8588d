//! What a test proves: after `x != null &&` nobody need ask again.

use super::{
    Reference,
    ast::{Literal, Node, Operator},
};
use std::collections::BTreeSet;

/// The phase of a step that has its outputs.
const SUCCEEDED: &str = "Succeeded";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    /// The value is not null.
    Value(Reference),
    /// The loop variable is not null.
    Local(String),
    /// The step came to its good end, so all its outputs are there.
    Ran(String),
}

pub(super) type Facts = BTreeSet<Fact>;

/// What holds when `node` is `truth`.
pub(super) fn facts(node: &Node, truth: bool) -> Facts {
    match node {
        Node::Not(inner) => facts(inner, !truth),
        Node::And(a, b) => joined(facts(a, truth), facts(b, truth), truth),
        Node::Or(a, b) => joined(facts(a, truth), facts(b, truth), !truth),
        Node::Binary { operator: Operator::Equal, left, right } => compared(left, right, truth),
        Node::Binary { operator: Operator::NotEqual, left, right } => compared(left, right, !truth),
        Node::Binary { .. }
        | Node::Literal(_)
        | Node::Ref(_)
        | Node::Local(_)
        | Node::Field { .. }
        | Node::Has { .. }
        | Node::Index { .. }
        | Node::Negate(_)
        | Node::Condition { .. }
        | Node::List(_)
        | Node::Map(_)
        | Node::Call { .. }
        | Node::Loop { .. } => Facts::new(),
    }
}

fn joined(a: Facts, b: Facts, both: bool) -> Facts {
    if both { a.into_iter().chain(b).collect() } else { a.intersection(&b).cloned().collect() }
}

/// What follows from `left == right` being `equal`.
fn compared(left: &Node, right: &Node, equal: bool) -> Facts {
    match (left, right) {
        (Node::Literal(_), Node::Ref(_) | Node::Local(_)) => compared(right, left, equal),
        (Node::Ref(Reference::StepPhase(step)), Node::Literal(Literal::String(phase)))
            if equal && phase == SUCCEEDED =>
        {
            Facts::from([Fact::Ran(step.clone())])
        }
        (Node::Ref(reference), Node::Literal(Literal::Null)) if !equal => {
            let ran = reference.outputs_of().map(|step| Fact::Ran(step.to_owned()));
            ran.into_iter().chain([Fact::Value(reference.clone())]).collect()
        }
        (Node::Local(name), Node::Literal(Literal::Null)) if !equal => Facts::from([Fact::Local(name.clone())]),
        _ => Facts::new(),
    }
}
