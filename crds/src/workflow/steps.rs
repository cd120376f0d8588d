//! The steps of a run: those that are listed by name, and those that are over and told by place.

use super::{Run, StepPhase, StepStatus};
use crate::{artifacts::StoredArtifact, condition::Reason, json::Json, ranges::Ranges};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::Deref, slice, sync::OnceLock};

/// Lists up to this length are searched from their begin.
const SHORT: usize = 64;

/// Steps by name, each once. Long lists find a name by an index that is made when it is first asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Steps {
    list: Vec<StepStatus>,
    #[serde(skip)]
    index: OnceLock<BTreeMap<String, usize>>,
}

impl Steps {
    /// Whether no step is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Where the step of that name is.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.list.len() <= SHORT {
            return self.list.iter().position(|s| s.name == name);
        }
        self.index.get_or_init(|| self.indexed()).get(name).copied()
    }

    fn indexed(&self) -> BTreeMap<String, usize> {
        // Of two of one name the first counts, as in short lists.
        self.list.iter().enumerate().rev().map(|(at, step)| (step.name.clone(), at)).collect()
    }

    /// The step of that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&StepStatus> {
        self.list.get(self.position(name)?)
    }

    /// The step of that name, to be changed in all but its name.
    pub fn named_mut(&mut self, name: &str) -> Option<&mut StepStatus> {
        let at = self.position(name)?;
        self.list.get_mut(at)
    }

    /// The step at that place of the list, to be changed in all but its name.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut StepStatus> {
        self.list.get_mut(at)
    }

    /// All steps, to be changed in all but their names.
    pub fn iter_mut(&mut self) -> slice::IterMut<'_, StepStatus> {
        self.list.iter_mut()
    }

    /// Adds a step whose name is not there yet.
    pub fn push(&mut self, step: StepStatus) {
        let at = self.list.len();
        if let Some(index) = self.index.get_mut() {
            index.entry(step.name.clone()).or_insert(at);
        }
        self.list.push(step);
    }

    /// Sorts the list; steps of equal keys stay as they are.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&StepStatus) -> K) {
        if !self.list.is_sorted_by_key(&key) {
            self.index.take();
            self.list.sort_by_key(key);
        }
    }
}

impl Deref for Steps {
    type Target = [StepStatus];

    fn deref(&self) -> &[StepStatus] {
        &self.list
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl From<Vec<StepStatus>> for Steps {
    fn from(list: Vec<StepStatus>) -> Self {
        Self { list, index: OnceLock::new() }
    }
}

impl FromIterator<StepStatus> for Steps {
    fn from_iter<I: IntoIterator<Item = StepStatus>>(steps: I) -> Self {
        steps.into_iter().collect::<Vec<_>>().into()
    }
}

impl IntoIterator for Steps {
    type Item = StepStatus;
    type IntoIter = std::vec::IntoIter<StepStatus>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'a> IntoIterator for &'a Steps {
    type Item = &'a StepStatus;
    type IntoIter = slice::Iter<'a, StepStatus>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// Steps that are over, and alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndedSteps {
    /// phase that they ended in.
    pub phase: StepPhase,
    /// reason of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// attempt: number of the last one.
    pub attempt: u32,
    /// places in spec.steps, from 0, for example 0-4,7.
    pub places: Ranges,
    /// outputs by place that later steps, conditions or results read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, BTreeMap<String, Json>>,
    /// artifacts by place that later steps read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub artifacts: BTreeMap<String, BTreeMap<String, StoredArtifact>>,
}

impl EndedSteps {
    /// None yet that ended as that step did.
    #[must_use]
    pub fn like(step: &StepStatus) -> Self {
        Self {
            phase: step.phase,
            reason: step.reason,
            attempt: step.attempt,
            places: Ranges::default(),
            outputs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        }
    }

    /// Whether a step ended as these did.
    #[must_use]
    pub fn is_like(&self, step: &StepStatus) -> bool {
        self.phase == step.phase && self.reason == step.reason && self.attempt == step.attempt
    }

    /// Takes a step in that ended as these did.
    pub fn take(&mut self, place: u32, step: StepStatus) {
        self.places.insert(place);
        if !step.outputs.is_empty() {
            self.outputs.insert(place.to_string(), step.outputs);
        }
        if !step.artifacts.is_empty() {
            self.artifacts.insert(place.to_string(), step.artifacts);
        }
    }

    fn give(&mut self, place: u32) {
        let key = place.to_string();
        self.places.remove(place);
        self.outputs.remove(&key);
        self.artifacts.remove(&key);
    }

    /// The step of that place by its name; its times are in the history store alone.
    #[must_use]
    pub fn step(&self, place: u32, name: &str) -> StepStatus {
        let key = place.to_string();
        StepStatus {
            name: name.to_owned(),
            phase: self.phase,
            attempt: self.attempt,
            since: None,
            started_at: None,
            finished_at: None,
            retry_at: None,
            stop: None,
            application: 0,
            infrastructure: 0,
            ended: Vec::new(),
            reason: self.reason,
            outputs: self.outputs.get(&key).cloned().unwrap_or_default(),
            artifacts: self.artifacts.get(&key).cloned().unwrap_or_default(),
            workflow: None,
            cache: None,
            fan_out: None,
        }
    }
}

impl Run {
    /// Lists every step by its name, given the names of the places in spec.steps. A step whose place has none stays told by
    /// place.
    pub fn list_by_name<'n>(&mut self, name: impl Fn(u32) -> Option<&'n str>) {
        for group in &mut self.over {
            for place in group.places.iter().collect::<Vec<_>>() {
                if let Some(name) = name(place) {
                    self.steps.push(group.step(place, name));
                    group.give(place);
                }
            }
        }
        self.over.retain(|group| !group.places.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> StepStatus {
        let group = EndedSteps {
            phase: StepPhase::Succeeded,
            reason: None,
            attempt: 1,
            places: Ranges::default(),
            outputs: BTreeMap::new(),
            artifacts: BTreeMap::new(),
        };
        group.step(0, name)
    }

    #[test]
    fn names_are_found_in_lists_of_any_length_and_after_every_change() {
        let mut steps = Steps::default();
        for n in 0..200 {
            steps.push(step(&format!("s{:03}", 199 - n)));
            assert_eq!(steps.position("s199"), Some(0));
            assert_eq!(steps.position(&format!("s{:03}", 199 - n)), Some(n));
        }
        assert_eq!(steps.position("s"), None);
        steps.sort_by_key(|s| s.name.clone());
        assert_eq!((steps.position("s000"), steps.position("s199")), (Some(0), Some(199)));
        steps.named_mut("s100").unwrap().attempt = 7;
        assert_eq!(steps.named("s100").unwrap().attempt, 7);
        let copy: Steps = serde_json::from_value(serde_json::to_value(&steps).unwrap()).unwrap();
        assert_eq!((copy == steps, copy.position("s150")), (true, Some(150)));
    }

    #[test]
    fn steps_that_are_told_by_place_come_back_by_name() {
        let mut one = step("one");
        one.outputs.insert("rows".into(), Json(12.into()));
        let mut group = EndedSteps::like(&one);
        assert!(group.is_like(&one) && !group.is_like(&StepStatus { attempt: 2, ..one.clone() }));
        group.take(17, one.clone());
        assert_eq!(group.step(17, "one"), one);
        assert_eq!(serde_json::to_value(&group).unwrap()["places"], "17");
    }
}
