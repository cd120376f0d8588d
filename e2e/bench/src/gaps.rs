//! From a parent's terminal status to its child's create request.

use crate::{audit::Request, shape::Shape};
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::{collections::HashMap, time::Duration};

/// Which pod of which run a pod is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
}

impl Place {
    /// What a pod of the operator is, by its name: workflow, step, and a hash of the run.
    pub fn of_operator(pod: &str) -> Option<Self> {
        Self::of_bare(pod.rsplit_once('-')?.0)
    }

    /// What a pod of the bare loop is, by its name: run and step.
    pub fn of_bare(pod: &str) -> Option<Self> {
        let (run, step) = pod.rsplit_once('-')?;
        Some(Self { run: run.to_owned(), step: step.to_owned() })
    }
}

/// The gap of each pod that has parents: from the answer to the write of the last parent's terminal status, to the
/// arrival of the request that creates the child.
///
/// # Errors
/// A pod was created of which a parent's end is not in the log.
pub fn gaps(requests: &[Request], shape: &Shape, place: fn(&str) -> Option<Place>) -> Result<Vec<Duration>> {
    let mut ends: HashMap<Place, Timestamp> = HashMap::new();
    for request in requests.iter().filter(|r| r.ends_pod()) {
        if let Some(place) = place(request.name()) {
            // The first one counts: a later patch of a pod that has ended changes nothing that anybody waits for.
            ends.entry(place).or_insert(request.answered);
        }
    }
    let mut found = Vec::new();
    for request in requests.iter().filter(|r| r.creates_pod()) {
        let Some(place) = place(request.name()) else { continue };
        let mut last = None;
        for need in shape.needs(&place.step) {
            let parent = Place { run: place.run.clone(), step: need.clone() };
            let end = ends.get(&parent).with_context(|| {
                format!(
                    "pod {} was created before {need} of run {} ended, or its end is not in the audit log",
                    request.name(),
                    place.run
                )
            })?;
            last = last.max(Some(*end));
        }
        // A child can be asked for before its parent's write is answered: its watch event is sent first. No gap then.
        found.extend(last.map(|end| Duration::try_from(request.received.duration_since(end)).unwrap_or_default()));
    }
    Ok(found)
}

/// From the arrival of the first request that creates a pod, to the answer to the write of the last pod's end.
pub fn span(requests: &[Request]) -> Duration {
    let created: HashMap<&str, Timestamp> =
        requests.iter().filter(|r| r.creates_pod()).map(|r| (r.name(), r.received)).collect();
    let begun = created.values().min().copied();
    let ends = requests.iter().filter(|r| r.ends_pod() && created.contains_key(r.name()));
    let over = ends.map(|r| r.answered).max();
    let both = begun.zip(over).and_then(|(begun, over)| Duration::try_from(over.duration_since(begun)).ok());
    both.unwrap_or_default()
}

/// From the arrival of the request that creates an object, to the arrival of the one by which that user creates its first
/// pod. None when one of them is not in the log.
pub fn start(requests: &[Request], object: &str, user: &str) -> Option<Duration> {
    let asked = requests.iter().find(|r| r.creates("workflows") && r.name() == object)?.received;
    let made = first_pod(requests, object, user)?;
    Some(Duration::try_from(made.duration_since(asked)).unwrap_or_default())
}

/// When the request arrived by which that user created the first pod of an object.
pub fn first_pod(requests: &[Request], object: &str, user: &str) -> Option<Timestamp> {
    let pod = format!("{object}-");
    let of = |r: &&Request| r.user() == user && r.creates_pod() && (r.name() == object || r.name().starts_with(&pod));
    requests.iter().filter(of).map(|r| r.received).min()
}

/// The value below which this part of them lies (nearest rank).
pub fn quantile(gaps: &[Duration], part: f64) -> Option<Duration> {
    let mut sorted = gaps.to_vec();
    sorted.sort_unstable();
    let rank = (part * sorted.len() as f64).ceil().max(1.0);
    sorted.get(rank as usize - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::tests::{line, request};

    fn at(millis: u32) -> String {
        format!("2026-01-01T00:00:00.{millis:03}000Z")
    }

    fn end(step: &str, answered: u32) -> Request {
        request(&line("kwok", "patch", "pods/status", &format!("r-{step}"), Some("Succeeded"), [&at(0), &at(answered)]))
    }

    fn create(step: &str, received: u32) -> Request {
        request(&line("us", "create", "pods", &format!("r-{step}"), None, [&at(received), &at(999)]))
    }

    #[test]
    fn a_join_waits_for_its_last_parent() {
        let log = [end("a1", 10), end("a2", 40), end("a3", 20), end("a4", 30), create("b1", 47)];
        let diamond = Shape::diamond();
        assert_eq!(gaps(&log, &diamond, Place::of_bare).unwrap(), [Duration::from_millis(7)]);
    }

    #[test]
    fn a_first_step_has_no_gap_and_a_missing_end_is_an_error() {
        assert!(gaps(&[create("first", 5)], &Shape::diamond(), Place::of_bare).unwrap().is_empty());
        assert!(gaps(&[create("a1", 5)], &Shape::diamond(), Place::of_bare).is_err());
    }

    #[test]
    fn names_say_what_a_pod_is() {
        let place = Some(Place { run: "single-3".into(), step: "a1".into() });
        assert_eq!(Place::of_operator("single-3-a1-0123456789"), place);
        assert_eq!(Place::of_bare("single-3-a1"), place);
    }

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let millis = |n| Duration::from_millis(n);
        let gaps: Vec<_> = (1..=100).rev().map(millis).collect();
        assert_eq!(quantile(&gaps, 0.5), Some(millis(50)));
        assert_eq!(quantile(&gaps, 0.99), Some(millis(99)));
        assert_eq!(quantile(&gaps[..1], 0.99), Some(millis(100)));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
