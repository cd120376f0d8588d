//! The bare loop: when a pod ends, create the pods that waited for it. No object, no history, nothing kept.

use crate::{
    gaps::Place,
    seen::{MANAGED_BY, Seen},
    shape::Shape,
};
use anyhow::{Context, Result, ensure};
use hearth_crds::label;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch::Sender;

/// The loop. It has no watch of its own: it is told what ends.
pub struct Bare {
    pods: Api<Pod>,
    seen: Sender<Seen>,
    runs: Mutex<HashMap<String, Started>>,
    template: Mutex<Option<Pod>>,
}

/// A run of the loop.
struct Started {
    shape: Arc<Shape>,
    /// What could start, but for the limit of pods at a time.
    ready: VecDeque<String>,
    /// All that are ready, or were.
    reached: BTreeSet<String>,
    live: usize,
}

impl Bare {
    pub fn new(client: Client, namespace: &str, seen: Sender<Seen>) -> Arc<Self> {
        let pods = Api::namespaced(client, namespace);
        Arc::new(Self { pods, seen, runs: Mutex::default(), template: Mutex::default() })
    }

    /// Takes a pod of the operator as the one to create for every step: they differ by names alone.
    pub fn imitate(&self, pod: &Pod) {
        *self.template.lock().unwrap_or_else(PoisonError::into_inner) = Some(strip(pod));
    }

    /// Starts a run.
    pub fn start(self: &Arc<Self>, run: &str, shape: &Arc<Shape>) {
        let ready: VecDeque<String> = shape.roots().map(str::to_owned).collect();
        let begun = Started { shape: Arc::clone(shape), ready, reached: BTreeSet::new(), live: 0 };
        let mut all = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.entry(run.to_owned()).or_insert(begun);
        self.post_ready(run, begun);
    }

    /// A pod has ended: what waited for it is created at once.
    pub fn ended(self: &Arc<Self>, place: &Place) {
        let mut all = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(run) = all.get_mut(&place.run) else { return };
        run.live = run.live.saturating_sub(1);
        let seen = self.seen.borrow();
        for child in run.shape.children(&place.step) {
            if seen.have_ended(&place.run, run.shape.needs(child)) && run.reached.insert(child.clone()) {
                run.ready.push_back(child.clone());
            }
        }
        drop(seen);
        self.post_ready(&place.run, run);
    }

    fn post_ready(self: &Arc<Self>, name: &str, run: &mut Started) {
        while run.live < run.shape.at_once
            && let Some(step) = run.ready.pop_front()
        {
            run.live += 1;
            self.post(name, step);
        }
    }

    fn post(self: &Arc<Self>, run: &str, step: String) {
        let (this, run) = (Arc::clone(self), run.to_owned());
        tokio::spawn(async move {
            let created = match this.pod(&run, &step) {
                Ok(pod) => this.pods.create(&PostParams::default(), &pod).await.map(|_| ()).context("create"),
                Err(error) => Err(error),
            };
            if let Err(error) = created {
                this.seen.send_modify(|s| s.error = Some(format!("the bare loop, {run} {step}: {error:#}")));
            }
        });
    }

    fn pod(&self, run: &str, step: &str) -> Result<Pod> {
        let template = self.template.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pod = template.clone().context("the operator made no pod")?;
        pod.metadata.name = Some(format!("{run}-{step}"));
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert(label::RUN.to_owned(), run.to_owned());
        labels.insert(label::STEP.to_owned(), step.to_owned());
        Ok(pod)
    }

    /// Deletes the pods of a run.
    pub async fn sweep(&self, run: &str) -> Result<()> {
        let those = ListParams::default().labels(&format!("{}={run}", label::RUN));
        // Of very many, the API server deletes what it can within a minute.
        let mut tries = 0;
        while let Err(error) = self.pods.delete_collection(&DeleteParams::default(), &those).await {
            tries += 1;
            ensure!(tries < 10, "the pods of {run} do not go: {error}");
        }
        Ok(())
    }
}

/// The same pod, of nobody, and out of sight of the operator.
fn strip(pod: &Pod) -> Pod {
    let mut labels = pod.metadata.labels.clone().unwrap_or_default();
    labels.insert(label::MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    let mut spec = pod.spec.clone();
    if let Some(spec) = &mut spec {
        spec.node_name = None;
    }
    let annotations = pod.metadata.annotations.clone();
    Pod { metadata: ObjectMeta { labels: Some(labels), annotations, ..ObjectMeta::default() }, spec, status: None }
}
