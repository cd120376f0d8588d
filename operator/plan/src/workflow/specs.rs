//! The specs that a pass works with: the object's own, and the one that its run is pinned to.

use super::{
    digest,
    validate::{Invalid, Valid, validate},
};
use crate::facts::Facts;
use hearth_crds::workflow::{Run, Workflow, WorkflowSpec};
use serde_json::Value;
use std::sync::Arc;

/// The specs of one object, checked. Specs that stay the same are checked once.
#[derive(Clone, Debug)]
pub struct Specs {
    generation: Option<i64>,
    /// The object's own spec.
    pub current: Arc<Spec>,
    pinned: Option<Arc<Spec>>,
}

/// A spec that was checked.
#[derive(Debug)]
pub struct Spec {
    /// Digest of the run-affecting fields.
    pub digest: String,
    /// The run-affecting fields as the user wrote them.
    pub written: Value,
    /// What can run, or what is wrong.
    pub checked: Result<Valid, Invalid>,
}

impl Spec {
    fn of(spec: &WorkflowSpec) -> Self {
        let written = digest::run_affecting(spec);
        Self { digest: digest::digest_of(&written), written, checked: validate(spec) }
    }
}

impl Specs {
    /// Checks the specs of `cr`. Those that `last` holds already are taken over.
    #[must_use]
    pub fn of(cr: &Workflow, facts: &Facts, last: Option<&Self>) -> Self {
        let generation = cr.metadata.generation;
        let current = last
            .filter(|l| generation.is_some() && l.generation == generation)
            .map_or_else(|| Arc::new(Spec::of(&cr.spec)), |l| Arc::clone(&l.current));
        let run = cr.status.as_ref().and_then(|s| s.run.as_ref()).filter(|r| r.digest != current.digest);
        let pinned = run.and_then(|run| {
            let known = last.and_then(|l| l.pinned.clone()).filter(|p| p.digest == run.digest);
            known.or_else(|| from_revision(run, facts).map(Arc::new))
        });
        Self { generation, current, pinned }
    }

    /// The spec that `run` is pinned to; None when its revision is not there.
    #[must_use]
    pub fn pinned(&self, run: &Run) -> Option<&Spec> {
        [Some(&self.current), self.pinned.as_ref()].into_iter().flatten().map(|s| &**s).find(|s| s.digest == run.digest)
    }

    /// Whether `run` runs the object's own spec.
    #[must_use]
    pub fn is_current(&self, run: &Run) -> bool {
        run.digest == self.current.digest
    }
}

/// The digest is the one that the run was started with, whatever this version would make of the spec.
fn from_revision(run: &Run, facts: &Facts) -> Option<Spec> {
    let written = facts.revisions.get(&run.revision)?.data.get("spec")?;
    let spec: WorkflowSpec = serde_json::from_value(written.clone()).ok()?;
    Some(Spec { digest: run.digest.clone(), written: written.clone(), checked: validate(&spec) })
}
