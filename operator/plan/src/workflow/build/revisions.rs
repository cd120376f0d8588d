//! Revisions: the spec that a run is pinned to, and records that wait.

use super::{Owner, metadata};
use crate::workflow::{digest::spool_name, specs::Spec};
use hearth_crds::{
    label,
    workflow::{Run, Workflow},
};
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::json;
use std::collections::BTreeMap;

/// The revision that pins a spec of `cr`.
#[must_use]
pub fn revision(cr: &Workflow, spec: &Spec) -> ControllerRevision {
    let owner = Owner::of(cr);
    let mut data = json!({"digest": spec.digest, "spec": spec.written});
    if let Some(fields) = data.as_object_mut().filter(|_| !spec.runtimes.is_empty()) {
        fields.insert("runtimes".into(), json!(spec.runtimes));
    }
    controller_revision(&owner, spec.revision.clone(), label::REVISION_SPEC, None, data)
}

/// The revision that holds the final record of a run until the store takes it.
#[must_use]
pub fn spool(cr: &Workflow, run: &Run, data: serde_json::Value) -> ControllerRevision {
    let owner = Owner::of(cr);
    controller_revision(
        &owner,
        spool_name(&owner.name, &owner.uid, &run.id),
        label::REVISION_SPOOL,
        Some(&run.id),
        data,
    )
}

fn controller_revision(
    owner: &Owner,
    name: String,
    role: &str,
    run_id: Option<&str>,
    data: serde_json::Value,
) -> ControllerRevision {
    let mut labels: BTreeMap<String, String> =
        [(label::MANAGED_BY, label::MANAGED_BY_VALUE), (label::OWNER_UID, owner.uid.as_str()), (label::REVISION, role)]
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
    if let Some(run_id) = run_id {
        labels.insert(label::RUN.into(), run_id.to_owned());
    }
    ControllerRevision {
        metadata: metadata(owner, name, labels, BTreeMap::new()),
        data: Some(k8s_openapi::apimachinery::pkg::runtime::RawExtension(data)),
        revision: 1,
    }
}
