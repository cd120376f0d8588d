//! What came of what, for those who may list the runs that it names.

use super::{Gate, Scope};
use crate::{authz::Right, identity::Identity, refused::Refused};
use hearth_crds::registry::KINDS;
use hearth_history::{Lineage, LineageQuery, LineageRoot};
use hearth_wire::ProblemKind;
use uuid::Uuid;

/// How far and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The most edges from the root.
    pub depth: u32,
    /// The most edges each way.
    pub limit: u32,
}

impl Gate {
    /// What a run came of, and what came of it, within its namespace. It names runs of other objects too, so whoever may
    /// get the run needs the right to list every kind there as well.
    pub async fn lineage_of_run(&self, who: &Identity, id: Uuid, reach: Reach) -> Result<Lineage, Refused> {
        let (run, _) = self.run_for(who, id, "get").await?;
        let row = &run.summary;
        for kind in KINDS {
            let right = Right::on_kind("list", kind.kind, Some(&row.namespace), None)
                .ok_or_else(|| Refused::new(ProblemKind::Internal, "a kind of the registry is not known"))?;
            self.require(who, &right, row).await?;
        }
        let Reach { depth, limit } = reach;
        let query = LineageQuery {
            root: LineageRoot::Run(id),
            namespace: Some(row.namespace.clone()),
            namespace_uid: Some(row.namespace_uid.clone()),
            depth,
            limit,
        };
        self.source.lineage(&query).await.map_err(|e| self.away(&e))
    }

    /// The same of data or an image, as far as `who` may list the runs.
    pub async fn lineage_of_digest(
        &self,
        who: &Identity,
        scope: &Scope,
        digest: String,
        reach: Reach,
    ) -> Result<Lineage, Refused> {
        let namespace = match scope {
            Scope::Namespace(name) => Some(name.clone()),
            Scope::Everywhere => None,
        };
        let namespace_uid = match self.visible_kinds(who, scope, None).await? {
            None => None,
            Some(uids) => match uids.into_iter().next() {
                Some(uid) => Some(uid),
                None => return Ok(Lineage::default()),
            },
        };
        let Reach { depth, limit } = reach;
        let query = LineageQuery { root: LineageRoot::Digest(digest), namespace, namespace_uid, depth, limit };
        self.source.lineage(&query).await.map_err(|e| self.away(&e))
    }
}
