//! Objects that cannot be handled: they are parked with a reason, and all others go on.

use crate::{controller::Controller, error::Error, owner::Key, shared::Shared};
use hearth_crds::FINALIZER;
use hearth_plan::{
    Kind, Record,
    kind::RunMark,
    record::{ObjectKey, RecordBatch},
};
use kube::{Resource, api::ObjectMeta};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Parks an object that does not decode, or whose decision panicked, and records and releases it when it is being deleted.
///
/// It reads the object as it is stored, since what does not decode is known by its metadata alone.
pub(crate) async fn park<K: Kind>(controller: &Controller<K>, meta: &ObjectMeta, message: &str) -> Result<(), Error> {
    let shared = &controller.shared;
    let uid = meta.uid.clone().unwrap_or_default();
    let key =
        Key { namespace: meta.namespace.clone().unwrap_or_default(), name: meta.name.clone().unwrap_or_default() };
    if meta.deletion_timestamp.is_none() && controller.parked(&uid, meta.generation, message) {
        return Ok(());
    }
    let found: Option<Value> = shared.calls.get::<K::Cr, _>(&key.namespace, &key.name).await?;
    let Some(raw) = found.filter(|o| text(o, "/metadata/uid") == Some(&uid)) else { return Ok(()) };
    if text(&raw, "/metadata/deletionTimestamp").is_some() {
        return release::<K>(shared, &uid, &key, &raw).await;
    }
    let generation = raw.pointer("/metadata/generation").and_then(Value::as_i64);
    let old = raw.get("status");
    let words = located::<K>(&raw).unwrap_or_else(|| message.to_owned());
    let status = K::poisoned(old, generation, &words, crate::clock::now());
    if old != Some(&status) {
        let current = raw.get("metadata").and_then(|m| ObjectMeta::deserialize(m).ok()).unwrap_or_else(|| meta.clone());
        let _written: Value = shared.calls.replace_status::<K::Cr, _>(&current, &status).await?;
        shared.metrics.status_patches.inc();
    }
    controller.park(&uid, generation, message);
    Ok(())
}

/// Which field does not decode, and what to do, if that is what is wrong.
fn located<K: Kind>(raw: &Value) -> Option<String> {
    let wrong = serde_path_to_error::deserialize::<_, K::Cr>(raw).err()?;
    Some(format!(
        "the object does not decode: {}: {}: put this field right, or delete the object",
        wrong.path(),
        wrong.inner()
    ))
}

/// Stores what can be known of the object, and lets it go when the store has it.
async fn release<K: Kind>(shared: &Arc<Shared>, uid: &str, key: &Key, raw: &Value) -> Result<(), Error> {
    if !raw.pointer("/metadata/finalizers").and_then(Value::as_array).is_some_and(|f| f.iter().any(|f| f == FINALIZER))
    {
        return Ok(());
    }
    let records = K::salvage(raw, &shared.world.env());
    let run = records.iter().find_map(|r| match r {
        Record::Run(run) => Some((run.id.clone(), run.seq)),
        Record::Step(_) | Record::Event(_) | Record::Lineage(_) => None,
    });
    if let Some((run_id, seq)) = run {
        let stored = shared
            .world
            .facts(uid, &key.namespace, &RunMark::default(), true)
            .stored
            .get(&run_id)
            .is_some_and(|s| *s >= seq);
        if !stored {
            let object = ObjectKey {
                kind: K::KIND.to_owned(),
                namespace: key.namespace.clone(),
                name: key.name.clone(),
                uid: uid.to_owned(),
            };
            let taken = shared.offer(RecordBatch { object, run_id, seq, last: true, records });
            // The acknowledgement wakes the object; a full channel is tried again by the error's pause.
            return if taken {
                Ok(())
            } else {
                Err(Error::NoAnswer {
                    what: "storing what is left of the object".into(),
                    cause: "the channel is full".into(),
                })
            };
        }
    }
    let meta: ObjectMeta = serde_json::from_value(raw.get("metadata").cloned().unwrap_or_default())
        .map_err(|e| Error::Unsendable { what: "releasing the object".into(), cause: e.to_string() })?;
    let patch = crate::actions::finalizer_patch(&meta, false);
    shared
        .calls
        .patch::<K::Cr, Value>(&key.namespace, &key.name, &patch)
        .await
        .map(|_| ())
        .or_else(|e| if e.is_absent() { Ok(()) } else { Err(e) })
}

fn text<'a>(object: &'a Value, path: &str) -> Option<&'a str> {
    object.pointer(path).and_then(Value::as_str)
}

/// The words of a panic.
pub(crate) fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without words".to_owned())
}

/// Metadata of an object, as the key of its memory.
pub(crate) fn uid_of<R: Resource>(object: &R) -> String {
    object.meta().uid.clone().unwrap_or_default()
}
