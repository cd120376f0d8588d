//! The DAG: its names, its order, and what has ended before a step starts.

use super::valid::{Invalid, invalid};
use hearth_crds::{
    name::is_dns_label,
    workflow::{MAX_STEPS, Step, StepEnd, WorkflowSpec},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn names(spec: &WorkflowSpec) -> Result<(), Invalid> {
    if spec.steps.is_empty() {
        return invalid("spec.steps", "there is no step: add at least one");
    }
    if spec.steps.len() > MAX_STEPS {
        return invalid("spec.steps", format!("there are {} steps, at most {MAX_STEPS} are allowed", spec.steps.len()));
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
                let all = spec.steps.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ");
                return invalid(
                    format!("spec.steps[{}].{field}", step.name),
                    format!("there is no step named {need}: the steps are {all}"),
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

/// Kahn's algorithm, stable in the order of the spec.
pub(super) fn topological(steps: &[Step]) -> Result<Vec<usize>, Invalid> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::with_capacity(steps.len());
    while order.len() < steps.len() {
        let next = steps
            .iter()
            .enumerate()
            .find(|(_, s)| !done.contains(s.name.as_str()) && needs(s).all(|n| done.contains(n)));
        let Some((index, step)) = next else {
            let cycle = cycle(steps, &done);
            return invalid(
                format!("spec.steps[{}].needs", cycle.first().copied().unwrap_or_default()),
                format!("the steps need each other in a circle: {}: remove one of these needs", cycle.join(" → ")),
            );
        };
        done.insert(&step.name);
        order.push(index);
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

/// What is known of the others when a step starts.
#[derive(Default)]
pub(super) struct Before<'a> {
    /// They have ended.
    pub(super) ended: BTreeSet<&'a str>,
    /// They have ended well: they succeeded, or their `when` was false.
    pub(super) well: BTreeSet<&'a str>,
    /// The step may be left out though nothing failed, since it waits for an end that need not come.
    pub(super) optional: bool,
}

pub(super) fn before<'a>(steps: &'a [Step], order: &[usize]) -> BTreeMap<&'a str, Before<'a>> {
    let mut all: BTreeMap<&str, Before<'_>> = BTreeMap::new();
    for step in order.iter().filter_map(|i| steps.get(*i)) {
        let mut mine = Before { optional: !step.after.is_empty(), ..Before::default() };
        for need in needs(step) {
            mine.ended.insert(need);
            let theirs = all.get(need);
            mine.ended.extend(theirs.iter().flat_map(|b| &b.ended));
            if step.after.get(need).is_none_or(|ends| ends.0 == [StepEnd::Succeeded]) {
                mine.well.insert(need);
                mine.well.extend(theirs.iter().flat_map(|b| &b.well));
                mine.optional |= theirs.is_some_and(|b| b.optional);
            }
        }
        all.insert(&step.name, mine);
    }
    all
}
