//! What scheduler, kubelet and node controller write into a pod.

use crate::clock::{meta_time, secs};
use hearth_crds::time::Time;
use k8s_openapi::api::core::v1::{
    ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus, Pod,
    PodCondition, PodStatus,
};

fn status(pod: &mut Pod) -> &mut PodStatus {
    pod.status.get_or_insert_default()
}

fn condition(pod: &mut Pod, now: Time, type_: &str, is: &str, reason: &str, message: &str) {
    let list = status(pod).conditions.get_or_insert_default();
    list.retain(|c| c.type_ != type_);
    list.push(PodCondition {
        type_: type_.to_owned(),
        status: is.to_owned(),
        reason: Some(reason.to_owned()).filter(|r| !r.is_empty()),
        message: Some(message.to_owned()).filter(|m| !m.is_empty()),
        last_transition_time: Some(meta_time(now)),
        ..PodCondition::default()
    });
}

fn container(pod: &mut Pod, state: ContainerState) {
    let image = pod.spec.as_ref().and_then(|s| s.containers.first()).and_then(|c| c.image.clone()).unwrap_or_default();
    let name = pod.spec.as_ref().and_then(|s| s.containers.first()).map(|c| c.name.clone()).unwrap_or_default();
    let started = state.waiting.is_none();
    let image_id = if started { format!("{image}@sha256:{}", "0".repeat(64)) } else { String::new() };
    status(pod).container_statuses =
        Some(vec![ContainerStatus { name, image, image_id, state: Some(state), ..ContainerStatus::default() }]);
}

pub(crate) fn unschedulable(pod: &mut Pod, now: Time) {
    condition(pod, now, "PodScheduled", "False", "Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.");
}

pub(crate) fn assigned(pod: &mut Pod, now: Time) {
    if let Some(spec) = pod.spec.as_mut() {
        spec.node_name = Some("node-a".to_owned());
    }
    condition(pod, now, "PodScheduled", "True", "", "");
    status(pod).start_time = Some(meta_time(now));
    waiting(pod, "ContainerCreating", "");
}

pub(crate) fn waiting(pod: &mut Pod, reason: &str, message: &str) {
    let waiting = ContainerStateWaiting {
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()).filter(|m| !m.is_empty()),
    };
    container(pod, ContainerState { waiting: Some(waiting), ..ContainerState::default() });
}

pub(crate) fn running(pod: &mut Pod, now: Time) {
    status(pod).phase = Some("Running".to_owned());
    container(
        pod,
        ContainerState {
            running: Some(ContainerStateRunning { started_at: Some(meta_time(now)) }),
            ..ContainerState::default()
        },
    );
}

pub(crate) fn ended(pod: &mut Pod, now: Time, exit_code: i32, reason: &str, message: &str) {
    let before = status(pod).container_statuses.as_ref().and_then(|c| c.first()).and_then(|c| c.state.as_ref());
    let started_at = before.and_then(|s| s.running.as_ref()).and_then(|r| r.started_at.clone());
    let never_ran = started_at.is_none();
    status(pod).phase = Some(if exit_code == 0 { "Succeeded" } else { "Failed" }.to_owned());
    if never_ran && exit_code == 143 {
        return;
    }
    let ended = ContainerStateTerminated {
        exit_code,
        reason: Some(reason.to_owned()),
        message: Some(message.to_owned()).filter(|m| !m.is_empty()),
        started_at,
        finished_at: Some(meta_time(now)),
        ..ContainerStateTerminated::default()
    };
    container(pod, ContainerState { terminated: Some(ended), ..ContainerState::default() });
}

pub(crate) fn deadline(pod: &mut Pod, now: Time) {
    ended(pod, now, 137, "Error", "");
    status(pod).reason = Some("DeadlineExceeded".to_owned());
    status(pod).message = Some("Pod was active on the node longer than the specified deadline".to_owned());
}

pub(crate) fn evicted(pod: &mut Pod, now: Time, own_limits: bool) {
    ended(pod, now, 137, "Error", "");
    status(pod).reason = Some("Evicted".to_owned());
    if own_limits {
        status(pod).message = Some("Usage of EmptyDir volume \"work\" exceeds the limit \"1Gi\". ".to_owned());
    } else {
        status(pod).message = Some("The node was low on resource: memory. ".to_owned());
        condition(
            pod,
            now,
            "DisruptionTarget",
            "True",
            "TerminationByKubelet",
            "The node was low on resource: memory. ",
        );
    }
}

pub(crate) fn preempted(pod: &mut Pod, now: Time) {
    condition(
        pod,
        now,
        "DisruptionTarget",
        "True",
        "PreemptionByScheduler",
        "default-scheduler: preempting to accommodate a higher priority pod",
    );
    mark(pod, now);
}

pub(crate) fn unreachable(pod: &mut Pod, now: Time) {
    condition(pod, now, "Ready", "False", "NodeNotReady", "");
}

pub(crate) fn marked_by_taint(pod: &mut Pod, now: Time) {
    condition(
        pod,
        now,
        "DisruptionTarget",
        "True",
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
    );
    mark(pod, now);
}

fn mark(pod: &mut Pod, now: Time) {
    if pod.metadata.deletion_timestamp.is_none() {
        let grace = pod.spec.as_ref().and_then(|s| s.termination_grace_period_seconds).unwrap_or(30);
        pod.metadata.deletion_timestamp = Some(meta_time(now.after(secs(u64::try_from(grace).unwrap_or(0)))));
        pod.metadata.deletion_grace_period_seconds = Some(grace);
    }
}
