//! Pods: creation with admission, graceful deletion, and what the kubelet reports.

use super::{Actor, ApiError, Change, Key, Reply, Server, Write};
use crate::clock::{meta_time, secs};
use hearth_crds::{FENCE_GATE, label, time::Time};
use hearth_plan::{Intent, RunPods};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const DEFAULT_GRACE: i64 = 30;

/// Whether the pod's phase is final.
#[must_use]
pub fn is_over(pod: &Pod) -> bool {
    matches!(pod.status.as_ref().and_then(|s| s.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// Whether the pod waits for a scheduling gate.
#[must_use]
pub fn is_gated(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|s| s.scheduling_gates.iter().flatten().next().is_some())
}

/// Whether the pod carries the fence's gate.
#[must_use]
pub fn is_fence(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|s| s.scheduling_gates.iter().flatten().any(|g| g.name == FENCE_GATE))
}

impl Server {
    pub(super) fn create_pod(
        &mut self,
        now: Time,
        ns: &str,
        mut pod: Pod,
        intent: Intent,
        placeholder: bool,
    ) -> Result<Reply, ApiError> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let key = (ns.to_owned(), name.clone());
        self.squat(now, &key, &intent, placeholder);
        self.admit(now, ns, &intent)?;
        if self.pods.contains_key(&key) {
            return Err(ApiError::exists(&format!("pods \"{name}\"")));
        }
        pod.metadata.namespace = Some(ns.to_owned());
        let uid = self.next_uid();
        pod.metadata.uid = Some(uid.clone());
        pod.metadata.creation_timestamp = Some(meta_time(now));
        pod.status = Some(PodStatus { phase: Some("Pending".to_owned()), ..PodStatus::default() });
        self.intents.insert(uid, intent);
        Ok(Reply::Pod(self.store_pod(pod)))
    }

    /// Admission comes before the name is looked up, as in a real server: a quota hides AlreadyExists.
    fn admit(&mut self, now: Time, ns: &str, intent: &Intent) -> Result<(), ApiError> {
        self.refuse_terminating(ns)?;
        self.refusals.retain(|r| r.until.is_none_or(|until| now < until));
        if let Some(rule) = self.refusals.iter().find(|r| r.step.as_ref().is_none_or(|s| *s == intent.step)) {
            return Err(rule.error.clone());
        }
        let used = self.pods.iter().filter(|(k, p)| k.0 == ns && !is_over(p)).count();
        match self.quota {
            Some(limit) if used >= limit => Err(ApiError::new(
                403,
                "Forbidden",
                &format!("exceeded quota: pods, requested: pods=1, used: pods={used}, limited: pods={limit}"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn squat(&mut self, now: Time, key: &Key, intent: &Intent, placeholder: bool) {
        if placeholder || !self.squats.contains(&intent.step) {
            return;
        }
        self.squats.retain(|s| *s != intent.step);
        self.add_stranger(now, key);
    }

    /// A pod that belongs to nobody we know, under that name.
    pub fn add_stranger(&mut self, now: Time, key: &Key) {
        let mut pod = Pod::default();
        pod.metadata.name = Some(key.1.clone());
        pod.metadata.namespace = Some(key.0.clone());
        pod.metadata.uid = Some(self.next_uid());
        pod.metadata.creation_timestamp = Some(meta_time(now));
        pod.status = Some(PodStatus { phase: Some("Running".to_owned()), ..PodStatus::default() });
        self.store_pod(pod);
    }

    fn store_pod(&mut self, mut pod: Pod) -> Arc<Pod> {
        pod.metadata.resource_version = Some(self.next_rv());
        let key = (pod.metadata.namespace.clone().unwrap_or_default(), pod.metadata.name.clone().unwrap_or_default());
        let pod = Arc::new(pod);
        self.pods.insert(key, pod.clone());
        self.journal.push(Change::Pod(pod.clone()));
        pod
    }

    /// Changes a pod, if it is still the one with that UID.
    pub fn update_pod(&mut self, key: &Key, uid: &str, change: impl FnOnce(&mut Pod)) {
        let Some(old) = self.pods.get(key).filter(|p| p.metadata.uid.as_deref() == Some(uid)) else { return };
        let mut new = (**old).clone();
        change(&mut new);
        if new != **old {
            self.store_pod(new);
        }
    }

    /// Takes a pod away, if it is still the one with that UID.
    pub fn remove_pod(&mut self, key: &Key, uid: &str) {
        if self.pods.get(key).is_some_and(|p| p.metadata.uid.as_deref() == Some(uid))
            && let Some(old) = self.pods.remove(key)
        {
            self.journal.push(Change::PodGone(old));
        }
    }

    pub(super) fn delete_pod(&mut self, now: Time, key: &Key, uid: Option<&str>) -> Result<Reply, ApiError> {
        let old = self.pods.get(key).ok_or_else(|| ApiError::not_found(&format!("pods \"{}\"", key.1)))?.clone();
        let have = old.metadata.uid.clone().unwrap_or_default();
        if uid.is_some_and(|want| want != have) {
            return Err(ApiError::conflict("the UID in the precondition does not match the UID in record"));
        }
        let scheduled = old.spec.as_ref().is_some_and(|s| s.node_name.is_some());
        if !scheduled || is_over(&old) {
            self.remove_pod(key, &have);
            return Ok(Reply::Done);
        }
        let grace = old.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(DEFAULT_GRACE);
        self.update_pod(key, &have, |pod| {
            if pod.metadata.deletion_timestamp.is_none() {
                let end = now.after(secs(u64::try_from(grace).unwrap_or(0)));
                pod.metadata.deletion_timestamp = Some(meta_time(end));
                pod.metadata.deletion_grace_period_seconds = Some(grace);
            }
        });
        Ok(Reply::Done)
    }

    pub(super) fn delete_run_pods(&mut self, now: Time, ns: &str, selected: &RunPods) -> Result<Reply, ApiError> {
        let keys: Vec<Key> =
            self.pods.iter().filter(|(k, p)| k.0 == ns && selects(selected, p)).map(|(k, _)| k.clone()).collect();
        for key in keys {
            self.delete_pod(now, &key, None)?;
        }
        Ok(Reply::Done)
    }

    pub(super) fn relabel(
        &mut self,
        key: &Key,
        uid: &str,
        labels: BTreeMap<String, String>,
    ) -> Result<Reply, ApiError> {
        let pod = self.pods.get(key).ok_or_else(|| ApiError::not_found(&format!("pods \"{}\"", key.1)))?;
        if pod.metadata.uid.as_deref() != Some(uid) {
            return Err(ApiError::conflict("the UID in the precondition does not match the UID in record"));
        }
        self.update_pod(key, uid, |pod| pod.metadata.labels.get_or_insert_default().extend(labels));
        Ok(Reply::Done)
    }

    /// A person deletes a pod by hand.
    pub fn delete_pod_by_hand(&mut self, now: Time, key: &Key) {
        // Deleting what is not there is no event.
        let _ = self.apply(now, Actor::User, Write::DeletePod { key: key.clone(), uid: None });
    }

    /// How long after `now` a pod's grace ends.
    #[must_use]
    pub fn grace_left(now: Time, pod: &Pod) -> Duration {
        pod.metadata.deletion_timestamp.as_ref().map_or(Duration::ZERO, |end| crate::clock::our_time(end).since(now))
    }
}

/// Whether the selectors of that request take a pod.
pub(crate) fn selects(selected: &RunPods, pod: &Pod) -> bool {
    let label = |name: &str| pod.metadata.labels.as_ref().and_then(|l| l.get(name)).map(String::as_str);
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
    let worked = label(label::MANAGED_BY) == Some(label::MANAGED_BY_VALUE)
        && label(label::RUN) == Some(&selected.run_id)
        && label(label::ROLE) == Some(label::ROLE_ATTEMPT);
    worked
        && selected.only.as_ref().is_none_or(|only| {
            let ended = phase == Some("Succeeded") || (only.failed && phase == Some("Failed"));
            let of_step = only.steps.iter().any(|s| label(label::STEP) == Some(s));
            let of_item = only.items.iter().any(|i| label(label::ITEM) == Some(&i.to_string()));
            ended && of_step && (only.items.is_empty() || of_item)
        })
}
