//! Runs that outside systems made themselves, put on record for those who may change the Workflow.

use super::Gate;
use crate::{authz::Right, cluster::ClusterAway, identity::Identity, refused::Refused};
use hearth_crds::time::Time;
use hearth_history::{Report, Reported};
use hearth_wire::ProblemKind;
use jiff::Timestamp;

impl Gate {
    /// Puts a run on record, or what became of it since. Whoever may update a Workflow can have it run anything, and so
    /// have any run on its record: to report one takes the same right. Namespace, reporter and time are filled in here.
    pub async fn report(&self, who: &Identity, report: Report) -> Result<Reported, Refused> {
        let right = Right::on_kind("update", "Workflow", Some(&report.namespace), Some(&report.name))
            .ok_or_else(|| Refused::new(ProblemKind::Internal, "the kind Workflow is not known"))?;
        if !self.allows(who, &right).await? {
            let detail = format!("you may not {right}; ask for a Role with that right");
            return Err(self.deny(who, &right, None, detail).await);
        }
        let uid = self.authorizer.namespace_uid(&report.namespace).await.map_err(ClusterAway::refused)?;
        let namespace_uid = uid.ok_or_else(|| {
            Refused::new(ProblemKind::NotFound, format!("there is no namespace {:?}", report.namespace))
        })?;
        let report = Report { namespace_uid, by: who.user().to_owned(), at: Time::new(Timestamp::now()), ..report };
        self.permit(who, &right, None, &format!("reports run {:?} as {}", report.reported_id, report.phase)).await?;
        let done = self.source.report(&report).await.map_err(|e| self.away(&e))?;
        let conflict = |detail: String| Err(Refused::new(ProblemKind::Conflict, detail));
        match &done {
            Reported::New(_) | Reported::Changed(_) | Reported::Same(_) => Ok(done),
            Reported::Ended(id, phase) => conflict(format!(
                "run {:?} ({id}) has ended as {phase}, and does not change any more",
                report.reported_id
            )),
            Reported::OtherStart(id, at) => conflict(format!(
                "startedAt: run {:?} ({id}) was reported to have started at {at}; leave it out",
                report.reported_id
            )),
            Reported::Deleted(id) => {
                conflict(format!("run {:?} ({id}) was deleted from the record for good", report.reported_id))
            }
        }
    }
}
