//! What the watches of the benchmark have shown: pods, and how far each run is.

use crate::{diamond, gaps::Place};
use futures::TryStreamExt;
use hearth_crds::{
    condition::{ConditionStatus, ConditionType},
    label,
    workflow::{RunPhase, Workflow},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use std::collections::{BTreeSet, HashMap};
use tokio::sync::watch::Sender;

/// What is known.
#[derive(Debug, Default)]
pub struct Seen {
    /// Which pod is which step of which run.
    pub places: HashMap<String, Place>,
    /// A pod of each step, as it was first seen.
    pub templates: HashMap<String, Pod>,
    /// What went wrong in a task that nobody waits for.
    pub error: Option<String>,
    runs: HashMap<String, PodsOfRun>,
    workflows: HashMap<String, Progress>,
}

#[derive(Debug, Default)]
struct PodsOfRun {
    seen: BTreeSet<String>,
    live: BTreeSet<String>,
    ended: BTreeSet<String>,
}

/// How far a Workflow's newest run is.
#[derive(Clone, Debug, Default)]
struct Progress {
    number: i64,
    run: String,
    stored: bool,
}

impl Seen {
    /// Whether that run of a Workflow has ended, its record is stored, and its pods are gone.
    pub fn is_settled(&self, workflow: &str, number: i64) -> bool {
        self.workflows.get(workflow).is_some_and(|p| p.number == number && p.stored && self.is_swept(&p.run))
    }

    /// Whether all pods of a run have come and gone.
    pub fn is_swept(&self, run: &str) -> bool {
        self.runs.get(run).is_some_and(|r| r.seen.len() == diamond::PODS && r.live.is_empty())
    }

    /// Whether all pods of a run have ended.
    pub fn is_over(&self, run: &str) -> bool {
        self.runs.get(run).is_some_and(|r| r.ended.len() == diamond::PODS)
    }

    /// Whether these steps of a run have ended.
    pub fn have_ended(&self, run: &str, steps: &[&str]) -> bool {
        self.runs.get(run).is_some_and(|r| steps.iter().all(|step| r.ended.contains(*step)))
    }

    /// Takes a pod that is there. Answers where it stands when it has just been seen to end.
    fn pod(&mut self, pod: Pod) -> Option<Place> {
        let (name, place) = (pod.name_any(), place(&pod)?);
        let run = self.runs.entry(place.run.clone()).or_default();
        run.seen.insert(name.clone());
        run.live.insert(name.clone());
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        if phase == Some("Failed") {
            self.error.get_or_insert_with(|| format!("pod {name} failed"));
        }
        let ended = phase == Some("Succeeded") && run.ended.insert(place.step.clone());
        self.templates.entry(place.step.clone()).or_insert(pod);
        self.places.insert(name, place.clone());
        ended.then_some(place)
    }

    fn pod_gone(&mut self, pod: &Pod) {
        if let Some(run) = place(pod).and_then(|place| self.runs.get_mut(&place.run)) {
            run.live.remove(&pod.name_any());
        }
    }

    fn workflow(&mut self, workflow: &Workflow) {
        let Some(status) = &workflow.status else { return };
        let Some(run) = &status.run else { return };
        let name = workflow.name_any();
        if matches!(status.phase, Some(RunPhase::Failed | RunPhase::Cancelled)) {
            self.error.get_or_insert_with(|| format!("run {} of {name} did not succeed", run.number));
        }
        let stored = |c: &hearth_crds::condition::Condition| {
            c.type_ == ConditionType::HistoryStored && c.status == ConditionStatus::True
        };
        let progress = Progress {
            number: run.number,
            run: run.id.clone(),
            stored: status.phase == Some(RunPhase::Succeeded) && status.conditions.iter().any(stored),
        };
        self.workflows.insert(name, progress);
    }

    /// What the runs stand at, for the message of a time-out.
    pub fn describe(&self) -> String {
        let mut lines: Vec<_> = self.workflows.iter().map(|(name, p)| format!("{name}: {p:?}")).collect();
        lines.sort();
        lines.join("\n")
    }
}

fn place(pod: &Pod) -> Option<Place> {
    let labels = pod.labels();
    Some(Place { run: labels.get(label::RUN)?.clone(), step: labels.get(label::STEP)?.clone() })
}

/// Follows the pods of the namespace, and tells of each that ends.
pub async fn follow_pods(client: Client, namespace: &str, seen: &Sender<Seen>, ended: impl Fn(&Place)) {
    let pods = watcher(Api::<Pod>::namespaced(client, namespace), watcher::Config::default()).default_backoff();
    let followed = pods.try_for_each(async |event| {
        match event {
            Event::Apply(pod) | Event::InitApply(pod) => {
                let mut news = None;
                seen.send_modify(|s| news = s.pod(pod));
                news.iter().for_each(&ended);
            }
            Event::Delete(pod) => seen.send_modify(|s| s.pod_gone(&pod)),
            Event::Init | Event::InitDone => {}
        }
        Ok(())
    });
    broke(seen, followed.await);
}

/// Follows the Workflows of the namespace.
pub async fn follow_workflows(client: Client, namespace: &str, seen: &Sender<Seen>) {
    let stream = watcher(Api::<Workflow>::namespaced(client, namespace), watcher::Config::default()).default_backoff();
    let followed = stream.try_for_each(async |event| {
        match event {
            Event::Apply(workflow) | Event::InitApply(workflow) => seen.send_modify(|s| s.workflow(&workflow)),
            Event::Delete(_) | Event::Init | Event::InitDone => {}
        }
        Ok(())
    });
    broke(seen, followed.await);
}

/// A watch that broke may have missed the moment that is measured: the measurement ends with it.
fn broke(seen: &Sender<Seen>, how: Result<(), watcher::Error>) {
    let why = how.map_or_else(|error| error.to_string(), |()| "it ended".to_owned());
    seen.send_modify(|s| {
        s.error.get_or_insert(format!("a watch of the benchmark broke: {why}"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(run: &str, step: &str, phase: &str) -> Pod {
        let labels = json!({label::RUN: run, label::STEP: step});
        let name = format!("{run}-{step}");
        serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}, "status": {"phase": phase}}))
            .unwrap()
    }

    #[test]
    fn a_pod_is_told_to_have_ended_once() {
        let mut seen = Seen::default();
        assert_eq!(seen.pod(pod("r", "first", "Running")), None);
        assert_eq!(seen.pod(pod("r", "first", "Succeeded")).map(|p| p.step), Some("first".to_owned()));
        assert_eq!(seen.pod(pod("r", "first", "Succeeded")), None);
        assert!(seen.have_ended("r", &["first"]) && !seen.have_ended("r", &["first", "a1"]));
    }

    #[test]
    fn a_run_is_swept_when_all_its_pods_have_come_and_gone() {
        let mut seen = Seen::default();
        let steps: Vec<_> = diamond::steps().map(|(step, _)| step).collect();
        for step in &steps {
            assert!(!seen.is_over("r") && !seen.is_swept("r"));
            seen.pod(pod("r", step, "Succeeded"));
            seen.pod_gone(&pod("r", step, "Succeeded"));
        }
        assert!(seen.is_over("r") && seen.is_swept("r"));
    }

    #[test]
    fn a_failed_pod_is_an_error() {
        let mut seen = Seen::default();
        seen.pod(pod("r", "first", "Failed"));
        assert!(seen.error.is_some());
    }
}
