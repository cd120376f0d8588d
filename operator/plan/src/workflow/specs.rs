//! The specs that a pass works with: the object's own, and the one that its run is pinned to.

use super::{
    build::Owner,
    digest, run_object,
    template::{self, Unresolved},
    valid::{Invalid, Valid, invalid},
    validate::validate,
};
use crate::{
    facts::Facts,
    offer::{Offer, Runtime},
};
use hearth_crds::workflow::{Run, Workflow, WorkflowSpec};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// The specs of one object, checked. Specs that stay the same are checked once.
#[derive(Clone, Debug)]
pub struct Specs {
    generation: Option<i64>,
    /// UID and generation of the template that `from` names.
    template: Option<(String, i64)>,
    /// The object's own spec.
    pub current: Arc<Spec>,
    pinned: Option<Arc<Spec>>,
}

/// A spec that was checked.
#[derive(Debug)]
pub struct Spec {
    /// Digest of the run-affecting fields as the user wrote them: a run of a template names the template.
    pub digest: String,
    /// Name of the revision that pins it: that of what is run, the template's steps included.
    pub revision: String,
    /// The run-affecting fields of what is run.
    pub written: Value,
    /// The entries of the catalog that it uses: pinned with it, so that a new catalog changes no run that is under way.
    pub runtimes: BTreeMap<String, Runtime>,
    /// What can run, or what is wrong.
    pub checked: Result<Valid, Invalid>,
    /// It is not wrong, but its template is not there yet.
    pub waits: bool,
}

impl Spec {
    fn of(cr: &Workflow, facts: &Facts, offer: &Offer) -> Self {
        let owner = Owner::of(cr);
        let own = digest::run_affecting(&cr.spec);
        let own_digest = digest::digest_of(&own);
        let name = |digest: &str| digest::revision_name(&owner.name, &owner.uid, digest);
        match template::effective(&owner.name, &cr.spec, |t| facts.peers.get(t).cloned()) {
            Ok(effective) => {
                let written = if cr.spec.from.is_some() { digest::run_affecting(&effective) } else { own };
                let runtimes = used(&effective, offer);
                let revision = name(&pinned_digest(&written, &runtimes));
                let checked = run_object::check(cr)
                    .and_then(|()| not_itself(&owner.name, &effective))
                    .and_then(|()| validate(&effective, offer).map_err(|e| template::named(&cr.spec, e)));
                Self { digest: own_digest, revision, written, runtimes, checked, waits: false }
            }
            Err(unresolved) => {
                let (why, waits) = match unresolved {
                    Unresolved::Missing(why) => (why, true),
                    Unresolved::Wrong(why) => (why, false),
                };
                let revision = name(&own_digest);
                Self { revision, digest: own_digest, written: own, runtimes: BTreeMap::new(), checked: Err(why), waits }
            }
        }
    }
}

impl Specs {
    /// Checks the specs of `cr`. Those that `last` holds already are taken over.
    #[must_use]
    pub fn of(cr: &Workflow, facts: &Facts, offer: &Offer, last: Option<&Self>) -> Self {
        let generation = cr.metadata.generation;
        let from = cr.spec.from.as_ref().and_then(|from| facts.peers.get(&from.workflow));
        let template = from.map(|t| (t.uid.clone(), t.generation));
        let current = last
            .filter(|l| generation.is_some() && l.generation == generation && l.template == template)
            .map_or_else(|| Arc::new(Spec::of(cr, facts, offer)), |l| Arc::clone(&l.current));
        let run = cr.status.as_ref().and_then(|s| s.run.as_ref()).filter(|r| r.revision != current.revision);
        let pinned = run.and_then(|run| {
            let known = last.and_then(|l| l.pinned.clone()).filter(|p| p.revision == run.revision);
            known.or_else(|| from_revision(run, facts, offer).map(Arc::new))
        });
        Self { generation, template, current, pinned }
    }

    /// The spec that `run` is pinned to; None when its revision is not there.
    #[must_use]
    pub fn pinned(&self, run: &Run) -> Option<&Spec> {
        let known = [Some(&self.current), self.pinned.as_ref()].into_iter().flatten().map(|s| &**s);
        known.into_iter().find(|s| s.revision == run.revision)
    }

    /// Whether `run` runs the object's own spec.
    #[must_use]
    pub fn is_current(&self, run: &Run) -> bool {
        run.digest == self.current.digest
    }
}

/// A Workflow that runs itself would never end.
fn not_itself(name: &str, spec: &WorkflowSpec) -> Result<(), Invalid> {
    let steps = spec.steps.iter().chain(spec.on_exit.as_deref());
    let itself = steps.filter(|s| s.workflow.as_ref().is_some_and(|w| w.name == name)).map(|s| s.name.as_str());
    match itself.into_iter().next() {
        Some(step) => {
            invalid(format!("spec.steps[{step}].workflow.ref"), "names the object itself: name another Workflow")
        }
        None => Ok(()),
    }
}

/// The digest is the one that the run was started with, whatever this version would make of the spec.
fn from_revision(run: &Run, facts: &Facts, offer: &Offer) -> Option<Spec> {
    let data: Value = serde_json::from_str(&facts.revisions.get(&run.revision)?.data).ok()?;
    let written = data.get("spec")?;
    let spec: WorkflowSpec = serde_json::from_value(written.clone()).ok()?;
    let runtimes = data.get("runtimes").cloned().unwrap_or_else(|| json!({}));
    let pinned = Offer { runtimes: serde_json::from_value(runtimes).ok()?, artifacts: offer.artifacts.clone() };
    Some(Spec {
        digest: run.digest.clone(),
        revision: run.revision.clone(),
        written: written.clone(),
        checked: validate(&spec, &pinned),
        runtimes: pinned.runtimes,
        waits: false,
    })
}

/// The entries of the catalog that a spec names.
fn used(spec: &WorkflowSpec, offer: &Offer) -> BTreeMap<String, Runtime> {
    let names = spec.steps.iter().chain(spec.on_exit.as_deref()).filter_map(|s| s.runtime.as_ref());
    names.filter_map(|name| Some((name.clone(), offer.runtimes.get(name)?.clone()))).collect()
}

/// The digest of what a revision pins.
fn pinned_digest(written: &Value, runtimes: &BTreeMap<String, Runtime>) -> String {
    if runtimes.is_empty() {
        return digest::digest_of(written);
    }
    digest::digest_of(&json!({"spec": written, "runtimes": runtimes}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RevisionFact, facts::Peer, workflow::build};

    fn offering(image: &str) -> Offer {
        let shape = Runtime { image: image.to_owned(), ..Runtime::default() };
        Offer { runtimes: [("shape".to_owned(), shape)].into(), artifacts: None }
    }

    fn image(spec: &Spec) -> &str {
        &spec.checked.as_ref().unwrap().steps[0].image
    }

    #[test]
    fn specs_are_checked_again_when_the_object_or_its_template_changed() {
        let cr = |generation: i64| -> Workflow {
            serde_json::from_value(json!({
                "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
                "metadata": {"name": "demo", "namespace": "lab", "uid": "u", "generation": generation},
                "spec": {"from": {"workflow": "base"}},
            }))
            .unwrap()
        };
        let facts = |uid: &str, generation: i64, image: &str| {
            let spec = json!({"runPolicy": "Manual", "steps": [{"name": "a", "image": image}]});
            let peer = Peer { uid: uid.into(), generation, spec, ..Peer::default() };
            Facts { peers: [("base".to_owned(), peer)].into(), ..Facts::default() }
        };
        let offer = Offer::default();
        let last = Specs::of(&cr(1), &facts("t", 1, "shape:1"), &offer, None);
        let now = |cr: &Workflow, facts: &Facts| Specs::of(cr, facts, &offer, Some(&last)).current;
        assert!(Arc::ptr_eq(&now(&cr(1), &facts("t", 1, "shape:1")), &last.current), "nothing changed");
        assert_eq!(image(&now(&cr(1), &facts("t", 2, "shape:2"))), "shape:2", "the template was changed");
        assert_eq!(image(&now(&cr(1), &facts("v", 1, "shape:2"))), "shape:2", "the template was made anew");
        assert!(!Arc::ptr_eq(&now(&cr(2), &facts("t", 1, "shape:1")), &last.current), "the object was changed");
    }

    #[test]
    fn a_run_keeps_its_runtimes() {
        let mut cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": "demo", "namespace": "lab", "uid": "u", "generation": 1},
            "spec": {"steps": [{"name": "a", "runtime": "shape"}]},
        }))
        .unwrap();
        let before = Specs::of(&cr, &Facts::default(), &offering("shape:1"), None).current;
        cr.status = serde_json::from_value(json!({"run": {
            "id": "r", "number": 1, "seq": 1, "revision": before.revision, "digest": before.digest, "generation": 1,
            "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z"}}))
        .unwrap();
        let data = build::revision(&cr, &before).data.unwrap().0.to_string().into();
        let name = before.revision.clone();
        let revision =
            RevisionFact { name: name.clone(), uid: "v".into(), role: "spec".into(), created_at: None, data };
        let facts = Facts { revisions: [(name, revision.into())].into(), ..Facts::default() };
        let after = Specs::of(&cr, &facts, &offering("shape:2"), None);
        let run = cr.status.as_ref().unwrap().run.as_ref().unwrap();
        assert!(after.is_current(run), "another catalog is no changed spec");
        assert_ne!(after.current.revision, run.revision, "but the next run is pinned to it");
        assert_eq!((image(after.pinned(run).unwrap()), image(&after.current)), ("shape:1", "shape:2"));
        let without = Specs::of(&cr, &Facts::default(), &offering("shape:2"), Some(&after));
        assert_eq!(image(without.pinned(run).unwrap()), "shape:1", "the revision may go");
        let mut next = cr.clone();
        next.status.as_mut().unwrap().run.as_mut().unwrap().revision = "another".into();
        let next_run = next.status.as_ref().unwrap().run.as_ref().unwrap();
        let after = Specs::of(&next, &Facts::default(), &offering("shape:2"), Some(&after));
        assert!(after.pinned(next_run).is_none() && after.pinned(run).is_none(), "what is kept is not of this run");
    }
}
