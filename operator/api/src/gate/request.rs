//! Requests: what somebody asks of an object without a change of its spec. The operator acts on them and answers.

use super::Gate;
use crate::{authz::Right, cluster::ClusterAway, identity::Identity, refused::Refused};
use hearth_crds::{
    request::{MAX_REQUESTS, Request, RequestKind},
    time::Time,
    workflow::{RerunFrom, Workflow},
};
use hearth_wire::ProblemKind;
use jiff::Timestamp;

/// The longest name of who asked, in characters.
const LONGEST_NAME: usize = 256;

/// What is asked of a Workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The Workflow's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Id of the request.
    pub id: String,
    /// What is asked.
    pub kind: RequestKind,
    /// The run that it is about, when one is named.
    pub run: Option<String>,
    /// The step that it is about.
    pub step: Option<String>,
    /// Where the run that is asked for begins.
    pub from: Option<RerunFrom>,
}

impl Gate {
    /// Puts a request into the object's status; the same id again answers with what is there.
    pub async fn ask(&self, who: &Identity, ask: Ask) -> Result<Request, Refused> {
        // As with the field of the same name: to approve is a right of its own.
        let verb = if ask.kind == RequestKind::Approve { "approve" } else { "update" };
        let right = Right::on_kind(verb, "Workflow", Some(&ask.namespace), Some(&ask.name))
            .ok_or_else(|| Refused::new(ProblemKind::Internal, "the kind Workflow is not known"))?;
        if !self.allows(who, &right).await? {
            let detail = format!("you may not {right}; ask for a Role with that right");
            return Err(self.deny(who, &right, None, detail).await);
        }
        let found = self.cluster.workflow(&ask.namespace, &ask.name).await.map_err(ClusterAway::refused)?;
        let object = found.ok_or_else(|| no_workflow(&ask))?;
        let requests = object.status.as_ref().map(|s| s.requests.as_slice()).unwrap_or_default();
        if let Some(there) = requests.iter().find(|r| r.id == ask.id) {
            return if is_same(there, &ask) { Ok(there.clone()) } else { Err(taken(&ask.id)) };
        }
        if requests.len() >= MAX_REQUESTS {
            return Err(conflict(format!(
                "the Workflow holds {MAX_REQUESTS} requests already; they go ten minutes after their answers"
            )));
        }
        let request = Request {
            run: run_of(&object, &ask)?,
            id: ask.id,
            kind: ask.kind,
            step: ask.step,
            from: ask.from,
            by: who.user().chars().take(LONGEST_NAME).collect(),
            at: Time::new(Timestamp::now()),
            answer: None,
        };
        let run = request.run.as_deref().and_then(|r| r.parse().ok());
        self.permit(who, &right, run, &format!("asks to {:?}, request {}", request.kind, request.id)).await?;
        self.cluster.request(&ask.namespace, &ask.name, &request).await.map_err(ClusterAway::refused)?;
        Ok(request)
    }
}

/// The run that the request is about: the one that is named, or the one that is under way.
fn run_of(object: &Workflow, ask: &Ask) -> Result<Option<String>, Refused> {
    if object.metadata.deletion_timestamp.is_some() {
        return Err(conflict("the Workflow is being deleted".to_owned()));
    }
    if !matches!(ask.kind, RequestKind::Cancel | RequestKind::Approve) {
        return Ok(None);
    }
    let run = object.status.as_ref().and_then(|s| s.run.as_ref()).filter(|r| r.finished_at.is_none());
    match (run, &ask.run) {
        (Some(run), None) => Ok(Some(run.id.clone())),
        (Some(run), Some(named)) if run.id == *named => Ok(Some(run.id.clone())),
        (Some(run), Some(named)) => {
            Err(conflict(format!("run {named} is not under way; the one that is has the id {}", run.id)))
        }
        (None, _) => Err(conflict(format!("no run of Workflow {}/{} is under way", ask.namespace, ask.name))),
    }
}

/// A run that is not named is the one that was under way when it was asked for the first time.
fn is_same(there: &Request, ask: &Ask) -> bool {
    there.kind == ask.kind
        && there.step == ask.step
        && there.from == ask.from
        && (ask.run.is_none() || there.run == ask.run)
}

fn taken(id: &str) -> Refused {
    conflict(format!("the Idempotency-Key {id:?} was used for another request; choose a new one"))
}

fn conflict(detail: String) -> Refused {
    Refused::new(ProblemKind::Conflict, detail)
}

fn no_workflow(ask: &Ask) -> Refused {
    Refused::new(ProblemKind::NotFound, format!("there is no Workflow {:?} in namespace {:?}", ask.name, ask.namespace))
}
