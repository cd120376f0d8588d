//! Custom resources and ControllerRevisions.

use super::{ApiError, Change, Key, Reply, Server};
use crate::clock::meta_time;
use hearth_crds::time::Time;
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::{Value, json};
use std::sync::Arc;

fn at<'a>(cr: &'a Value, path: &str) -> Option<&'a str> {
    cr.pointer(path).and_then(Value::as_str)
}

fn set(cr: &mut Value, parent: &str, field: &str, value: Value) {
    if let Some(map) = cr.pointer_mut(parent).and_then(Value::as_object_mut) {
        map.insert(field.to_owned(), value);
    }
}

fn unset(cr: &mut Value, parent: &str, field: &str) {
    if let Some(map) = cr.pointer_mut(parent).and_then(Value::as_object_mut) {
        map.remove(field);
    }
}

impl Server {
    /// A person creates an object; `object` has apiVersion, kind and spec, and may have metadata.
    ///
    /// # Errors
    /// AlreadyExists, or the namespace is terminating.
    pub fn create_cr(&mut self, now: Time, key: &Key, mut object: Value) -> Result<Reply, ApiError> {
        self.refuse_terminating(&key.0)?;
        if self.crs.contains_key(key) {
            return Err(ApiError::exists(&format!("\"{}\"", key.1)));
        }
        if object.get("metadata").is_none() {
            set(&mut object, "", "metadata", json!({}));
        }
        let uid = self.next_uid();
        for (field, value) in [
            ("namespace", json!(key.0)),
            ("name", json!(key.1)),
            ("uid", json!(uid)),
            ("generation", json!(1)),
            ("creationTimestamp", json!(meta_time(now))),
        ] {
            set(&mut object, "/metadata", field, value);
        }
        unset(&mut object, "", "status");
        Ok(self.store_cr(key, object))
    }

    /// A person changes an object; a changed spec raises the generation. Status and system fields stay.
    ///
    /// # Errors
    /// NotFound.
    pub fn edit_cr(&mut self, key: &Key, edit: impl FnOnce(&mut Value)) -> Result<Reply, ApiError> {
        let old = self.crs.get(key).ok_or_else(|| ApiError::not_found(&key.1))?.clone();
        let mut new = (*old).clone();
        edit(&mut new);
        if new.get("spec") != old.get("spec") {
            let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
            set(&mut new, "/metadata", "generation", json!(generation + 1));
        }
        if new == *old { Ok(Reply::Cr(old)) } else { Ok(self.store_cr(key, new)) }
    }

    /// A person deletes an object: it goes when it has no finalizer.
    pub fn delete_cr(&mut self, now: Time, key: &Key) {
        let Some(old) = self.crs.get(key).cloned() else { return };
        if old.pointer("/metadata/deletionTimestamp").is_some() {
            return;
        }
        let held = old.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|f| !f.is_empty());
        if !held {
            return self.remove_cr(now, key);
        }
        let mut new = (*old).clone();
        let generation = old.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or(0);
        set(&mut new, "/metadata", "generation", json!(generation + 1));
        set(&mut new, "/metadata", "deletionTimestamp", json!(meta_time(now)));
        self.store_cr(key, new);
    }

    /// The operator deletes an object of that UID.
    pub(super) fn delete_cr_with(&mut self, now: Time, key: &Key, uid: &str) -> Result<Reply, ApiError> {
        let old = self.crs.get(key).ok_or_else(|| ApiError::not_found(&key.1))?;
        if at(old, "/metadata/uid") != Some(uid) {
            return Err(ApiError::conflict("the UID in the precondition does not match the UID in record"));
        }
        self.delete_cr(now, key);
        Ok(Reply::Done)
    }

    fn store_cr(&mut self, key: &Key, mut object: Value) -> Reply {
        set(&mut object, "/metadata", "resourceVersion", json!(self.next_rv()));
        let object = Arc::new(object);
        self.crs.insert(key.clone(), object.clone());
        self.journal.push(Change::Cr(key.clone(), object.clone()));
        Reply::Cr(object)
    }

    fn remove_cr(&mut self, now: Time, key: &Key) {
        let Some(old) = self.crs.remove(key) else { return };
        let uid = at(&old, "/metadata/uid").unwrap_or_default().to_owned();
        self.journal.push(Change::CrGone(key.clone(), old));
        self.collect_children(now, &key.0, &uid);
    }

    /// The garbage collector: what the object owned goes too.
    fn collect_children(&mut self, now: Time, ns: &str, uid: &str) {
        let pods: Vec<Key> = self
            .pods
            .iter()
            .filter(|(k, p)| k.0 == ns && p.metadata.owner_references.iter().flatten().any(|o| o.uid == uid))
            .map(|(k, _)| k.clone())
            .collect();
        let owned = |cr: &Value| {
            let owners = cr.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            owners.is_some_and(|o| o.iter().any(|o| at(o, "/uid") == Some(uid)))
        };
        let crs: Vec<Key> = self.crs.iter().filter(|(k, cr)| k.0 == ns && owned(cr)).map(|(k, _)| k.clone()).collect();
        crs.iter().for_each(|key| self.delete_cr(now, key));
        for key in pods {
            // Whatever it answers, the collector has done its part.
            let _ = self.delete_pod(now, &key, None);
        }
        let revisions: Vec<Key> = self
            .revisions
            .iter()
            .filter(|(k, r)| k.0 == ns && r.metadata.owner_references.iter().flatten().any(|o| o.uid == uid))
            .map(|(k, _)| k.clone())
            .collect();
        for key in revisions {
            self.remove_revision(&key);
        }
    }

    fn precondition(&self, key: &Key, rv: &str) -> Result<Arc<Value>, ApiError> {
        let old = self.crs.get(key).ok_or_else(|| ApiError::not_found(&format!("\"{}\"", key.1)))?;
        if at(old, "/metadata/resourceVersion") == Some(rv) {
            Ok(old.clone())
        } else {
            Err(ApiError::conflict(
                "the object has been modified; please apply your changes to the latest version and try again",
            ))
        }
    }

    pub(super) fn set_finalizers(
        &mut self,
        now: Time,
        key: &Key,
        rv: &str,
        finalizers: &[String],
    ) -> Result<Reply, ApiError> {
        let old = self.precondition(key, rv)?;
        let mut new = (*old).clone();
        if finalizers.is_empty() {
            unset(&mut new, "/metadata", "finalizers");
        } else {
            set(&mut new, "/metadata", "finalizers", json!(finalizers));
        }
        if finalizers.is_empty() && new.pointer("/metadata/deletionTimestamp").is_some() {
            self.remove_cr(now, key);
            return Ok(Reply::Cr(Arc::new(new)));
        }
        Ok(if new == *old { Reply::Cr(old) } else { self.store_cr(key, new) })
    }

    pub(super) fn set_status(&mut self, key: &Key, rv: &str, status: Value) -> Result<Reply, ApiError> {
        let old = self.precondition(key, rv)?;
        let mut new = (*old).clone();
        set(&mut new, "", "status", status);
        Ok(if new == *old { Reply::Cr(old) } else { self.store_cr(key, new) })
    }

    pub(super) fn create_revision(
        &mut self,
        now: Time,
        ns: &str,
        mut revision: ControllerRevision,
    ) -> Result<Reply, ApiError> {
        self.refuse_terminating(ns)?;
        let name = revision.metadata.name.clone().unwrap_or_default();
        let key = (ns.to_owned(), name.clone());
        if self.revisions.contains_key(&key) {
            return Err(ApiError::exists(&format!("controllerrevisions.apps \"{name}\"")));
        }
        revision.metadata.namespace = Some(ns.to_owned());
        revision.metadata.uid = Some(self.next_uid());
        revision.metadata.creation_timestamp = Some(meta_time(now));
        revision.metadata.resource_version = Some(self.next_rv());
        let revision = Arc::new(revision);
        self.revisions.insert(key, revision.clone());
        self.journal.push(Change::Revision(revision));
        Ok(Reply::Done)
    }

    pub(super) fn delete_revision(&mut self, key: &Key, uid: &str) -> Result<Reply, ApiError> {
        let old = self.revisions.get(key).ok_or_else(|| ApiError::not_found(&key.1))?;
        if old.metadata.uid.as_deref() != Some(uid) {
            return Err(ApiError::conflict("the UID in the precondition does not match the UID in record"));
        }
        self.remove_revision(key);
        Ok(Reply::Done)
    }

    pub(super) fn remove_revision(&mut self, key: &Key) {
        if let Some(old) = self.revisions.remove(key) {
            self.journal.push(Change::RevisionGone(old));
        }
    }
}
