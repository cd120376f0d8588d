//! What the gate puts on record, and the trail itself for those who may see it.
//!
//! Every write and every refusal for lack of a right is a record, and it is durable before the request is answered. A
//! write whose record cannot be stored is not done.

use super::{Gate, Part};
use crate::{authz::Right, identity::Identity, refused::Refused};
use hearth_crds::time::Time;
use hearth_history::{AuditCursor, AuditEntry, AuditFilter, AuditLink, Page};
use hearth_wire::{AuditAnchor, AuditRecord, ProblemKind};
use jiff::Timestamp;
use uuid::Uuid;

impl Gate {
    /// The trail, newest first.
    pub async fn list_audit(
        &self,
        who: &Identity,
        filter: &AuditFilter,
        part: Part<AuditCursor>,
    ) -> Result<Page<AuditRecord, AuditCursor>, Refused> {
        self.may_audit(who).await?;
        self.source.list_audit(filter, part.after, part.limit).await.map_err(|e| self.away(&e))
    }

    /// The whole trail, chain by chain.
    pub async fn audit_chain(
        &self,
        who: &Identity,
        part: Part<AuditLink>,
    ) -> Result<Page<AuditRecord, AuditLink>, Refused> {
        self.may_audit(who).await?;
        self.source.audit_chain(part.after, part.limit).await.map_err(|e| self.away(&e))
    }

    /// What vouches for records that went by age.
    pub async fn audit_anchors(
        &self,
        who: &Identity,
        part: Part<AuditLink>,
    ) -> Result<Page<AuditAnchor, AuditLink>, Refused> {
        self.may_audit(who).await?;
        self.source.audit_anchors(part.after, part.limit).await.map_err(|e| self.away(&e))
    }

    /// The trail names all namespaces, so it is for those who may see them all.
    async fn may_audit(&self, who: &Identity) -> Result<(), Refused> {
        let right = Right::to_audit();
        if self.allows(who, &right).await? {
            return Ok(());
        }
        let detail = format!("you may not {right}; ask to be bound to the ClusterRole hearth-auditor");
        Err(self.deny(who, &right, None, detail).await)
    }

    /// The refusal for lack of a right, once it is on record.
    pub(super) async fn deny(&self, who: &Identity, right: &Right, run: Option<Uuid>, detail: String) -> Refused {
        match self.record(who, right, run, false, &detail).await {
            Ok(()) => Refused::new(ProblemKind::Forbidden, detail),
            Err(refused) => refused,
        }
    }

    /// Puts on record that `who` has a right and makes use of it.
    pub(super) async fn permit(
        &self,
        who: &Identity,
        right: &Right,
        run: Option<Uuid>,
        reason: &str,
    ) -> Result<(), Refused> {
        self.record(who, right, run, true, reason).await
    }

    async fn record(
        &self,
        who: &Identity,
        right: &Right,
        run: Option<Uuid>,
        allowed: bool,
        reason: &str,
    ) -> Result<(), Refused> {
        let entry = AuditEntry {
            at: Time::new(Timestamp::now()),
            who: who.user().to_owned(),
            verb: right.verb().to_owned(),
            resource: right.resource(),
            namespace: right.namespace().unwrap_or_default().to_owned(),
            name: right.name().unwrap_or_default().to_owned(),
            run,
            from: who.from().map(|ip| ip.to_string()).unwrap_or_default(),
            allowed,
            reason: reason.to_owned(),
        };
        self.source.record(&entry).await.map_err(|error| {
            tracing::warn!(%error, "a record of the audit trail was not stored");
            Refused::new(
                ProblemKind::StoreAway,
                format!(
                    "the history store ({}) does not answer, and nothing is done or refused without a record of the audit trail; runs go on. Try again when it is back",
                    self.source
                ),
            )
        })
    }
}
