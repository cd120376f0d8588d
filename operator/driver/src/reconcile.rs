//! One pass over one object, in the order that the protocol asks for.

use crate::{
    actions::Actor,
    controller::Controller,
    error::Error,
    park::words,
    post::{Body, Parent, Round},
    records, stop_here,
};
use hearth_plan::{
    Accepted, Facts, Kind, Plan,
    kind::{Env, Intent},
};
use kube::Resource;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// How often a pod is asked for that the watch does not show.
const UNWATCHED: Duration = Duration::from_secs(5);

/// When the object is looked at next, if nothing happens before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// At once: something was done whose answer the next decision needs.
    Now,
    /// After a while.
    After(Duration),
    /// When something happens.
    Event,
}

/// gather → plan → finalizer and revision → status → creates and fences → rows → the rest.
pub(crate) async fn reconcile<K: Kind>(controller: &Controller<K>, seen: Arc<K::Cr>) -> Result<Next, Error> {
    let shared = &controller.shared;
    let cr = controller.newest(seen);
    let pass = Pass::gather(controller, &cr).await?;
    let plan = pass.decide(&cr)?;
    let (changed, prepared) = shared.before(&*cr, &pass.parent, &plan.actions).await?;
    let cr = changed.map_or(cr, |c| controller.wrote(c));
    // An answer that was lost may have been a yes: then all rows are due.
    let lost = |_: &Error| controller.set_due(&pass.parent.uid);
    let (cr, old, accepted) = pass.write_status(cr, plan.status.as_ref()).await.inspect_err(lost)?;
    let mut round = Round::default();
    if let Some(accepted) = &accepted {
        round = pass.create(&cr, accepted, &plan.intents, Body::Work).await?;
        round = round.merge(pass.create(&cr, accepted, &plan.fences, Body::Placeholder).await?);
        pass.record(&cr, old.as_ref(), accepted, plan.status.is_some())?;
    }
    shared.after(Actor { cr: &*cr, parent: &pass.parent }, &plan.actions).await?;
    pass.next(&plan, round, prepared && plan.status.is_none())
}

/// What one pass works with.
struct Pass<'a, K: Kind> {
    controller: &'a Controller<K>,
    parent: Parent,
    facts: Facts,
    specs: Arc<K::Specs>,
    /// Some pod must be asked for again soon, since the watch does not show it.
    unwatched: bool,
    env: Arc<Env>,
}

impl<'a, K: Kind> Pass<'a, K> {
    async fn gather(controller: &'a Controller<K>, cr: &K::Cr) -> Result<Self, Error> {
        let shared = &controller.shared;
        let meta = cr.meta();
        let parent =
            Parent { uid: meta.uid.clone().unwrap_or_default(), namespace: meta.namespace.clone().unwrap_or_default() };
        let mark = K::status(cr).map(K::mark).unwrap_or_default();
        let unwatched = shared.clear_up(&parent).await?;
        let store_up = *shared.to_store.up.borrow();
        let mut facts = shared.world.facts(&parent.uid, &parent.namespace, &mark, store_up);
        facts.peers = controller.peers(cr);
        controller.note_mark(&parent.uid, &mark);
        let env = shared.world.env();
        let last = controller.last_specs(&parent.uid);
        let specs = Arc::new(pure(|| K::specs(cr, &facts, &env, last.as_deref()))?);
        controller.keep_specs(&parent.uid, (!mark.stored).then(|| Arc::clone(&specs)));
        #[cfg(feature = "failpoints")]
        crate::failpoint::note::<K>(cr);
        Ok(Self { controller, parent, facts, specs, unwatched, env })
    }

    /// The pure part. A panic in it is an error like any other.
    fn decide(&self, cr: &K::Cr) -> Result<Plan<K::Status>, Error> {
        let plan = pure(|| {
            #[cfg(feature = "failpoints")]
            crate::failpoint::panic_on(cr.meta());
            K::plan(cr, &self.specs, &self.facts, &self.env, crate::clock::now())
        })?;
        self.controller.unpark(&self.parent.uid);
        for note in &plan.notes {
            tracing::debug!(namespace = self.parent.namespace, name = cr.meta().name, subject = ?note.subject, reason = note.reason.as_str(), "{}", note.message);
        }
        Ok(plan)
    }

    /// The one write that carries facts and intents. What comes back is what was accepted.
    async fn write_status(
        &self,
        cr: Arc<K::Cr>,
        status: Option<&K::Status>,
    ) -> Result<(Arc<K::Cr>, Option<K::Status>, Option<Accepted<K::Status>>), Error> {
        let old = K::status(&cr).cloned();
        let Some(status) = status else {
            let accepted = old.clone().map(Accepted::by_server);
            return Ok((cr, old, accepted));
        };
        stop_here!("before-patch", &self.parent.uid);
        let answer: K::Cr = self.controller.shared.calls.replace_status::<K::Cr, _>(cr.meta(), status).await?;
        #[cfg(feature = "failpoints")]
        crate::failpoint::note::<K>(&answer);
        stop_here!("after-patch", &self.parent.uid);
        self.controller.shared.metrics.status_patches.inc();
        let cr = self.controller.wrote(answer);
        let accepted = K::status(&cr).cloned().map(Accepted::by_server);
        Ok((cr, old, accepted))
    }

    /// Creates what the accepted status intends, or the placeholders in their stead.
    async fn create(
        &self,
        cr: &K::Cr,
        accepted: &Accepted<K::Status>,
        intents: &[Intent],
        body: Body,
    ) -> Result<Round, Error> {
        if intents.is_empty() {
            return Ok(Round::default());
        }
        let starts = pure(|| K::starts(cr, &self.specs, accepted, intents, &self.env))?;
        Ok(self.controller.shared.create(&self.parent, &starts, body).await)
    }

    /// Rows of what changed; or all of them, once after a start and whenever the channel was full.
    fn record(
        &self,
        cr: &K::Cr,
        old: Option<&K::Status>,
        accepted: &Accepted<K::Status>,
        patched: bool,
    ) -> Result<(), Error> {
        let due = self.controller.take_due(&self.parent.uid);
        let mut taken = true;
        if patched || due {
            let old = old.filter(|_| !due);
            if let Some(batch) = pure(|| K::records(cr, &self.specs, old, accepted, &self.facts, &self.env))? {
                if batch.last && patched {
                    stop_here!("after-terminal-patch", &self.parent.uid);
                }
                taken = self.controller.shared.offer(batch);
            }
            if taken {
                self.controller.note_offered(&self.parent.uid, K::mark(accepted.status()));
            } else {
                self.controller.set_due(&self.parent.uid);
            }
        }
        for (name, spool) in self.facts.revisions.iter().filter(|(_, r)| r.role == hearth_crds::label::REVISION_SPOOL) {
            if self.controller.take_spool(&self.parent.uid, name)
                && let Some(batch) = pure(|| K::spooled(cr, spool, &self.env))?
                && !self.controller.shared.offer(batch)
            {
                self.controller.set_spool_due(&self.parent.uid, name);
            }
        }
        Ok(())
    }

    fn next(&self, plan: &Plan<K::Status>, round: Round, again: bool) -> Result<Next, Error> {
        if let Some(error) = round.error {
            return Err(error);
        }
        if round.news || again {
            return Ok(Next::Now);
        }
        let offer = self.controller.is_due(&self.parent.uid).then_some(records::AGAIN);
        let unwatched = self.unwatched.then_some(UNWATCHED);
        let soonest = [plan.requeue, round.again, offer, unwatched].into_iter().flatten().min();
        Ok(soonest.map_or(Next::Event, Next::After))
    }
}

/// Runs a pure decision; a panic is caught here, where nothing is half done.
fn pure<T>(decision: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(decision)).map_err(|p| Error::Panicked(words(&*p)))
}
