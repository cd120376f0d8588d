//! The DAG: its names, its order, and what has ended before a step starts.

use super::valid::{Invalid, invalid};
use fixedbitset::FixedBitSet;
use hearth_crds::{
    name::is_dns_label,
    workflow::{MAX_LISTED_STEPS, MAX_STEPS, Step, StepEnd, WorkflowSpec},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// Steps that a message names at the most.
const NAMED: usize = 50;

/// The most steps with `forEach` of a Workflow that has more steps than its status lists: each is listed all the time.
const MAX_FAN_OUTS: usize = 16;

pub(super) fn names(spec: &WorkflowSpec) -> Result<(), Invalid> {
    if spec.steps.is_empty() {
        return invalid("spec.steps", "there is no step: add at least one");
    }
    if spec.steps.len() > MAX_STEPS {
        return invalid("spec.steps", format!("there are {} steps, at most {MAX_STEPS} are allowed", spec.steps.len()));
    }
    let fan_outs = spec.steps.iter().filter(|s| s.for_each.is_some()).count();
    if spec.steps.len() > MAX_LISTED_STEPS && fan_outs > MAX_FAN_OUTS {
        let message = format!(
            "{fan_outs} steps have forEach, at most {MAX_FAN_OUTS} may in a Workflow of more than {MAX_LISTED_STEPS} steps: \
             move some to a Workflow of their own (steps[].workflow)"
        );
        return invalid("spec.steps", message);
    }
    let mut known = BTreeSet::new();
    let exit = spec.on_exit.iter().map(|s| ("spec.onExit.name".to_owned(), &s.name));
    for (field, name) in spec.steps.iter().map(|s| (format!("spec.steps[{}].name", s.name), &s.name)).chain(exit) {
        if !is_dns_label(name) || name.len() > 52 {
            return invalid(
                field,
                "is not a DNS label of at most 52 characters: use lower-case letters, digits and dashes",
            );
        }
        if !known.insert(name.as_str()) {
            return invalid(field, "this name is used twice: rename one of the steps");
        }
    }
    if let Some(exit) = &spec.on_exit {
        known.remove(exit.name.as_str());
    }
    for step in &spec.steps {
        let needs = step.needs.iter().map(|need| ("needs", need));
        for (field, need) in needs.chain(step.after.keys().map(|need| ("after", need))) {
            if !known.contains(need.as_str()) {
                let named: Vec<&str> = spec.steps.iter().take(NAMED).map(|s| s.name.as_str()).collect();
                let more = if spec.steps.len() > NAMED { ", …" } else { "" };
                return invalid(
                    format!("spec.steps[{}].{field}", step.name),
                    format!("there is no step named {need}: the steps are {}{more}", named.join(", ")),
                );
            }
        }
    }
    Ok(())
}

/// Every step that must have ended before that one starts.
pub(super) fn needs(step: &Step) -> impl Iterator<Item = &str> {
    let implied = step.after.keys().filter(|name| !step.needs.contains(name));
    step.needs.iter().chain(implied).map(String::as_str)
}

/// Kahn's algorithm: the places of the steps, each after its needs, else in the order of the spec.
pub(super) fn topological(steps: &[Step]) -> Result<Vec<usize>, Invalid> {
    let places: BTreeMap<&str, usize> = steps.iter().enumerate().map(|(at, s)| (s.name.as_str(), at)).collect();
    let mut open: Vec<usize> = steps.iter().map(|s| needs(s).count()).collect();
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (place, step) in steps.iter().enumerate() {
        for need in needs(step).filter_map(|need| places.get(need)) {
            followers.get_mut(*need).into_iter().for_each(|list| list.push(place));
        }
    }
    let free = open.iter().enumerate().filter(|(_, needs)| **needs == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = free.map(|(place, _)| Reverse(place)).collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(Reverse(place)) = ready.pop() {
        order.push(place);
        for follower in followers.get(place).into_iter().flatten() {
            let Some(left) = open.get_mut(*follower) else { continue };
            *left -= 1;
            if *left == 0 {
                ready.push(Reverse(*follower));
            }
        }
    }
    if order.len() < steps.len() {
        let done = order.iter().filter_map(|place| steps.get(*place)).map(|s| s.name.as_str()).collect();
        let cycle = cycle(steps, &done);
        return invalid(
            format!("spec.steps[{}].needs", cycle.first().copied().unwrap_or_default()),
            format!("the steps need each other in a circle: {}: remove one of these needs", cycle.join(" → ")),
        );
    }
    Ok(order)
}

/// One circle among the steps that are not done, its first step repeated at the end.
fn cycle<'a>(steps: &'a [Step], done: &BTreeSet<&str>) -> Vec<&'a str> {
    let open = |name: &str| steps.iter().find(|s| s.name == name && !done.contains(s.name.as_str()));
    let mut path: Vec<&str> = Vec::new();
    let mut at = steps.iter().find(|s| !done.contains(s.name.as_str()));
    while let Some(step) = at {
        if let Some(start) = path.iter().position(|n| *n == step.name) {
            let mut circle: Vec<&str> = path.split_off(start);
            circle.push(&step.name);
            return circle;
        }
        path.push(&step.name);
        at = needs(step).find_map(open);
    }
    path
}

/// What is known of the others when a step starts, by their places.
#[derive(Clone, Default)]
pub(super) struct Before {
    /// They have ended.
    pub(super) ended: FixedBitSet,
    /// They have ended well: they succeeded, or their `when` was false.
    pub(super) well: FixedBitSet,
    /// The step may be left out though nothing failed, since it waits for an end that need not come.
    pub(super) optional: bool,
}

/// The same of each step, by its place.
pub(super) fn before(steps: &[Step], order: &[usize]) -> BTreeMap<usize, Before> {
    let places: BTreeMap<&str, usize> = steps.iter().enumerate().map(|(at, s)| (s.name.as_str(), at)).collect();
    let mut all: BTreeMap<usize, Before> = BTreeMap::new();
    for (place, step) in order.iter().filter_map(|place| Some((*place, steps.get(*place)?))) {
        let mut mine = Before { optional: !step.after.is_empty(), ..Before::default() };
        for (name, need) in needs(step).filter_map(|name| Some((name, *places.get(name)?))) {
            mine.ended.grow_and_insert(need);
            let Some(theirs) = all.get(&need) else { continue };
            mine.ended.union_with(&theirs.ended);
            if step.after.get(name).is_none_or(|ends| ends.0 == [StepEnd::Succeeded]) {
                mine.well.grow_and_insert(need);
                mine.well.union_with(&theirs.well);
                mine.optional |= theirs.optional;
            }
        }
        all.insert(place, mine);
    }
    all
}
