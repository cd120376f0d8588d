//! `hearth uninstall`, the chart's pre-delete hook: stops the operator, waits until its pods are gone, then takes
//! our finalizer off every object, so that nothing is held for a recorder that is no longer there.

use futures::{TryStreamExt, pin_mut};
use hearth_crds::{FINALIZER, GROUP, VERSION, registry};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PartialObjectMeta, Patch, PatchParams},
    runtime::watcher,
};
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tracing::{info, warn};

/// Objects asked for at a time: metadata alone, so a page is small.
const PAGE: u32 = 500;

/// How often the finalizer of one object is tried to be taken off while others write to it.
const TRIES: u32 = 10;

/// What to stop, and how long to wait for it.
#[derive(Clone, Debug, clap::Args)]
pub struct Uninstall {
    /// Namespace of the operator.
    #[arg(long)]
    pub namespace: String,
    /// Name of the operator's Deployment.
    #[arg(long, default_value = "hearth")]
    pub deployment: String,
    /// Labels of the operator's pods.
    #[arg(long, default_value = "app.kubernetes.io/name=hearth,app.kubernetes.io/component=operator")]
    pub selector: String,
    /// How long its pods may take to be gone, for example 2m.
    #[arg(long, default_value = "2m", value_parser = duration)]
    pub timeout: Duration,
}

/// Why the hook failed; Helm shows it and keeps the release.
#[derive(Debug, thiserror::Error)]
pub enum UninstallError {
    /// The operator could not be scaled to zero.
    #[error("scale deployment {name} to zero: {source}")]
    Scale {
        /// Name of the Deployment.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The operator's pods could not be watched.
    #[error("watch the operator's pods: {0}")]
    Watch(#[from] watcher::Error),
    /// The pods stayed.
    #[error("the operator's pods are not gone after {0:?}: an operator that still runs would put its finalizer back")]
    StillThere(Duration),
    /// The objects of a kind could not be listed.
    #[error("list {plural}: {source}")]
    List {
        /// Plural of the kind.
        plural: &'static str,
        /// What the API server said.
        source: kube::Error,
    },
    /// Some objects keep the finalizer.
    #[error(
        "{0} objects keep our finalizer: the log names them; run the hook again, or patch their metadata.finalizers"
    )]
    Kept(usize),
}

fn duration(text: &str) -> Result<Duration, String> {
    hearth_crds::duration::DurationText(text.to_owned()).parse().map_err(|error| error.to_string())
}

/// Does all of it; gives the number of objects that were let go.
///
/// # Errors
/// See [`UninstallError`]; nothing is let go before the operator's pods are gone.
pub async fn uninstall(client: Client, wish: &Uninstall) -> Result<usize, UninstallError> {
    scale_to_zero(&client, wish).await?;
    tokio::time::timeout(wish.timeout, pods_gone(&client, wish))
        .await
        .map_err(|_| UninstallError::StillThere(wish.timeout))??;
    info!("the operator's pods are gone");
    let mut released = 0;
    let mut kept = 0;
    for entry in registry::KINDS {
        for object in holding(&client, entry).await? {
            match release(&client, entry, object).await {
                Ok(()) => released += 1,
                Err(Kept { name, why }) => {
                    warn!(kind = entry.kind, %name, %why, "the finalizer stays");
                    kept += 1;
                }
            }
        }
    }
    info!(released, kept, "finalizers taken off");
    if kept > 0 { Err(UninstallError::Kept(kept)) } else { Ok(released) }
}

async fn scale_to_zero(client: &Client, wish: &Uninstall) -> Result<(), UninstallError> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("apps", "v1", "Deployment"), "deployments");
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &wish.namespace, &kind);
    let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
    match api.patch_scale(&wish.deployment, &PatchParams::default(), &zero).await {
        Ok(_) => Ok(()),
        Err(error) if is_not_found(&error) => Ok(()),
        Err(source) => Err(UninstallError::Scale { name: wish.deployment.clone(), source }),
    }
}

/// Returns when no pod of the operator is left.
async fn pods_gone(client: &Client, wish: &Uninstall) -> Result<(), UninstallError> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("", "v1", "Pod"), "pods");
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::namespaced_with(client.clone(), &wish.namespace, &kind);
    let config = watcher::Config::default().labels(&wish.selector);
    let events = watcher(api, config);
    pin_mut!(events);
    let mut there = BTreeSet::new();
    let mut listed = false;
    while let Some(event) = events.try_next().await? {
        match event {
            watcher::Event::Init => {
                there.clear();
                listed = false;
            }
            watcher::Event::InitApply(pod) | watcher::Event::Apply(pod) => {
                there.insert(pod.name_any());
            }
            watcher::Event::InitDone => listed = true,
            watcher::Event::Delete(pod) => {
                there.remove(&pod.name_any());
            }
        }
        if listed && there.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

/// The objects of a kind that carry our finalizer, as metadata: also those that no longer decode.
async fn holding(
    client: &Client,
    entry: &registry::KindEntry,
) -> Result<Vec<PartialObjectMeta<DynamicObject>>, UninstallError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(entry));
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = match api.list_metadata(&page).await {
            Ok(list) => list,
            // No such kind here any more: nothing of it can hold on to us.
            Err(error) if is_not_found(&error) => return Ok(found),
            Err(source) => return Err(UninstallError::List { plural: entry.plural, source }),
        };
        let more = list.metadata.continue_.clone().filter(|token| !token.is_empty());
        found.extend(list.items.into_iter().filter(has_finalizer));
        match more {
            Some(token) => page = ListParams::default().limit(PAGE).continue_token(&token),
            None => return Ok(found),
        }
    }
}

struct Kept {
    name: String,
    why: String,
}

/// Takes our finalizer off one object, and leaves all others; starts again when somebody else wrote in between.
async fn release(
    client: &Client,
    entry: &registry::KindEntry,
    mut object: PartialObjectMeta<DynamicObject>,
) -> Result<(), Kept> {
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource(entry));
    let kept = |why: String| Kept { name: format!("{namespace}/{name}"), why };
    for _ in 0..TRIES {
        let others: Vec<&String> = object.finalizers().iter().filter(|one| *one != FINALIZER).collect();
        // With the resourceVersion that was read: a list that somebody else changed since is not overwritten.
        let patch =
            Patch::Merge(json!({"metadata": {"resourceVersion": object.resource_version(), "finalizers": others}}));
        match api.patch_metadata(&name, &PatchParams::default(), &patch).await {
            Ok(_) => return Ok(()),
            Err(error) if is_not_found(&error) => return Ok(()),
            Err(error) if is_conflict(&error) => match again(&api, &name).await {
                Ok(Some(fresh)) if has_finalizer(&fresh) => object = fresh,
                Ok(_) => return Ok(()),
                Err(error) => return Err(kept(error.to_string())),
            },
            Err(error) => return Err(kept(error.to_string())),
        }
    }
    Err(kept(format!("somebody else wrote to it {TRIES} times in between")))
}

/// The object as it is now, by a list of one: the hook may list, not get.
async fn again(api: &Api<DynamicObject>, name: &str) -> Result<Option<PartialObjectMeta<DynamicObject>>, kube::Error> {
    let list = api.list_metadata(&ListParams::default().fields(&format!("metadata.name={name}"))).await?;
    Ok(list.items.into_iter().next())
}

fn resource(entry: &registry::KindEntry) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, entry.kind), entry.plural)
}

fn has_finalizer(object: &PartialObjectMeta<DynamicObject>) -> bool {
    object.finalizers().iter().any(|one| one == FINALIZER)
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_a_duration() {
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("soon").is_err());
    }
}
