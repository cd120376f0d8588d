//! `trigger`: a run of a Workflow with params of one's own.

use super::{json, watch::watch, yaml};
use crate::{
    args::{Form, Target, TriggerArgs, WorkflowRef},
    client::segment,
    connect::{cluster, connect},
    error::CliError,
    terminal::show,
};
use hearth_crds::{
    json::ValueType,
    workflow::{Param, Workflow},
};
use hearth_wire::{TriggerBody, Triggered};
use kube::Api;
use serde_json::Value;
use std::{collections::BTreeMap, process::ExitCode};

pub async fn trigger(target: &Target, asked: &TriggerArgs) -> Result<ExitCode, CliError> {
    let name = asked.workflow.name();
    let params = if asked.params.is_empty() {
        BTreeMap::new()
    } else {
        // Only the Workflow knows whether 24 is a number or a text.
        let (client, namespace) = cluster(target).await?;
        let what = format!("read Workflow {namespace}/{name}");
        let object: Workflow =
            Api::namespaced(client, &namespace).get(name).await.map_err(|e| CliError::from_kube(&what, e))?;
        values(&asked.params, &object.spec.params)?
    };
    let mut connected = connect(target).await?;
    let path = format!("/api/v1/workflows/{}/{}/trigger", segment(&connected.namespace), segment(name));
    let body = TriggerBody { params, ttl: asked.ttl.clone() };
    let made: Triggered = connected.api.post(&path, asked.id.as_deref(), &body).await?;
    match asked.output {
        _ if asked.watch => {
            eprintln!("workflow/{} made for this run", made.name);
            return watch(target, &WorkflowRef { workflow: made.name }).await;
        }
        Form::Table => show(&told(&made))?,
        Form::Json => json(&made)?,
        Form::Yaml => yaml(&made)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn told(made: &Triggered) -> String {
    let namespace = &made.namespace;
    match (&made.run, &made.phase) {
        (Some(run), Some(phase)) => format!("workflow/{}: run {run} is {phase}\n", made.name),
        _ => format!(
            "workflow/{}: made for this run; see: kubectl hearth watch {} -n {namespace}\n",
            made.name, made.name
        ),
    }
}

/// `NAME=VALUE` by name, each of the type that is declared.
fn values(written: &[String], declared: &[Param]) -> Result<BTreeMap<String, Value>, CliError> {
    let mut values = BTreeMap::new();
    for text in written {
        let Some((name, value)) = text.split_once('=') else {
            return Err(CliError::Usage(format!("--param {text}: write NAME=VALUE")));
        };
        // The API says which names there are.
        let of = declared.iter().find(|p| p.name == name).and_then(|p| p.type_).unwrap_or(ValueType::String);
        let value = if of == ValueType::String {
            Value::String(value.to_owned())
        } else {
            serde_json::from_str(value)
                .map_err(|e| CliError::Usage(format!("--param {name}: {value} is no JSON of type {of}: {e}")))?
        };
        if values.insert(name.to_owned(), value).is_some() {
            return Err(CliError::Usage(format!("--param {name} is given twice")));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declared() -> Vec<Param> {
        serde_json::from_value(json!([
            {"name": "window", "type": "integer"}, {"name": "title"}, {"name": "models", "type": "array"}
        ]))
        .unwrap()
    }

    #[test]
    fn values_have_the_declared_type() {
        let given = ["window=24", "title=24", "models=[\"loess\", 1]", "other=x=y"].map(str::to_owned);
        let values = values(&given, &declared()).unwrap();
        assert_eq!(json!(values), json!({"window": 24, "title": "24", "models": ["loess", 1], "other": "x=y"}));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (given, says) in [
            (vec!["window"], "write NAME=VALUE"),
            (vec!["window=many"], "many is no JSON of type integer"),
            (vec!["title=a", "title=b"], "given twice"),
        ] {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            assert!(values(&given, &declared()).unwrap_err().to_string().contains(says), "{given:?}");
        }
    }
}
