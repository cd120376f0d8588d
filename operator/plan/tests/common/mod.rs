//! What tests of the Workflow kind start from.

pub mod pass;
pub mod scene;

use hearth_plan::kind::{Env, OnDelete};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// Id of a run.
pub const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// An operator's surroundings.
pub fn env() -> Env {
    Env {
        cluster_id: "cluster".into(),
        namespace_uids: BTreeMap::new(),
        run_as: Some(65532),
        fence_age: Duration::from_secs(25),
        store_name: "postgres".into(),
        on_delete: OnDelete::Hold,
        offer: Arc::default(),
    }
}
