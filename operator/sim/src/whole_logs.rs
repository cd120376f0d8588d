//! Whole logs of attempts: where they are stored, and which were lost because their pod went before.

use crate::{
    clock::secs,
    server::{Key, Server, Write, selects},
    trim::pod_fact,
};
use hearth_crds::{label, time::Time};
use hearth_plan::{Intent, facts::ContainerFact};
use k8s_openapi::api::core::v1::Pod;
use std::{collections::BTreeMap, time::Duration};

/// After this time everybody knows that a pod has ended. One that is stopped may end just before it is told to.
const SEEN_BY: Duration = secs(5);

/// The logs that are stored, or the word that there is none.
#[derive(Clone, Debug)]
pub struct WholeLogs {
    /// Whether the place for them answers.
    pub up: bool,
    /// By attempt.
    pub kept: BTreeMap<Intent, Result<String, String>>,
    /// Pods that the operator deleted too early.
    pub lost: Vec<String>,
}

impl Default for WholeLogs {
    fn default() -> Self {
        Self { up: true, kept: BTreeMap::new(), lost: Vec::new() }
    }
}

impl WholeLogs {
    /// Stores a log, or that it cannot be had; a stored one stays as it is. False when the place for them does not answer.
    pub fn keep(&mut self, attempt: &Intent, log: Result<String, String>) -> bool {
        if self.up && !matches!(self.kept.get(attempt), Some(Ok(_))) {
            self.kept.insert(attempt.clone(), log);
        }
        self.up
    }

    /// Notes the pods that this write takes away although their log is wanted and not stored.
    pub(crate) fn watch(&mut self, now: Time, write: &Write, server: &Server) {
        let unkept = |key: &Key, pod: &Pod| {
            let fact = pod_fact(pod);
            let seen = match &fact.container {
                ContainerFact::Ended { finished_at, .. } => finished_at.is_some_and(|at| now > at.after(SEEN_BY)),
                ContainerFact::None | ContainerFact::Waiting { .. } | ContainerFact::Running { .. } => false,
            };
            let wanted = fact.labels.contains_key(label::LOGS) && fact.deleting_at.is_none();
            let kept = server.intent_of(&fact.uid).is_none_or(|i| self.kept.contains_key(i));
            (wanted && seen && !kept).then(|| key.1.clone())
        };
        let lost: Vec<String> = match write {
            Write::DeletePod { key, .. } => server.get_pod(key).and_then(|p| unkept(key, &p)).into_iter().collect(),
            Write::DeleteRunPods { ns, pods } => server
                .pods()
                .iter()
                .filter(|(key, pod)| key.0 == *ns && selects(pods, pod))
                .filter_map(|(key, pod)| unkept(key, pod))
                .collect(),
            Write::Pod { .. }
            | Write::Finalizers { .. }
            | Write::Status { .. }
            | Write::Revision { .. }
            | Write::DeleteRevision { .. }
            | Write::Relabel { .. }
            | Write::Object { .. }
            | Write::DeleteObject { .. }
            | Write::Event { .. } => Vec::new(),
        };
        self.lost.extend(lost);
    }
}
