//! What a Workflow that is watched says about the run that is followed.

use crate::error::CliError;
use hearth_crds::{
    condition::{Condition, ConditionStatus, ConditionType},
    workflow::{RunPhase, RunPolicy, Workflow, WorkflowStatus},
};

/// What is known now.
#[derive(Debug, PartialEq, Eq)]
pub enum Followed {
    /// No run yet, and why.
    Waiting(String),
    /// The run with this id is under way.
    UnderWay(String),
    /// It ended, and the status still shows it.
    Ended(RunPhase),
    /// It ended, and another run is shown now.
    EndedBefore(RunPhase),
}

/// Looks at the object. `run` is the run that is followed, once there is one.
pub fn follow(object: &Workflow, run: Option<&str>) -> Result<Followed, CliError> {
    let empty = WorkflowStatus::default();
    let status = object.status.as_ref().unwrap_or(&empty);
    let shown = status.run.as_ref();
    match (run, shown) {
        (None, Some(shown)) if shown.finished_at.is_none() => Ok(Followed::UnderWay(shown.id.clone())),
        (None, _) => at_rest(object, status),
        (Some(id), Some(shown)) if shown.id == id => Ok(match status.phase.filter(|p| p.is_terminal()) {
            Some(phase) if shown.finished_at.is_some() => Followed::Ended(phase),
            Some(_) | None => Followed::UnderWay(id.to_owned()),
        }),
        (Some(id), _) => match status.last_run.as_ref().filter(|l| l.id == id) {
            Some(last) => Ok(Followed::EndedBefore(last.phase)),
            None => Err(CliError::NotFound(format!(
                "run {id} is over, and the Workflow says no more about it; see: kubectl hearth describe {id}"
            ))),
        },
    }
}

/// No run is under way: either one is about to start, or the last one is what there is to see.
fn at_rest(object: &Workflow, status: &WorkflowStatus) -> Result<Followed, CliError> {
    let seen = status.observed_generation.is_some() && status.observed_generation == object.metadata.generation;
    if !seen {
        return Ok(Followed::Waiting("the operator has not seen it yet".to_owned()));
    }
    let condition = |of| status.conditions.iter().find(|c| c.type_ == of && c.status == ConditionStatus::True);
    if let Some(stalled) = condition(ConditionType::Stalled).filter(|c| c.reason == "InvalidSpec") {
        return Err(CliError::Other(anyhow::anyhow!("the spec cannot run: {}", stalled.message)));
    }
    let asked = object.spec.rerun.as_ref().map(|r| &r.token);
    let pending = asked.is_some() && asked != status.rerun_token.as_ref();
    if let Some(suspended) = condition(ConditionType::Suspended).filter(|_| pending || status.run.is_none()) {
        return Ok(Followed::Waiting(words(suspended)));
    }
    match status.phase.filter(|p| status.run.is_some() && p.is_terminal() && !pending) {
        Some(phase) => Ok(Followed::Ended(phase)),
        None if object.spec.run_policy == Some(RunPolicy::Manual) && !pending => Err(CliError::NotFound(format!(
            "it is a template that has not run yet; start a run: kubectl hearth rerun {}",
            object.metadata.name.as_deref().unwrap_or_default()
        ))),
        None => Ok(Followed::Waiting(
            condition(ConditionType::Reconciling).map_or_else(|| "no run has started yet".to_owned(), words),
        )),
    }
}

fn words(condition: &Condition) -> String {
    format!("{}: {}", condition.reason, condition.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const RUN: &str = "01993b6a-7c00-7000-8000-000000000001";
    const NEXT: &str = "01993b6a-7c00-7000-8000-000000000002";

    fn object(spec: &Value, status: Value) -> Workflow {
        let mut spec = spec.clone();
        spec["steps"] = json!([{"name": "a"}]);
        serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": "co2", "namespace": "lab", "generation": 2}, "spec": spec, "status": status,
        }))
        .unwrap()
    }

    fn run(id: &str, finished: Option<&str>) -> Value {
        json!({"id": id, "number": 3, "seq": 2, "revision": "r", "digest": "v1:0", "generation": 1, "trigger": "Created",
            "startedAt": "2026-01-01T00:00:00Z", "finishedAt": finished, "steps": []})
    }

    const END: Option<&str> = Some("2026-01-01T00:01:00Z");

    #[test]
    fn a_run_is_followed_to_its_end() {
        let under_way = object(&json!({}), json!({"phase": "Running", "run": run(RUN, None)}));
        assert_eq!(follow(&under_way, None).unwrap(), Followed::UnderWay(RUN.to_owned()));
        assert_eq!(follow(&under_way, Some(RUN)).unwrap(), Followed::UnderWay(RUN.to_owned()));
        let ended = object(&json!({}), json!({"phase": "Failed", "run": run(RUN, END)}));
        assert_eq!(follow(&ended, Some(RUN)).unwrap(), Followed::Ended(RunPhase::Failed));
        let last = json!({"id": RUN, "number": 3, "phase": "Succeeded", "finishedAt": END});
        let next = object(&json!({}), json!({"phase": "Running", "run": run(NEXT, None), "lastRun": last}));
        assert_eq!(follow(&next, Some(RUN)).unwrap(), Followed::EndedBefore(RunPhase::Succeeded));
        let lost = object(&json!({}), json!({"phase": "Running", "run": run(NEXT, None)}));
        assert!(matches!(follow(&lost, Some(RUN)), Err(CliError::NotFound(_))));
    }

    #[test]
    fn the_last_run_counts_only_when_no_other_is_about_to_start() {
        let status = |observed: i64| json!({"observedGeneration": observed, "phase": "Succeeded", "rerunToken": "one", "run": run(RUN, END)});
        let plain = json!({});
        assert_eq!(follow(&object(&plain, status(2)), None).unwrap(), Followed::Ended(RunPhase::Succeeded));
        assert!(matches!(follow(&object(&plain, status(1)), None).unwrap(), Followed::Waiting(_)), "the spec is new");
        let rerun = |token: &str| json!({"rerun": {"token": token}});
        assert_eq!(follow(&object(&rerun("one"), status(2)), None).unwrap(), Followed::Ended(RunPhase::Succeeded));
        assert!(matches!(follow(&object(&rerun("two"), status(2)), None).unwrap(), Followed::Waiting(_)));
        assert!(matches!(follow(&object(&plain, json!({})), None).unwrap(), Followed::Waiting(_)));
    }

    #[test]
    fn what_will_never_run_is_said() {
        let condition = |of: &str, reason: &str| {
            json!({"observedGeneration": 2, "conditions": [{"type": of, "status": "True", "reason": reason,
                "message": "spec.steps[a].image: there is no image", "lastTransitionTime": "2026-01-01T00:00:00Z"}]})
        };
        let invalid = follow(&object(&json!({}), condition("Stalled", "InvalidSpec")), None).unwrap_err();
        assert!(invalid.to_string().contains("spec.steps[a].image"), "{invalid}");
        let template =
            follow(&object(&json!({"runPolicy": "Manual"}), condition("Ready", "Template")), None).unwrap_err();
        assert!(template.to_string().contains("kubectl hearth rerun co2"), "{template}");
        let suspended = follow(&object(&json!({"suspend": true}), condition("Suspended", "Suspended")), None).unwrap();
        assert!(matches!(suspended, Followed::Waiting(why) if why.starts_with("Suspended: ")));
    }
}
