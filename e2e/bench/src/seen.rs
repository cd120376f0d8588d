//! What the bare loop's watch has shown: how far each of its runs is.

use crate::gaps::Place;
use futures::TryStreamExt;
use hearth_crds::label;
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

/// The value of the label by which the bare loop's pods are known: the operator's watch leaves them out.
pub const MANAGED_BY: &str = "bench";

/// What is known.
#[derive(Debug, Default)]
pub struct Seen {
    /// What went wrong in a task that nobody waits for.
    pub error: Option<String>,
    runs: HashMap<String, PodsOfRun>,
}

#[derive(Debug, Default)]
struct PodsOfRun {
    seen: BTreeSet<String>,
    live: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Seen {
    /// Whether all pods of a run, so many, have come and gone.
    pub fn is_swept(&self, run: &str, pods: usize) -> bool {
        self.runs.get(run).is_some_and(|r| r.seen.len() == pods && r.live.is_empty())
    }

    /// Whether all pods of a run, so many, have ended.
    pub fn is_over(&self, run: &str, pods: usize) -> bool {
        self.runs.get(run).is_some_and(|r| r.ended.len() == pods)
    }

    /// Whether these steps of a run have ended.
    pub fn have_ended(&self, run: &str, steps: &[String]) -> bool {
        self.runs.get(run).is_some_and(|r| steps.iter().all(|step| r.ended.contains(step)))
    }

    /// Takes a pod that is there. Answers where it stands when it has just been seen to end.
    fn pod(&mut self, pod: &Pod) -> Option<Place> {
        let (name, place) = (pod.name_any(), place(pod)?);
        let run = self.runs.entry(place.run.clone()).or_default();
        run.seen.insert(name.clone());
        run.live.insert(name);
        let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
        (phase == Some("Succeeded") && run.ended.insert(place.step.clone())).then_some(place)
    }

    fn pod_gone(&mut self, pod: &Pod) {
        if let Some(run) = place(pod).and_then(|place| self.runs.get_mut(&place.run)) {
            run.live.remove(&pod.name_any());
        }
    }
}

fn place(pod: &Pod) -> Option<Place> {
    let labels = pod.labels();
    Some(Place { run: labels.get(label::RUN)?.clone(), step: labels.get(label::STEP)?.clone() })
}

/// Follows the bare loop's pods, and tells of each that ends.
pub async fn follow(client: Client, namespace: &str, seen: &Sender<Seen>, ended: impl Fn(&Place)) {
    let ours = watcher::Config::default().labels(&format!("{}={MANAGED_BY}", label::MANAGED_BY));
    let pods = watcher(Api::<Pod>::namespaced(client, namespace), ours).default_backoff();
    let followed = pods.try_for_each(async |event| {
        match event {
            Event::Apply(pod) | Event::InitApply(pod) => {
                let mut news = None;
                seen.send_modify(|s| news = s.pod(&pod));
                news.iter().for_each(&ended);
            }
            Event::Delete(pod) => seen.send_modify(|s| s.pod_gone(&pod)),
            Event::Init | Event::InitDone => {}
        }
        Ok(())
    });
    // A watch that broke may have missed the moment that is measured: the measurement ends with it.
    let why = followed.await.map_or_else(|error| error.to_string(), |()| "it ended".to_owned());
    seen.send_modify(|s| s.error = Some(format!("the bare loop's watch broke: {why}")));
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
        assert_eq!(seen.pod(&pod("r", "first", "Running")), None);
        assert_eq!(seen.pod(&pod("r", "first", "Succeeded")).map(|p| p.step), Some("first".to_owned()));
        assert_eq!(seen.pod(&pod("r", "first", "Succeeded")), None);
        assert!(seen.have_ended("r", &["first".into()]) && !seen.have_ended("r", &["first".into(), "a1".into()]));
    }

    #[test]
    fn a_run_is_swept_when_all_its_pods_have_come_and_gone() {
        let mut seen = Seen::default();
        for step in ["first", "a1", "last"] {
            assert!(!seen.is_over("r", 3) && !seen.is_swept("r", 3));
            seen.pod(&pod("r", step, "Succeeded"));
            seen.pod_gone(&pod("r", step, "Succeeded"));
        }
        assert!(seen.is_over("r", 3) && seen.is_swept("r", 3));
    }
}
