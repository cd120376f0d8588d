//! A pod as decisions see it.

use crate::{clock::our_time, server::is_fence};
use hearth_crds::label;
use hearth_plan::facts::{ContainerFact, PodFact, PodPhase, RevisionFact};
use k8s_openapi::api::{
    apps::v1::ControllerRevision,
    core::v1::{ContainerState, ContainerStatus, Pod, PodCondition},
};

/// The UID of the object that a pod belongs to: its controller's, else what its label says.
#[must_use]
pub fn owner_of(pod: &Pod) -> Option<String> {
    controller_of(pod).or_else(|| pod.metadata.labels.as_ref().and_then(|l| l.get(label::OWNER_UID)).cloned())
}

/// UID of the controller.
#[must_use]
pub fn controller_of(pod: &Pod) -> Option<String> {
    pod.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true)).map(|o| o.uid.clone())
}

/// The watch selects by this label; a pod that loses it is as good as deleted to the watch.
#[must_use]
pub fn is_watched(pod: &Pod) -> bool {
    pod.metadata.labels.as_ref().and_then(|l| l.get(label::MANAGED_BY)).is_some_and(|v| v == label::MANAGED_BY_VALUE)
}

/// The fact that a pod is.
#[must_use]
pub fn pod_fact(pod: &Pod) -> PodFact {
    let status = pod.status.clone().unwrap_or_default();
    let condition = |type_: &str, is: &str| -> Option<PodCondition> {
        status.conditions.iter().flatten().find(|c| c.type_ == type_ && c.status == is).cloned()
    };
    let why = |c: PodCondition| (c.reason.unwrap_or_default(), c.message.unwrap_or_default());
    let container = status.container_statuses.as_ref().and_then(|c| c.first());
    let disruption = condition("DisruptionTarget", "True").map(why);
    let unreachable = condition("Ready", "False").is_some_and(|c| c.reason.as_deref() == Some("NodeNotReady"))
        || disruption.as_ref().is_some_and(|(reason, _)| reason == "DeletionByTaintManager");
    PodFact {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        owned: controller_of(pod).is_some(),
        // One that the watch cannot see counts as one without labels, so that it gets them all back.
        labels: pod
            .metadata
            .labels
            .iter()
            .flatten()
            .filter(|(k, _)| is_watched(pod) && k.starts_with("hearth.dev/"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
        created_at: pod.metadata.creation_timestamp.as_ref().map(our_time),
        deleting_at: pod.metadata.deletion_timestamp.as_ref().map(our_time),
        gone: false,
        placeholder: is_fence(pod),
        phase: phase(status.phase.as_deref()),
        node: pod.spec.as_ref().and_then(|s| s.node_name.clone()),
        reason: status.reason.clone(),
        message: status.message.clone(),
        started_at: status.start_time.as_ref().map(our_time),
        unscheduled: condition("PodScheduled", "False").map(why),
        disruption,
        node_unreachable: unreachable,
        container: container.map_or(ContainerFact::None, container_fact),
        fetching: false,
        image_id: container.map(|c| c.image_id.clone()).filter(|id| !id.is_empty()),
    }
}

fn phase(text: Option<&str>) -> PodPhase {
    match text {
        Some("Running") => PodPhase::Running,
        Some("Succeeded") => PodPhase::Succeeded,
        Some("Failed") => PodPhase::Failed,
        Some("Unknown") => PodPhase::Unknown,
        Some(_) | None => PodPhase::Pending,
    }
}

fn container_fact(status: &ContainerStatus) -> ContainerFact {
    let Some(ContainerState { running, terminated, waiting }) = status.state.as_ref() else {
        return ContainerFact::None;
    };
    if let Some(ended) = terminated {
        return ContainerFact::Ended {
            exit_code: ended.exit_code,
            reason: ended.reason.clone().unwrap_or_default(),
            message: ended.message.clone().unwrap_or_default(),
            started_at: ended.started_at.as_ref().map(our_time),
            finished_at: ended.finished_at.as_ref().map(our_time),
        };
    }
    if let Some(running) = running {
        return ContainerFact::Running { at: running.started_at.as_ref().map(our_time) };
    }
    waiting.as_ref().map_or(ContainerFact::None, |w| ContainerFact::Waiting {
        reason: w.reason.clone().unwrap_or_default(),
        message: w.message.clone().unwrap_or_default(),
    })
}

/// The fact that a ControllerRevision is.
#[must_use]
pub fn revision_fact(revision: &ControllerRevision) -> RevisionFact {
    RevisionFact {
        name: revision.metadata.name.clone().unwrap_or_default(),
        uid: revision.metadata.uid.clone().unwrap_or_default(),
        role: revision.metadata.labels.as_ref().and_then(|l| l.get(label::REVISION)).cloned().unwrap_or_default(),
        created_at: revision.metadata.creation_timestamp.as_ref().map(our_time),
        data: revision.data.as_ref().map(|d| d.0.to_string()).unwrap_or_default().into(),
    }
}

/// UID of the object that a revision belongs to.
#[must_use]
pub fn revision_owner(revision: &ControllerRevision) -> Option<String> {
    revision.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true)).map(|o| o.uid.clone())
}
