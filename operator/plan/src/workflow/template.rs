//! Runs of another Workflow's steps with params of one's own.

use super::valid::{Invalid, invalid};
use crate::facts::Peer;
use hearth_crds::{
    json::Json,
    workflow::{From, WorkflowSpec},
};

/// Why there is nothing to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unresolved {
    /// The template is not there yet.
    Missing(Invalid),
    /// What `from` says cannot be.
    Wrong(Invalid),
}

/// The spec that is run: the object's own, or the template's with the object's params.
pub(super) fn effective(
    name: &str,
    own: &WorkflowSpec,
    template: impl Fn(&str) -> Option<Peer>,
) -> Result<WorkflowSpec, Unresolved> {
    let Some(from) = &own.from else { return Ok(own.clone()) };
    let wrong = |field: &str, message: String| Unresolved::Wrong(Invalid { field: field.to_owned(), message });
    if let Some(field) = field_beside(own) {
        let message = format!("comes from template {}: remove it, or remove spec.from", from.workflow);
        return Err(wrong(&format!("spec.{field}"), message));
    }
    if from.workflow == name {
        return Err(wrong("spec.from.workflow", "names the object itself: name another Workflow".into()));
    }
    let Some(template) = template(&from.workflow) else {
        let message = format!("there is no Workflow {} in the namespace: apply it, or correct the name", from.workflow);
        return Err(Unresolved::Missing(Invalid { field: "spec.from.workflow".into(), message }));
    };
    let template: WorkflowSpec = serde_json::from_value(template.spec).map_err(|e| {
        wrong("spec.from.workflow", format!("Workflow {} cannot be read ({e}): put it right first", from.workflow))
    })?;
    if let Some(other) = &template.from {
        let message = format!("{} is itself a run of {}: name that one", from.workflow, other.workflow);
        return Err(wrong("spec.from.workflow", message));
    }
    with_params(own, from, template).map_err(Unresolved::Wrong)
}

/// What is wrong with the spec of a template's run, by the field that can be changed: a param's own, or the template's.
pub(super) fn named(own: &WorkflowSpec, wrong: Invalid) -> Invalid {
    let Some(from) = &own.from else { return wrong };
    let param = wrong.field.strip_prefix("spec.params[").and_then(|rest| rest.split_once(']')).map(|(name, _)| name);
    match param.filter(|name| from.params.contains_key(*name)) {
        Some(name) => Invalid { field: format!("spec.from.params.{name}"), message: wrong.message },
        None => Invalid {
            field: "spec.from.workflow".into(),
            message: format!("{} cannot run: {}: {}", from.workflow, wrong.field, wrong.message),
        },
    }
}

/// The first field that a run of a template has no say in.
fn field_beside(own: &WorkflowSpec) -> Option<&'static str> {
    let set = [
        ("params", !own.params.is_empty()),
        ("steps", !own.steps.is_empty()),
        ("image", own.image.is_some()),
        ("env", !own.env.is_empty()),
        ("pod", own.pod.is_some()),
        ("parallelism", own.parallelism.is_some()),
        ("failFast", own.fail_fast.is_some()),
        ("timeout", own.timeout.is_some()),
        ("pendingTimeout", own.pending_timeout.is_some()),
        ("onExit", own.on_exit.is_some()),
        ("results", !own.results.is_empty()),
    ];
    set.into_iter().find(|(_, set)| *set).map(|(field, _)| field)
}

/// What runs is the template's, when it runs is the object's own affair. The template has no `from` of its own.
fn with_params(own: &WorkflowSpec, from: &From, template: WorkflowSpec) -> Result<WorkflowSpec, Invalid> {
    let mut params = template.params;
    for (name, Json(value)) in &from.params {
        let known = params.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(param) = params.iter_mut().find(|p| p.name == *name) else {
            return invalid(
                format!("spec.from.params.{name}"),
                format!("template {} has no such param: it has {known}", from.workflow),
            );
        };
        param.default = Some(Json(value.clone()));
    }
    if let Some(open) = params.iter().find(|p| p.default.is_none()) {
        return invalid(
            format!("spec.from.params.{}", open.name),
            format!("template {} has no default for it: give a value", from.workflow),
        );
    }
    Ok(WorkflowSpec {
        params,
        run_policy: own.run_policy,
        schedules: own.schedules.clone(),
        concurrency: own.concurrency,
        keep_pods: own.keep_pods.clone().or(template.keep_pods),
        suspend: own.suspend,
        rerun: own.rerun.clone(),
        cancel: own.cancel.clone(),
        approve: own.approve.clone(),
        ..template
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// What is run of `own`, where `template` is the template that it names.
    fn run_of(own: Value, template: &Value) -> Value {
        let own: WorkflowSpec = serde_json::from_value(own).unwrap();
        let peer = |_: &str| Some(Peer { spec: template.clone(), ..Peer::default() });
        serde_json::to_value(effective("nightly", &own, peer).unwrap()).unwrap()
    }

    #[test]
    fn what_runs_is_of_the_template_and_when_it_runs_of_the_object() {
        let what = json!({
            "params": [{"name": "window", "type": "integer", "default": 12}], "timeout": "2h", "failFast": true,
            "steps": [{"name": "fit", "image": "example.org/fit"}], "results": {"n": "${params.window}"},
        });
        let when = |whose: &str, policy: &str, concurrency: &str, cron: &str, suspend: bool| {
            json!({
                "runPolicy": policy, "schedules": [{"cron": cron}], "concurrency": concurrency, "suspend": suspend,
                "keepPods": {"failed": if suspend { "1h" } else { "2h" }},
                "rerun": {"token": whose}, "cancel": {"run": whose}, "approve": [{"step": "fit", "run": whose}],
            })
        };
        let both = |one: &Value, other: &Value| {
            let fields = [one, other].map(|v| v.as_object().unwrap().clone());
            Value::Object(fields.into_iter().flatten().collect())
        };
        let template = both(&what, &when("template", "Manual", "Forbid", "0 1 * * *", false));
        let own = when("own", "OnSchedule", "Replace", "0 6 * * *", true);
        let from = json!({"from": {"workflow": "report"}});
        assert_eq!(run_of(both(&own, &from), &template), both(&what, &own));
        assert_eq!(
            run_of(from, &template),
            both(&what, &json!({"keepPods": {"failed": "2h"}})),
            "failed pods stay as long"
        );
    }
}
