//! What has become of an object whose run the store still believes to be running.

use crate::{error::Error, shared::Shared};
use hearth_plan::{Kind, record::ObjectKey};
use serde_json::Value;

/// What a live GET says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The object is at that run.
    Current,
    /// The object is gone, or another one has its name.
    Gone,
    /// The object has gone on to another run.
    LaterRun,
}

/// Asks the API server, not the cache.
///
/// # Errors
/// The API server gave no clear answer.
pub async fn of<K: Kind>(shared: &Shared, object: &ObjectKey, run_id: &str) -> Result<Fate, Error> {
    let found: Option<Value> = shared.calls.get::<K::Cr, _>(&object.namespace, &object.name).await?;
    let uid = |o: &Value| o.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    Ok(match found {
        Some(o) if uid(&o).as_deref() == Some(&object.uid) => {
            let run = o.pointer("/status/run/id").and_then(Value::as_str);
            if run.is_none_or(|r| r == run_id) { Fate::Current } else { Fate::LaterRun }
        }
        Some(_) | None => Fate::Gone,
    })
}
