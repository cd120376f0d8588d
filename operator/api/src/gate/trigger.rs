//! Runs with params of one's own: each is an object that is made for it, under a name that follows from the id of the request.

use super::{Gate, Part, Scope};
use crate::{authz::Right, cluster::ClusterAway, identity::Identity, refused::Refused};
use hearth_crds::{
    duration::DurationText,
    json::Json,
    trigger,
    workflow::{From, RunPolicy, Workflow, WorkflowSpec},
};
use hearth_history::RunFilter;
use hearth_wire::{ProblemKind, TriggerBody, Triggered};
use kube::{ResourceExt, api::ObjectMeta};
use std::collections::BTreeMap;

/// Domains of labels by which Helm, Argo CD, Flux and the like know what they manage.
const TOOLS: [&str; 5] = ["kubernetes.io", "helm.sh", "argoproj.io", "fluxcd.io", "hearth.dev"];
/// The longest name of who asked, in characters.
const LONGEST_NAME: usize = 256;

/// A run that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// Namespace of the Workflow that is run.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Id of the request.
    pub id: String,
    /// How.
    pub body: TriggerBody,
}

impl Gate {
    /// Makes the object that asks for the run, and says whether it is new. The same id again answers with what there is of it:
    /// the object, or the record of its run.
    pub async fn trigger(&self, who: &Identity, asked: Trigger) -> Result<(Triggered, bool), Refused> {
        let namespace = asked.namespace.as_str();
        // Whoever could apply such an object may trigger it, and nobody else.
        let read = right("get", namespace, Some(&asked.name))?;
        let make = right("create", namespace, None)?;
        for right in [&read, &make] {
            if !self.allows(who, right).await? {
                let detail = format!("you may not {right}; ask for a Role with that right");
                return Err(self.deny(who, right, None, detail).await);
            }
        }
        let target = self.cluster.workflow(namespace, &asked.name).await.map_err(ClusterAway::refused)?;
        let target = target.ok_or_else(|| no_workflow(&asked))?;
        let name = trigger::name(&asked.name, &target.uid().unwrap_or_default(), &asked.id);
        if let Some(there) = self.cluster.workflow(namespace, &name).await.map_err(ClusterAway::refused)? {
            return same(&asked, &there).map(|()| (handle(&asked, &there), false));
        }
        if let Some(recorded) = self.recorded(who, &asked, &name).await? {
            return Ok((recorded, false));
        }
        check(&target, &asked)?;
        self.permit(who, &make, None, &format!("runs Workflow {} by trigger {}", asked.name, asked.id)).await?;
        let object = object(&target, &asked, name, who);
        let made = self.cluster.make_workflow(&object).await.map_err(ClusterAway::refused)?;
        match made {
            Some(made) => Ok((handle(&asked, &made), true)),
            // Somebody sent the same at the same time.
            None => Ok((handle(&asked, &object), false)),
        }
    }

    /// The run of an object that is gone already.
    async fn recorded(&self, who: &Identity, asked: &Trigger, name: &str) -> Result<Option<Triggered>, Refused> {
        let filter = RunFilter { kind: Some("Workflow".into()), name: Some(name.to_owned()), ..RunFilter::default() };
        let part = Part { after: None, limit: 1 };
        // Who may create but not list is not told of runs.
        let found = match self.list_runs(who, &Scope::Namespace(asked.namespace.clone()), filter, part).await {
            Ok(page) => page.into_inner().items.into_iter().next(),
            Err(refused) if refused.kind() == ProblemKind::Forbidden => None,
            Err(refused) => return Err(refused),
        };
        Ok(found.map(|run| Triggered {
            id: asked.id.clone(),
            namespace: run.namespace,
            name: run.name,
            uid: None,
            run: Some(run.id.to_string()),
            phase: Some(run.phase),
        }))
    }
}

fn right(verb: &'static str, namespace: &str, name: Option<&str>) -> Result<Right, Refused> {
    Right::on_kind(verb, "Workflow", Some(namespace), name)
        .ok_or_else(|| Refused::new(ProblemKind::Internal, "the kind Workflow is not known"))
}

fn no_workflow(asked: &Trigger) -> Refused {
    let detail = format!("there is no Workflow {:?} in namespace {:?}", asked.name, asked.namespace);
    Refused::new(ProblemKind::NotFound, detail)
}

fn bad(detail: String) -> Refused {
    Refused::new(ProblemKind::BadRequest, detail)
}

/// What would keep the run from beginning, as far as the Workflow itself tells.
fn check(target: &Workflow, asked: &Trigger) -> Result<(), Refused> {
    let spec = &target.spec;
    if target.metadata.deletion_timestamp.is_some() {
        return Err(Refused::new(ProblemKind::Conflict, "the Workflow is being deleted"));
    }
    if let Some(from) = &spec.from {
        let of = &from.workflow;
        return Err(bad(format!("Workflow {} is itself a run of {of}: trigger that one", asked.name)));
    }
    for (name, value) in &asked.body.params {
        let known = || spec.params.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        let param = spec.params.iter().find(|p| p.name == *name);
        let param =
            param.ok_or_else(|| bad(format!("params.{name}: there is no such param, there are: {}", known())))?;
        param.admits(value).map_err(|why| bad(format!("params.{name}: {why}")))?;
    }
    let open = spec.params.iter().find(|p| p.default.is_none() && !asked.body.params.contains_key(&p.name));
    if let Some(param) = open.filter(|_| spec.run_policy == Some(RunPolicy::Manual)) {
        return Err(bad(format!("params.{}: the template has no default for it, give a value", param.name)));
    }
    let ttl = asked.body.ttl.clone().map(|ttl| DurationText(ttl).parse()).transpose();
    match ttl.map_err(|why| bad(format!("ttl: {why}")))? {
        Some(ttl) if ttl < trigger::SHORTEST_TTL => Err(bad("ttl: must be 10m or longer".to_owned())),
        Some(_) | None => Ok(()),
    }
}

fn object(target: &Workflow, asked: &Trigger, name: String, who: &Identity) -> Workflow {
    let by: String = who.user().chars().take(LONGEST_NAME).collect();
    let params = asked.body.params.iter().map(|(name, value)| (name.clone(), Json(value.clone()))).collect();
    Workflow {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: Some(asked.namespace.clone()),
            labels: Some(labels(target)),
            annotations: Some(trigger::annotations(&target.uid().unwrap_or_default(), &asked.id, &by)),
            ..ObjectMeta::default()
        },
        spec: WorkflowSpec {
            from: Some(From { workflow: asked.name.clone(), params }),
            ttl: asked.body.ttl.clone().map(DurationText),
            ..WorkflowSpec::default()
        },
        status: None,
    }
}

/// Those of the target, so that whoever looks for the runs of a team's Workflows finds this one too; but for those by which
/// tools know what they manage, and would take this object away again.
fn labels(target: &Workflow) -> BTreeMap<String, String> {
    let by_tools = |key: &str| {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        TOOLS.iter().any(|tool| domain == *tool || domain.ends_with(&format!(".{tool}")))
    };
    target.labels().iter().filter(|(key, _)| !by_tools(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// Whether what is there was asked for in the same words.
fn same(asked: &Trigger, there: &Workflow) -> Result<(), Refused> {
    if trigger::id_of(&there.metadata, &asked.name) != Some(asked.id.as_str()) {
        let detail = format!("a Workflow {:?} is there that no trigger made: delete or rename it", there.name_any());
        return Err(Refused::new(ProblemKind::Conflict, detail));
    }
    let params = there.spec.from.iter().flat_map(|f| &f.params).map(|(name, Json(value))| (name, value));
    if params.eq(&asked.body.params) {
        return Ok(());
    }
    let detail = format!("the Idempotency-Key {:?} was used with other params; choose a new one", asked.id);
    Err(Refused::new(ProblemKind::Conflict, detail))
}

fn handle(asked: &Trigger, object: &Workflow) -> Triggered {
    let status = object.status.as_ref();
    Triggered {
        id: asked.id.clone(),
        namespace: asked.namespace.clone(),
        name: object.name_any(),
        uid: object.uid(),
        run: status.and_then(|s| s.run.as_ref()).map(|r| r.id.clone()),
        phase: status.and_then(|s| s.phase).map(|p| p.as_str().to_owned()),
    }
}
