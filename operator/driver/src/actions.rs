//! What is done beside creating: each action is one request, with a precondition wherever there can be one.

use crate::{
    error::{Class, Error},
    logs,
    pods::PodView,
    post::Parent,
    revisions::RevisionView,
    shared::Shared,
    sweep, whole_logs, work,
};
use futures::{TryStreamExt, future::try_join_all, stream, try_join};
use hearth_crds::{FINALIZER, condition::Reason};
use hearth_plan::Action;
use k8s_openapi::{
    api::{
        apps::v1::ControllerRevision,
        core::v1::{Event, EventSource, ObjectReference, Pod},
    },
    apimachinery::pkg::apis::meta::v1::Time as MetaTime,
};
use kube::{Resource, api::ObjectMeta};
use serde_json::{Value, json};
use std::sync::Arc;

/// Requests of one object that are under way at the same time.
const AT_ONCE: usize = 8;

/// The object that acts, as its metadata say.
pub(crate) struct Actor<'a, Cr> {
    pub(crate) cr: &'a Cr,
    pub(crate) parent: &'a Parent,
}

impl Shared {
    /// Does what must be done before the status is patched. Answers the object as it is then, if that changed it.
    pub(crate) async fn before<Cr>(
        &self,
        cr: &Cr,
        parent: &Parent,
        actions: &[(Action, Reason)],
    ) -> Result<(Option<Cr>, bool), Error>
    where
        Cr: Resource<DynamicType = ()> + serde::de::DeserializeOwned,
    {
        let adds_finalizer = actions.iter().any(|(a, _)| *a == Action::AddFinalizer);
        let revisions: Vec<_> = actions
            .iter()
            .filter_map(|(a, _)| if let Action::PostRevision(revision) = a { Some(revision) } else { None })
            .collect();
        let done = adds_finalizer || !revisions.is_empty();
        // Neither needs the other, and the first pod waits for both.
        let finalizer = async { if adds_finalizer { self.set_finalizer(cr, true).await.map(Some) } else { Ok(None) } };
        let posts = revisions.into_iter().map(|revision| self.post_revision(&parent.namespace, revision));
        let (newest, _) = try_join!(finalizer, try_join_all(posts))?;
        Ok((newest, done))
    }

    /// Does the rest. The finalizer goes last, and only when all else is done.
    pub(crate) async fn after<Cr>(
        self: &Arc<Self>,
        actor: Actor<'_, Cr>,
        actions: &[(Action, Reason)],
    ) -> Result<(), Error>
    where
        Cr: Resource<DynamicType = ()> + serde::de::DeserializeOwned + Sync,
    {
        let rest = actions.iter().filter(|(a, _)| !a.before_patch() && *a != Action::RemoveFinalizer);
        stream::iter(rest.map(Ok))
            .try_for_each_concurrent(AT_ONCE, |(action, reason)| self.act(&actor, action, *reason))
            .await?;
        if actions.iter().any(|(a, _)| *a == Action::RemoveFinalizer) {
            self.set_finalizer(actor.cr, false)
                .await
                .map(|_| ())
                .or_else(|e| if e.is_absent() { Ok(()) } else { Err(e) })?;
        }
        Ok(())
    }

    async fn act<Cr: Resource<DynamicType = ()>>(
        self: &Arc<Self>,
        actor: &Actor<'_, Cr>,
        action: &Action,
        reason: Reason,
    ) -> Result<(), Error> {
        let (namespace, uid) = (actor.parent.namespace.as_str(), actor.parent.uid.as_str());
        match action {
            Action::AddFinalizer | Action::PostRevision(_) | Action::RemoveFinalizer => Ok(()),
            Action::CountLostRecord { run_id } => {
                self.metrics.lost.inc();
                tracing::error!(
                    namespace,
                    name = actor.cr.meta().name,
                    run_id,
                    "the record of this run is lost: the store was away for longer than history.onDelete allows"
                );
                Ok(())
            }
            Action::DeleteRevision { name, uid } => {
                self.gone(namespace, self.calls.delete::<ControllerRevision>(namespace, name, uid).await)
            }
            Action::DeletePod { name, uid } => {
                self.metrics.strays.inc();
                self.gone(namespace, self.calls.delete::<Pod>(namespace, name, uid).await)
            }
            Action::DeleteRunPods(pods) => {
                sweep::delete(self, uid, namespace, pods);
                Ok(())
            }
            Action::Relabel { name, uid, labels } => {
                let patch = json!({"metadata": {"uid": uid, "labels": labels}});
                match self.calls.patch::<Pod, PodView>(namespace, name, &patch).await {
                    Ok(view) => self.world.pod_seen(&view),
                    Err(Error::Refused { status, .. }) if matches!(status.code, 404 | 409) => {}
                    Err(e) => return Err(e),
                }
                Ok(())
            }
            Action::PostObject { object, .. } => self.post_object::<Cr>(namespace, object).await,
            Action::DeleteObject { uid } => {
                self.calls.delete::<Cr>(namespace, actor.cr.meta().name.as_deref().unwrap_or_default(), uid).await
            }
            Action::ReadLog { name } => {
                logs::read(self, uid, namespace, name);
                Ok(())
            }
            Action::KeepLog { name, attempt } => {
                whole_logs::keep(self, uid, namespace, name, attempt);
                Ok(())
            }
            Action::LookUp { sought } => {
                work::look_up(self, uid, sought);
                Ok(())
            }
            Action::PublishEvent { warning, message } => {
                self.publish(actor, *warning, reason, message).await;
                Ok(())
            }
        }
    }

    /// A child that we may not delete any more goes with its namespace.
    pub(crate) fn gone(&self, namespace: &str, deleted: Result<(), Error>) -> Result<(), Error> {
        match deleted {
            Err(Error::Refused { status, .. }) if self.world.ends_with_its_namespace(namespace, &status) => Ok(()),
            other => other,
        }
    }

    /// Adds or takes away our finalizer and leaves all others as they are.
    pub(crate) async fn set_finalizer<Cr>(&self, cr: &Cr, held: bool) -> Result<Cr, Error>
    where
        Cr: Resource<DynamicType = ()> + serde::de::DeserializeOwned,
    {
        let meta = cr.meta();
        let patch = finalizer_patch(meta, held);
        self.calls
            .patch::<Cr, Cr>(
                meta.namespace.as_deref().unwrap_or_default(),
                meta.name.as_deref().unwrap_or_default(),
                &patch,
            )
            .await
    }

    /// A revision's name is the digest of its content: that it exists already is success.
    async fn post_revision(&self, namespace: &str, revision: &ControllerRevision) -> Result<(), Error> {
        if !self.leadership.freshened().await {
            return Err(Error::LeaseStale);
        }
        match self.calls.create::<ControllerRevision, RevisionView>(namespace, revision).await {
            Ok(view) => {
                self.world.revision_seen(&view);
                Ok(())
            }
            Err(Error::Refused { status, .. }) if status.is_already_exists() => {
                // The cache lags, or somebody took its label away, so that the watch will never show it.
                let name = revision.metadata.name.as_deref().unwrap_or_default();
                self.calls
                    .find::<ControllerRevision, RevisionView>(namespace, name)
                    .await?
                    .iter()
                    .for_each(|r| self.world.revision_seen(r));
                Ok(())
            }
            Err(e) => {
                if e.class() == Class::Terminating {
                    self.world.namespace_terminating(namespace);
                }
                Err(e)
            }
        }
    }

    /// The name of a run object says which run it asks for: that it exists already is success.
    async fn post_object<Cr: Resource<DynamicType = ()>>(&self, namespace: &str, object: &Value) -> Result<(), Error> {
        if !self.leadership.freshened().await {
            return Err(Error::LeaseStale);
        }
        match self.calls.create::<Cr, Value>(namespace, object).await {
            Ok(_) => Ok(()),
            Err(Error::Refused { status, .. }) if status.is_already_exists() => Ok(()),
            Err(e) => {
                if e.class() == Class::Terminating {
                    self.world.namespace_terminating(namespace);
                }
                Err(e)
            }
        }
    }

    /// Best effort: an Event that cannot be written must hold nothing up.
    async fn publish<Cr: Resource<DynamicType = ()>>(
        &self,
        actor: &Actor<'_, Cr>,
        warning: bool,
        reason: Reason,
        message: &str,
    ) {
        let event = event_of(actor.cr.meta(), &Cr::kind(&()), &Cr::api_version(&()), warning, reason, message);
        if let Err(error) = self.calls.create::<Event, Value>(&actor.parent.namespace, &event).await {
            tracing::info!(namespace = actor.parent.namespace, %error, "an Event was not written");
        }
    }
}

pub(crate) fn finalizer_patch(meta: &ObjectMeta, held: bool) -> Value {
    let mut finalizers: Vec<&str> =
        meta.finalizers.iter().flatten().map(String::as_str).filter(|f| *f != FINALIZER).collect();
    if held {
        finalizers.push(FINALIZER);
    }
    json!({"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": finalizers}})
}

fn event_of(meta: &ObjectMeta, kind: &str, api_version: &str, warning: bool, reason: Reason, message: &str) -> Event {
    let now = MetaTime(crate::clock::now().timestamp());
    Event {
        metadata: ObjectMeta {
            generate_name: Some(format!("{}-", meta.name.as_deref().unwrap_or("object"))),
            namespace: meta.namespace.clone(),
            ..ObjectMeta::default()
        },
        involved_object: ObjectReference {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
            name: meta.name.clone(),
            namespace: meta.namespace.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            ..ObjectReference::default()
        },
        type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
        reason: Some(reason.as_str().to_owned()),
        message: Some(message.chars().take(1024).collect()),
        source: Some(EventSource { component: Some("hearth".to_owned()), host: None }),
        reporting_component: Some("hearth.dev/operator".to_owned()),
        reporting_instance: Some("hearth".to_owned()),
        first_timestamp: Some(now.clone()),
        last_timestamp: Some(now),
        count: Some(1),
        ..Event::default()
    }
}
