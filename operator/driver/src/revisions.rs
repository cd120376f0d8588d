//! ControllerRevisions as the watch keeps them.

use crate::pods::{controller_uid, strings, text, time};
use hearth_crds::label;
use hearth_plan::RevisionFact;
use kube::{Resource, api::ObjectMeta, core::NamespaceResourceScope};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;

/// A trimmed ControllerRevision.
#[derive(Clone, Debug)]
pub(crate) struct RevisionView {
    meta: ObjectMeta,
    /// UID of the object that it belongs to.
    pub(crate) owner: Option<String>,
    /// What decisions read.
    pub(crate) fact: RevisionFact,
}

impl Resource for RevisionView {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "ControllerRevision".into()
    }
    fn group((): &()) -> Cow<'_, str> {
        "apps".into()
    }
    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        "controllerrevisions".into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RawMeta {
    name: Value,
    namespace: Value,
    uid: Value,
    resource_version: Value,
    labels: Value,
    owner_references: Value,
    creation_timestamp: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Raw {
    metadata: Option<RawMeta>,
    data: Value,
}

impl<'de> Deserialize<'de> for RevisionView {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let raw = Raw::deserialize(d)?;
        let meta = raw.metadata.unwrap_or_default();
        let mut labels = strings(&meta.labels);
        let owner = controller_uid(&meta.owner_references).or_else(|| labels.get(label::OWNER_UID).cloned());
        let slim = ObjectMeta {
            name: text(Some(&meta.name)),
            namespace: text(Some(&meta.namespace)),
            uid: text(Some(&meta.uid)),
            resource_version: text(Some(&meta.resource_version)),
            ..ObjectMeta::default()
        };
        let fact = RevisionFact {
            name: slim.name.clone().unwrap_or_default(),
            uid: slim.uid.clone().unwrap_or_default(),
            role: labels.remove(label::REVISION).unwrap_or_default(),
            created_at: time(Some(&meta.creation_timestamp)),
            data: raw.data.to_string().into(),
        };
        Ok(Self { meta: slim, owner, fact })
    }
}
