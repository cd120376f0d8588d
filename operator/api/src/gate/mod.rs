//! The one way to the rows: nothing is read for anybody who may not see it.
//!
//! The store is a private field of [`Gate`], every query asks for the [`Identity`] that authentication made, and what
//! belongs to a run is given only for an [`Authorized`] run, which only this module can make.
//!
//! A row carries the UID of the namespace it was made in. When a namespace is deleted and another gets its name, the
//! rights in the new one say nothing about the rows of the old one: those need the right in all namespaces.

mod audit;
mod lineage;
mod report;
mod request;
mod trigger;

pub use lineage::Reach;
pub use request::Ask;
pub use trigger::Trigger;

use crate::{
    authz::{Authorizer, Right},
    cluster::{Cluster, ClusterAway},
    identity::Identity,
    refused::Refused,
    source::{self, Source},
};
use hearth_crds::{artifacts::StoredArtifact, registry::KINDS, time::Time};
use hearth_history::{
    Error, Event, EventKey, Log, Page, Run, RunCursor, RunFilter, RunSummary, Step, StepKey, Usage, UsageFilter,
};
use hearth_wire::ProblemKind;
use uuid::Uuid;

/// Something that its asker may see.
#[derive(Debug)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// What it is.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The thing itself.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Rows for those who may see them.
pub struct Gate {
    source: Source,
    authorizer: Authorizer,
    cluster: Cluster,
}

/// Where a list looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the namespace of that name.
    Namespace(String),
    /// In all.
    Everywhere,
}

/// Where in a run a page of its parts starts, and how long it is.
#[derive(Clone, Debug)]
pub struct Part<K> {
    /// The key of the last one seen.
    pub after: Option<K>,
    /// The most of them.
    pub limit: u32,
}

impl Gate {
    /// A gate before `source` and `cluster`.
    #[must_use]
    pub fn new(source: Source, cluster: Cluster) -> Self {
        Self { source, authorizer: Authorizer::new(cluster.clone()), cluster }
    }

    /// Which store there is.
    #[must_use]
    pub fn back_end(&self) -> &'static str {
        self.source.back_end()
    }

    /// Runs that `filter` leaves. The filter's own namespaces are replaced by those that `who` may list.
    pub async fn list_runs(
        &self,
        who: &Identity,
        scope: &Scope,
        mut filter: RunFilter,
        part: Part<RunCursor>,
    ) -> Result<Authorized<Page<RunSummary, RunCursor>>, Refused> {
        let uids = self.visible_kinds(who, scope, filter.kind.as_deref()).await?;
        filter.namespaces = match scope {
            Scope::Namespace(name) => Some(vec![name.clone()]),
            Scope::Everywhere => None,
        };
        filter.namespace_uids = uids;
        let page = self.source.list_runs(&filter, part.after, part.limit).await.map_err(|e| self.away(&e))?;
        Ok(Authorized(page))
    }

    /// What runs that started in a time asked for, by namespace and owner, as far as `who` may list them.
    pub async fn usage(&self, who: &Identity, scope: &Scope, from: Time, to: Time) -> Result<Vec<Usage>, Refused> {
        let namespace = match scope {
            Scope::Namespace(name) => Some(name.clone()),
            Scope::Everywhere => None,
        };
        let namespace_uid = match self.visible_kinds(who, scope, None).await? {
            None => None,
            Some(uids) => match uids.into_iter().next() {
                Some(uid) => Some(uid),
                None => return Ok(Vec::new()),
            },
        };
        let filter = UsageFilter { from, to, namespace, namespace_uid };
        self.source.usage(&filter).await.map_err(|e| self.away(&e))
    }

    /// UIDs of the namespaces whose rows of that kind, or of every kind, may be listed in `scope`; None is all.
    async fn visible_kinds(
        &self,
        who: &Identity,
        scope: &Scope,
        kind: Option<&str>,
    ) -> Result<Option<Vec<String>>, Refused> {
        let kinds: Vec<&str> = match kind {
            Some(kind) => vec![kind],
            None => KINDS.iter().map(|k| k.kind).collect(),
        };
        let mut uids = None;
        for kind in kinds {
            // Each kind leaves the same or fewer rows, so the narrowest answer counts for all.
            uids = self.visible(who, scope, kind).await?.or(uids);
        }
        Ok(uids)
    }

    /// UIDs of the namespaces whose rows of `kind` may be listed in `scope`; None is all.
    async fn visible(&self, who: &Identity, scope: &Scope, kind: &str) -> Result<Option<Vec<String>>, Refused> {
        let namespace = match scope {
            Scope::Namespace(name) => Some(name.as_str()),
            Scope::Everywhere => None,
        };
        let right = Right::on_kind("list", kind, namespace, None).ok_or_else(|| no_kind(kind))?;
        let Some(namespace) = namespace else {
            if self.allows(who, &right).await? {
                return Ok(None);
            }
            let detail = format!("you may not {right}; name a namespace that you may list: ?namespace=NAME");
            return Err(self.deny(who, &right, None, detail).await);
        };
        if self.allows(who, &right.everywhere()).await? {
            return Ok(None);
        }
        if !self.allows(who, &right).await? {
            let detail = format!("you may not {right}; ask for a Role with that right");
            return Err(self.deny(who, &right, None, detail).await);
        }
        let live = self.authorizer.namespace_uid(namespace).await.map_err(ClusterAway::refused)?;
        Ok(Some(live.into_iter().collect()))
    }

    /// One run.
    pub async fn get_run(&self, who: &Identity, id: Uuid) -> Result<Authorized<Run>, Refused> {
        self.run_for(who, id, "get").await.map(|(run, _)| Authorized(run))
    }

    /// Deletes a run that is over with all its rows, for good: what arrives later of it is dropped.
    pub async fn delete_run(&self, who: &Identity, id: Uuid) -> Result<(), Refused> {
        let (run, right) = self.run_for(who, id, "delete").await?;
        let row = &run.summary;
        // What an outside system runs cannot be stopped here, and it may never say that it ended.
        if !row.terminal && row.reported_id.is_none() {
            return Err(Refused::new(
                ProblemKind::Conflict,
                format!(
                    "run {id} is {}; only a run that is over can be deleted. Stop it first: kubectl hearth cancel {} -n {}",
                    row.phase, row.name, row.namespace
                ),
            ));
        }
        self.permit(who, &right, Some(id), &format!("deletes run {} from the record", row.number)).await?;
        self.source.bury(id, &format!("deleted by {}", who.user())).await.map_err(|e| self.away(&e))
    }

    /// A run, if `who` may do that with its object, and the right to.
    async fn run_for(&self, who: &Identity, id: Uuid, verb: &'static str) -> Result<(Run, Right), Refused> {
        let found = self.source.get_run(id).await.map_err(|e| self.away(&e))?;
        let run = found.ok_or_else(|| Refused::no_run(&id.to_string()))?;
        let row = &run.summary;
        let right = Right::on_kind(verb, &row.kind, Some(&row.namespace), Some(&row.name))
            .ok_or_else(|| Refused::no_run(&id.to_string()))?;
        self.require(who, &right, row).await?;
        Ok((run, right))
    }

    /// Attempts of a run.
    pub async fn list_steps(&self, run: &Authorized<Run>, part: Part<StepKey>) -> Result<Page<Step, StepKey>, Refused> {
        self.source.list_steps(run.0.summary.id, part.after.as_ref(), part.limit).await.map_err(|e| self.away(&e))
    }

    /// Transitions of a run.
    pub async fn list_events(
        &self,
        run: &Authorized<Run>,
        part: Part<EventKey>,
    ) -> Result<Page<Event, EventKey>, Refused> {
        self.source.list_events(run.0.summary.id, part.after.as_ref(), part.limit).await.map_err(|e| self.away(&e))
    }

    /// The log of an attempt. Whoever may see the run needs the right to read logs of pods as well.
    pub async fn get_log(
        &self,
        who: &Identity,
        run: &Authorized<Run>,
        step: &str,
        item: i32,
        attempt: Option<i32>,
    ) -> Result<Option<Log>, Refused> {
        let row = &run.0.summary;
        self.require(who, &Right::to_logs(&row.namespace), row).await?;
        self.source.get_log(row.id, step, item, attempt).await.map_err(|e| self.away(&e))
    }

    /// What a step left under that name. Whoever may see the run needs the right to read logs of pods as well: both are what
    /// a pod wrote.
    pub async fn artifact(
        &self,
        who: &Identity,
        run: &Authorized<Run>,
        step: &str,
        name: &str,
    ) -> Result<Option<StoredArtifact>, Refused> {
        let row = &run.0.summary;
        self.require(who, &Right::to_logs(&row.namespace), row).await?;
        self.source.artifact(row.id, step, name).await.map_err(|e| self.away(&e))
    }

    /// `right` in the row's namespace while that is the namespace the row was made in, else everywhere.
    async fn require(&self, who: &Identity, right: &Right, row: &RunSummary) -> Result<(), Refused> {
        let (here, live) = tokio::join!(self.allows(who, right), self.authorizer.namespace_uid(&row.namespace));
        let same = !row.namespace_uid.is_empty()
            && live.map_err(ClusterAway::refused)?.as_deref() == Some(row.namespace_uid.as_str());
        if (same && here?) || self.allows(who, &right.everywhere()).await? {
            return Ok(());
        }
        let detail = if same {
            format!("you may not {right}; ask for a Role with that right")
        } else {
            format!(
                "this run was made in an earlier namespace of that name; it needs the right to {}",
                right.everywhere()
            )
        };
        Err(self.deny(who, right, Some(row.id), detail).await)
    }

    async fn allows(&self, who: &Identity, right: &Right) -> Result<bool, Refused> {
        self.authorizer.allows(who, right).await.map_err(ClusterAway::refused)
    }

    fn away(&self, error: &Error) -> Refused {
        source::refused(&self.source, error)
    }
}

fn no_kind(kind: &str) -> Refused {
    let known: Vec<&str> = KINDS.iter().map(|k| k.kind).collect();
    Refused::new(ProblemKind::BadRequest, format!("there is no kind {kind:?}; the kinds are {}", known.join(", ")))
}
