//! The bare loop: when a pod ends, create the pods that waited for it. No object, no history, nothing kept.

use crate::{
    diamond,
    gaps::Place,
    seen::{MANAGED_BY, Seen},
};
use anyhow::{Context, Result};
use hearth_crds::label;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch::Sender;

/// The loop. It has no watch of its own: it is told what ends.
pub struct Bare {
    pods: Api<Pod>,
    seen: Sender<Seen>,
    /// Per run, the steps that were started.
    started: Mutex<HashMap<String, BTreeSet<&'static str>>>,
    templates: Mutex<HashMap<String, Pod>>,
}

impl Bare {
    pub fn new(client: Client, namespace: &str, seen: Sender<Seen>) -> Arc<Self> {
        let pods = Api::namespaced(client, namespace);
        Arc::new(Self { pods, seen, started: Mutex::default(), templates: Mutex::default() })
    }

    /// Takes a pod of the operator as the one to create for its step.
    pub fn imitate(&self, pod: &Pod) {
        if let Some(step) = pod.labels().get(label::STEP) {
            let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
            templates.entry(step.clone()).or_insert_with(|| strip(pod));
        }
    }

    /// Starts a run.
    pub fn start(self: &Arc<Self>, run: &str) {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).insert(run.to_owned(), BTreeSet::new());
        self.go_on(run);
    }

    /// A pod has ended: what waited for it is created at once.
    pub fn ended(self: &Arc<Self>, place: &Place) {
        self.go_on(&place.run);
    }

    fn go_on(self: &Arc<Self>, run: &str) {
        let mut all = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(started) = all.get_mut(run) else { return };
        let seen = self.seen.borrow();
        for (step, needs) in diamond::steps() {
            if !started.contains(step) && (needs.is_empty() || seen.have_ended(run, needs)) {
                started.insert(step);
                self.post(run, step);
            }
        }
    }

    fn post(self: &Arc<Self>, run: &str, step: &'static str) {
        let (this, run) = (Arc::clone(self), run.to_owned());
        tokio::spawn(async move {
            let created = match this.pod(&run, step) {
                Ok(pod) => this.pods.create(&PostParams::default(), &pod).await.map(|_| ()).context("create"),
                Err(error) => Err(error),
            };
            if let Err(error) = created {
                this.seen.send_modify(|s| s.error = Some(format!("the bare loop, {run} {step}: {error:#}")));
            }
        });
    }

    fn pod(&self, run: &str, step: &str) -> Result<Pod> {
        let templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pod = templates.get(step).with_context(|| format!("the operator made no pod of step {step}"))?.clone();
        pod.metadata.name = Some(format!("{run}-{step}"));
        let labels = pod.metadata.labels.get_or_insert_default();
        labels.insert(label::RUN.to_owned(), run.to_owned());
        Ok(pod)
    }

    /// Deletes the pods of a run.
    pub async fn sweep(&self, run: &str) -> Result<()> {
        let those = ListParams::default().labels(&format!("{}={run}", label::RUN));
        self.pods.delete_collection(&DeleteParams::default(), &those).await?;
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
