//! From a parent's terminal status to its child's create request.

use crate::{audit::Request, diamond};
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

/// The gap of each pod that has parents: from the answer to the write of the last parent's terminal status, to the
/// arrival of the request that creates the child.
///
/// # Errors
/// A pod was created of which a parent's end is not in the log.
pub fn gaps(requests: &[Request], places: &HashMap<String, Place>) -> Result<Vec<Duration>> {
    let mut ends: HashMap<&Place, Timestamp> = HashMap::new();
    for request in requests.iter().filter(|r| r.ends_pod()) {
        if let Some(place) = places.get(request.name()) {
            // The first one counts: a later patch of a pod that has ended changes nothing that anybody waits for.
            ends.entry(place).or_insert(request.answered);
        }
    }
    let mut found = Vec::new();
    for request in requests.iter().filter(|r| r.creates_pod()) {
        let Some(place) = places.get(request.name()) else { continue };
        let mut last = None;
        for need in diamond::needs(&place.step) {
            let parent = Place { run: place.run.clone(), step: (*need).to_owned() };
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

    fn place(step: &str) -> (String, Place) {
        (format!("pod-{step}"), Place { run: "r".into(), step: step.into() })
    }

    fn end(step: &str, answered: u32) -> Request {
        request(&line(
            "kwok",
            "patch",
            "pods/status",
            &format!("pod-{step}"),
            Some("Succeeded"),
            [&at(0), &at(answered)],
        ))
    }

    fn create(step: &str, received: u32) -> Request {
        request(&line("us", "create", "pods", &format!("pod-{step}"), None, [&at(received), &at(999)]))
    }

    #[test]
    fn a_join_waits_for_its_last_parent() {
        let places = ["a1", "a2", "a3", "a4", "b1"].into_iter().map(place).collect();
        let log = [end("a1", 10), end("a2", 40), end("a3", 20), end("a4", 30), create("b1", 47)];
        assert_eq!(gaps(&log, &places).unwrap(), [Duration::from_millis(7)]);
    }

    #[test]
    fn a_first_step_has_no_gap_and_a_missing_end_is_an_error() {
        let places = ["first", "a1"].into_iter().map(place).collect();
        assert!(gaps(&[create("first", 5)], &places).unwrap().is_empty());
        assert!(gaps(&[create("a1", 5)], &places).is_err());
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
