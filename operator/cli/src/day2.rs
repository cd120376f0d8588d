//! Day-2 fields, set with the rights of whoever asks: each command is one patch of a Workflow's spec.

use crate::{
    args::{Change, Target, WorkflowRef},
    connect::cluster,
    error::CliError,
};
use hearth_crds::{
    condition::Reason,
    workflow::{Run, StepPhase, Workflow},
};
use jiff::Timestamp;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

/// How often a patch is made anew when the object changed meanwhile.
const TRIES: usize = 5;

/// What is patched, and what people are told.
#[derive(Debug, PartialEq)]
struct Answer {
    spec: Value,
    told: String,
}

/// Does what is asked of the Workflow. Gives what people are told.
pub async fn apply(target: &Target, asked: &Change) -> Result<String, CliError> {
    let name = workflow(asked).name();
    let (client, namespace) = cluster(target).await?;
    let workflows: Api<Workflow> = Api::namespaced(client, &namespace);
    let mut tries = 0;
    loop {
        tries += 1;
        let what = format!("read Workflow {namespace}/{name}");
        let object = workflows.get(name).await.map_err(|e| CliError::from_kube(&what, e))?;
        let Answer { spec, told } = answer(asked, &object, Timestamp::now())?;
        let version = json!({"resourceVersion": object.metadata.resource_version});
        let patch = Patch::Merge(json!({"metadata": version, "spec": spec}));
        match workflows.patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => return Ok(format!("Workflow {namespace}/{name}: {told}\n")),
            Err(kube::Error::Api(status)) if status.code == 409 && tries < TRIES => {}
            Err(e) => return Err(CliError::from_kube(&format!("change Workflow {namespace}/{name}"), e)),
        }
    }
}

fn workflow(asked: &Change) -> &WorkflowRef {
    match asked {
        Change::Suspend(workflow) | Change::Resume(workflow) | Change::Cancel(workflow) => workflow,
        Change::Rerun(args) => &args.workflow,
        Change::Approve(args) => &args.workflow,
    }
}

fn answer(asked: &Change, object: &Workflow, now: Timestamp) -> Result<Answer, CliError> {
    let (spec, told) = match asked {
        Change::Suspend(_) => {
            (json!({"suspend": true}), "suspended: no new step and no new run starts, running pods finish".to_owned())
        }
        Change::Resume(_) => (json!({"suspend": null}), "goes on".to_owned()),
        Change::Cancel(_) => {
            let run = active(object)?;
            (json!({"cancel": {"run": run.id}}), format!("run {} ({}) is being stopped", run.number, run.id))
        }
        Change::Rerun(args) => (
            json!({"rerun": {"token": now.to_string(), "from": if args.from_failed { "Failed" } else { "Start" }}}),
            match active(object) {
                Ok(run) => format!("another run follows when run {} has ended", run.number),
                Err(_) if object.spec.suspend == Some(true) => {
                    "another run follows when it is no longer suspended".to_owned()
                }
                Err(_) => "another run starts".to_owned(),
            },
        ),
        Change::Approve(args) => return approve(object, &args.step),
    };
    Ok(Answer { spec, told })
}

/// Entries for other runs do nothing any more, and are left out.
fn approve(object: &Workflow, step: &str) -> Result<Answer, CliError> {
    let run = active(object)?;
    let asks = |name: &str| {
        let is = |s: &&hearth_crds::workflow::StepStatus| s.name == name && s.phase == StepPhase::Running;
        run.steps.iter().find(is).is_some_and(|s| s.reason == Some(Reason::WaitingForApproval))
    };
    if !asks(step) {
        let waiting: Vec<&str> = run.steps.iter().map(|s| s.name.as_str()).filter(|name| asks(name)).collect();
        let waiting = if waiting.is_empty() { "none does".to_owned() } else { waiting.join(", ") };
        return Err(CliError::NotFound(format!(
            "step {step:?} does not wait for approval in run {}; of its steps: {waiting}",
            run.number
        )));
    }
    let kept = object.spec.approve.iter().filter(|a| a.run == run.id && a.step != step);
    let mut entries: Vec<Value> = kept.map(|a| json!({"step": a.step, "run": a.run})).collect();
    entries.push(json!({"step": step, "run": run.id}));
    Ok(Answer { spec: json!({"approve": entries}), told: format!("step {step} of run {} may go on", run.number) })
}

/// The run that is under way.
fn active(object: &Workflow) -> Result<&Run, CliError> {
    let run = object.status.as_ref().and_then(|s| s.run.as_ref()).filter(|r| r.finished_at.is_none());
    run.ok_or_else(|| CliError::NotFound("no run of this Workflow is under way".to_owned()))
}

impl WorkflowRef {
    /// The name, with or without its kind before it.
    pub fn name(&self) -> &str {
        self.workflow.split_once('/').map_or(self.workflow.as_str(), |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    const RUN: &str = "01993b6a-7c00-7000-8000-000000000001";

    fn object(finished: Option<&str>) -> Workflow {
        serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "metadata": {"name": "co2", "namespace": "lab"},
            "spec": {"steps": [{"name": "gate", "approval": {"message": "?"}}], "approve": [
                {"step": "gate", "run": "01993b6a-7c00-7000-8000-000000000000"}, {"step": "early", "run": RUN}]},
            "status": {"run": {"id": RUN, "number": 3, "seq": 2, "revision": "r", "digest": "v1:0", "generation": 1,
                "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": finished,
                "steps": [{"name": "gate", "phase": "Running", "attempt": 0, "reason": "WaitingForApproval"},
                    {"name": "fit", "phase": "Running", "attempt": 1}]}},
        }))
        .unwrap()
    }

    fn asked(line: &str, object: &Workflow) -> Result<Answer, String> {
        let args = Args::try_parse_from(format!("kubectl-hearth {line}").split(' ')).unwrap();
        let Command::Change(asked) = args.command else { panic!("{line} changes nothing") };
        answer(&asked, object, "2026-11-21T08:00:00Z".parse().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_command_sets_its_field() {
        let object = object(None);
        let spec = |line| asked(line, &object).unwrap().spec;
        assert_eq!(spec("suspend co2"), json!({"suspend": true}));
        assert_eq!(spec("resume workflow/co2"), json!({"suspend": null}));
        assert_eq!(spec("cancel co2"), json!({"cancel": {"run": RUN}}));
        assert_eq!(spec("rerun co2"), json!({"rerun": {"token": "2026-11-21T08:00:00Z", "from": "Start"}}));
        assert_eq!(
            spec("rerun co2 --from-failed"),
            json!({"rerun": {"token": "2026-11-21T08:00:00Z", "from": "Failed"}})
        );
        assert_eq!(
            spec("approve co2 gate"),
            json!({"approve": [{"step": "early", "run": RUN}, {"step": "gate", "run": RUN}]})
        );
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let ended = object(Some("2026-01-01T00:01:00Z"));
        for line in ["cancel co2", "approve co2 gate"] {
            assert_eq!(asked(line, &ended).unwrap_err(), "not found: no run of this Workflow is under way");
        }
        assert_eq!(
            asked("approve co2 fit", &object(None)).unwrap_err(),
            "not found: step \"fit\" does not wait for approval in run 3; of its steps: gate"
        );
    }
}
