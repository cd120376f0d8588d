//! What people and circumstances do to a world.

use crate::server::{ApiError, Key};
use serde_json::Value;
use std::time::Duration;

/// One deed.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Somebody creates an object.
    Create(Key, Value),
    /// Somebody applies a merge patch to an object.
    Edit(Key, Value),
    /// Somebody deletes an object.
    Delete(Key),
    /// Somebody cancels the object's current run.
    Cancel(Key),
    /// Somebody approves a step of the object's current run.
    Approve(Key, String),
    /// Somebody asks something of the object by its status; an entry without a run is about the current one.
    Request(Key, Value),
    /// Somebody deletes the working pods of a step.
    DeletePod(String),
    /// Somebody replaces the labels of a step's pods by nonsense.
    Mangle(String),
    /// Somebody takes away the one label that the watch selects a step's pods by.
    Unmanage(String),
    /// Somebody deletes the namespace.
    DeleteNamespace(String),
    /// The store goes away.
    StoreDown,
    /// The store is back.
    StoreUp,
    /// The artifact store goes away.
    ArtifactsDown,
    /// The artifact store is back.
    ArtifactsUp,
    /// The blobs of all artifacts are lost.
    LoseBlobs,
    /// The process is killed and another starts.
    Restart,
    /// Another process becomes leader; the old one does not know yet.
    Depose,
    /// The watches break and list anew.
    Relist,
    /// A quota on pods is set or lifted.
    Quota(Option<usize>),
    /// Admission refuses pods of a step (all when None), for a time or for good.
    Refuse(Option<String>, ApiError, Option<Duration>),
    /// Admission refuses nothing more.
    Allow,
    /// A stranger takes the name of the step's next pod.
    Squat(String),
    /// From now on a reconcile of this object panics.
    Panic(Key),
    /// An object as stored is replaced by something that does not decode.
    Corrupt(Key),
}
