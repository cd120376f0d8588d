//! What tests of the Workflow kind start from.

pub mod pass;
pub mod scene;
pub mod under_way;

use hearth_crds::{
    label,
    time::Time,
    workflow::{Workflow, WorkflowStatus},
};
use hearth_plan::{
    Facts, Kind, Plan,
    facts::{ContainerFact, PodFact, PodPhase},
    kind::{Env, OnDelete},
    offer::{ArtifactService, Offer},
    workflow::{WorkflowKind, digest::pod_name},
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Id of a run.
pub const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// An operator's surroundings.
pub fn env() -> Env {
    Env {
        cluster_id: "cluster".into(),
        namespace_uids: BTreeMap::new(),
        run_as: Some(65532),
        fence_age: Duration::from_secs(25),
        store_name: "postgres".into(),
        on_delete: OnDelete::Hold,
        offer: Arc::default(),
    }
}

/// The surroundings of an operator that has an artifact store, which whole logs are kept in.
pub fn env_with_artifacts() -> Env {
    let artifacts =
        ArtifactService { image: "hearth-step".into(), recorder: "https://recorder".into(), store_ca: None };
    Env { offer: Arc::new(Offer { artifacts: Some(artifacts), ..Offer::default() }), ..env() }
}

/// A pod of the run of the object of that name, with UID `u`: the first attempt of a step, or of one of its items, that
/// ended well.
pub fn ended_pod(object: &str, step: &str, item: Option<u32>) -> PodFact {
    let mut labels: BTreeMap<String, String> =
        [(label::RUN, RUN), (label::STEP, step), (label::ROLE, label::ROLE_ATTEMPT), (label::ATTEMPT, "1")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
    labels.extend(item.map(|item| (label::ITEM.to_owned(), item.to_string())));
    let name = pod_name(object, "u", RUN, step, item, 1);
    let container = ContainerFact::Ended {
        exit_code: 0,
        reason: "Completed".into(),
        message: String::new(),
        started_at: None,
        finished_at: None,
    };
    let uid = format!("uid of {name}");
    PodFact { name, uid, owned: true, labels, phase: PodPhase::Succeeded, container, ..PodFact::default() }
}

/// The same with a whole log that is still to be stored.
pub fn with_log(mut pod: PodFact) -> PodFact {
    pod.labels.insert(label::LOGS.into(), label::LOGS_FULL.into());
    pod
}

/// What is planned for an object whose run, if it has one, is of the spec that it has now.
pub fn plan(object: &Value, facts: &Facts, env: &Env, now: &str) -> Plan<WorkflowStatus> {
    let mut cr: Workflow = serde_json::from_value(object.clone()).unwrap();
    let specs = WorkflowKind::specs(&cr, facts, env, None);
    if let Some(run) = cr.status.as_mut().and_then(|s| s.run.as_mut()) {
        run.revision.clone_from(&specs.current.revision);
        run.digest.clone_from(&specs.current.digest);
    }
    let specs = WorkflowKind::specs(&cr, facts, env, None);
    let now: Time = serde_json::from_value(now.into()).unwrap();
    WorkflowKind::plan(&cr, &specs, facts, env, now)
}
