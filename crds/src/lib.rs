//! The kinds of `hearth.dev/v1alpha1` as Rust types, with their conditions, reasons, names, rules and print columns.
//!
//! [`registry`] is the list that everything generated iterates. Nothing in here reads a clock, waits or talks to a server.

#![cfg_attr(test, allow(missing_docs, reason = "tests document themselves"))]

pub mod artifacts;
pub mod condition;
pub mod duration;
pub mod json;
pub mod name;
pub mod pod;
pub mod ranges;
pub mod registry;
pub mod request;
mod schema;
pub mod time;
pub mod trigger;
pub mod workflow;

/// The API group of every kind.
pub const GROUP: &str = "hearth.dev";
/// The only version so far.
pub const VERSION: &str = "v1alpha1";
/// `group/version`, as `apiVersion` says it.
pub const API_VERSION: &str = "hearth.dev/v1alpha1";

/// The finalizer that holds a deleted object until its record is stored.
pub const FINALIZER: &str = "hearth.dev/record";

/// Labels that Hearth puts on its children. The prefix is reserved: users' pod labels may not use it.
pub mod label {
    /// Value `hearth`, so that one watch sees all children and nothing else.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The value of [`MANAGED_BY`].
    pub const MANAGED_BY_VALUE: &str = "hearth";
    /// UID of the object that a child belongs to.
    pub const OWNER_UID: &str = "hearth.dev/owner-uid";
    /// Id of the run that a child belongs to.
    pub const RUN: &str = "hearth.dev/run-id";
    /// Name of the Workflow.
    pub const WORKFLOW: &str = "hearth.dev/workflow";
    /// Name of the step.
    pub const STEP: &str = "hearth.dev/step";
    /// Index of the item of a fan-out, from 0.
    pub const ITEM: &str = "hearth.dev/item";
    /// Number of the attempt, from 1.
    pub const ATTEMPT: &str = "hearth.dev/attempt";
    /// `attempt` for a pod that works, `placeholder` for one that only holds a name.
    pub const ROLE: &str = "hearth.dev/role";
    /// A pod that works.
    pub const ROLE_ATTEMPT: &str = "attempt";
    /// A pod that holds a name and never runs.
    pub const ROLE_PLACEHOLDER: &str = "placeholder";
    /// `Full` on a pod whose whole log is stored before it goes. Without it the pod may go.
    pub const LOGS: &str = "hearth.dev/logs";
    /// The value of [`LOGS`].
    pub const LOGS_FULL: &str = "Full";
    /// On a ControllerRevision: `spec` for a pinned spec, `spool` for a final status that waits for the store.
    pub const REVISION: &str = "hearth.dev/revision";
    /// A pinned spec.
    pub const REVISION_SPEC: &str = "spec";
    /// A final status that waits for the store.
    pub const REVISION_SPOOL: &str = "spool";
}

/// Annotations that Hearth puts on its children and on run objects.
pub mod annotation {
    /// What `/hearth/spec.json` shows inside the container.
    pub const SPEC: &str = "hearth.dev/spec";
    /// On a run object: the id of what asked for the run.
    pub const TRIGGER_ID: &str = "hearth.dev/trigger-id";
    /// On a run object: UID of the object within which that id is unique.
    pub const TRIGGER_SCOPE: &str = "hearth.dev/trigger-scope";
    /// On a run object that a step made: how many runs called each other to come to this one.
    pub const DEPTH: &str = "hearth.dev/depth";
    /// On a run object: who asked for the run.
    pub const REQUESTED_BY: &str = "hearth.dev/requested-by";
}

/// The scheduling gate of a placeholder: nothing ever lifts it.
pub const FENCE_GATE: &str = "hearth.dev/fenced";

/// The ConfigMap that holds the certificate of the operator's authority, in its own namespace and wherever pods need it.
pub const CA_CONFIG_MAP: &str = "hearth-ca";

/// The key of [`CA_CONFIG_MAP`] that holds the certificate authorities of the artifact store, when it has its own.
pub const STORE_CA_KEY: &str = "store.crt";
