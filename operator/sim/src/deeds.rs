//! How deeds change a world.

use crate::{
    act::Act,
    server::{Actor, Key, Refuse, Write, is_gated},
    world::World,
};
use hearth_crds::label;
use hearth_plan::Kind;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

impl<K: Kind> World<K> {
    pub(crate) fn perform(&mut self, act: Act) {
        let now = self.now;
        match act {
            // A person who is told no has changed nothing.
            Act::Create(key, object) => drop(self.server.create_cr(now, &key, object)),
            Act::Edit(key, patch) => drop(self.server.edit_cr(&key, |cr| merge(cr, &patch))),
            Act::Delete(key) => self.server.delete_cr(now, &key),
            Act::Cancel(key) => self.cancel(&key),
            Act::Approve(key, step) => self.approve(&key, &step),
            Act::Request(key, entry) => self.request(&key, entry),
            Act::DeletePod(step) => {
                for key in self.pods_of_step(&step) {
                    self.server.delete_pod_by_hand(now, &key);
                }
            }
            Act::Mangle(step) => {
                for key in self.pods_of_step(&step) {
                    self.mangle(&key);
                }
            }
            Act::Unmanage(step) => {
                for key in self.pods_of_step(&step) {
                    let Some(uid) = self.server.get_pod(&key).and_then(|p| p.metadata.uid.clone()) else { continue };
                    self.server.update_pod(&key, &uid, |pod| {
                        if let Some(labels) = pod.metadata.labels.as_mut() {
                            labels.remove(label::MANAGED_BY);
                        }
                    });
                }
            }
            Act::DeleteNamespace(ns) => self.server.delete_namespace(now, &ns),
            Act::StoreDown => self.store.up = false,
            Act::StoreUp => self.store.up = true,
            Act::ArtifactsDown => self.whole_logs.up = false,
            Act::ArtifactsUp => {
                self.whole_logs.up = true;
                // What waits for it tries again by itself.
                for driver in &mut self.drivers {
                    let keys = driver.cache.all();
                    driver.wake(keys, now);
                }
            }
            Act::LoseBlobs => self.store.lost_blobs = true,
            Act::Restart => self.restart(),
            Act::Depose => self.depose(),
            Act::Relist => {
                let server = &self.server;
                for driver in &mut self.drivers {
                    let keys = driver.cache.relist(server);
                    driver.wake(keys, now);
                }
            }
            Act::Quota(limit) => self.server.quota = limit,
            Act::Refuse(step, error, length) => {
                self.server.refusals.push(Refuse { step, error, until: length.map(|d| now.after(d)) })
            }
            Act::Allow => self.server.refusals.clear(),
            Act::Squat(step) => self.server.squats.push(step),
            Act::Panic(key) => self.panic_on(key),
            Act::Corrupt(key) => drop(self.server.edit_cr(&key, |cr| {
                if let Some(cr) = cr.as_object_mut() {
                    cr.insert("spec".to_owned(), json!({"steps": "none"}));
                }
            })),
        }
    }

    fn cancel(&mut self, key: &Key) {
        let run = self.server.cr(key).and_then(|cr| cr.pointer("/status/run/id")).cloned();
        if let Some(run) = run {
            drop(self.server.edit_cr(key, |cr| merge(cr, &json!({"spec": {"cancel": {"run": run}}}))));
        }
    }

    fn approve(&mut self, key: &Key, step: &str) {
        let run = self.server.crs().get(key).and_then(|cr| cr.pointer("/status/run/id")).cloned();
        if let Some(run) = run {
            drop(self.server.edit_cr(key, |cr| merge(cr, &json!({"spec": {"approve": [{"step": step, "run": run}]}}))));
        }
    }

    /// As server-side apply adds it: the same id again changes nothing.
    fn request(&mut self, key: &Key, mut entry: Value) {
        let Some(cr) = self.server.cr(key) else { return };
        let run = cr.pointer("/status/run/id").cloned();
        let mut requests = cr.pointer("/status/requests").and_then(Value::as_array).cloned().unwrap_or_default();
        if requests.iter().any(|r| r.get("id") == entry.get("id")) {
            return;
        }
        let about_run = matches!(entry.get("kind").and_then(Value::as_str), Some("Cancel" | "Approve"));
        let at = json!(self.now);
        if let Some(fields) = entry.as_object_mut() {
            fields.entry("by").or_insert(json!("ada"));
            fields.entry("at").or_insert(at);
            if let Some(run) = run.filter(|_| about_run) {
                fields.entry("run").or_insert(run);
            }
        }
        requests.push(entry);
        drop(self.server.edit_cr(key, |cr| merge(cr, &json!({"status": {"requests": requests}}))));
    }

    /// The working pods of a step, as they were posted for it, whatever their labels say.
    #[must_use]
    pub fn pods_of_step(&self, step: &str) -> Vec<Key> {
        let is = |uid: &str| self.server.intent_of(uid).is_some_and(|i| i.step == step);
        self.server
            .pods()
            .iter()
            .filter(|(_, p)| !is_gated(p) && p.metadata.uid.as_deref().is_some_and(is))
            .map(|(k, _)| k.clone())
            .collect()
    }

    /// Half of the labels get nonsense values; the one that the watch selects by goes.
    fn mangle(&mut self, key: &Key) {
        let Some(uid) = self.server.get_pod(key).and_then(|p| p.metadata.uid.clone()) else { return };
        self.server.update_pod(key, &uid, |pod| {
            let mut labels: BTreeMap<String, String> = pod.metadata.labels.clone().unwrap_or_default();
            labels.remove(label::MANAGED_BY);
            labels.insert(label::ATTEMPT.to_owned(), "many".to_owned());
            labels.insert(label::RUN.to_owned(), "another".to_owned());
            labels.insert(label::OWNER_UID.to_owned(), String::new());
            labels.remove(label::STEP);
            pod.metadata.labels = Some(labels);
        });
    }

    /// A deletion by somebody who is not the operator, of whatever sort.
    pub fn delete_pod(&mut self, key: &Key) {
        // Deleting what is not there is no event.
        let _ = self.server.apply(self.now, Actor::User, Write::DeletePod { key: key.clone(), uid: None });
    }

    /// The raw object as stored.
    #[must_use]
    pub fn raw(&self, key: &Key) -> Option<Arc<Value>> {
        self.server.crs().get(key).cloned()
    }
}

/// A JSON merge patch (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else { return };
    for (field, value) in patch {
        if value.is_null() {
            target.remove(field);
        } else {
            merge(target.entry(field.clone()).or_insert(Value::Null), value);
        }
    }
}
