//! Whether rendered objects are what Kubernetes would read: each is decoded into its type and written again, and a field
//! that got lost on the way is one that does not exist.

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::{
    Resource,
    api::{
        admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Service, ServiceAccount},
        policy::v1::PodDisruptionBudget,
        rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Kinds of the Prometheus operator, whose types are not at hand here.
const FOREIGN: &[&str] = &["monitoring.coreos.com/v1"];

type Again = fn(&Value) -> Result<Value>;

/// How many objects a rendered file holds, none of them with a field that its kind does not have.
pub fn check(rendered: &str) -> Result<usize> {
    let mut count = 0;
    for document in rendered.split("\n---") {
        let object: Value = serde_yaml::from_str(document).context("a rendered object")?;
        let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
        if object.is_null() {
            continue;
        }
        count += 1;
        if FOREIGN.contains(&text("apiVersion")) {
            continue;
        }
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let what = format!("{} {} {name}", text("apiVersion"), text("kind"));
        let again = reader(text("apiVersion"), text("kind"))?(&object).with_context(|| what.clone())?;
        let mut lost = Vec::new();
        compare(&object, &again, "", &mut lost);
        ensure!(lost.is_empty(), "{what} has fields that its kind does not have: {}", lost.join(", "));
    }
    Ok(count)
}

fn reader(api_version: &str, kind: &str) -> Result<Again> {
    let all = [
        entry::<ValidatingAdmissionPolicy>(),
        entry::<ValidatingAdmissionPolicyBinding>(),
        entry::<Deployment>(),
        entry::<Job>(),
        entry::<ConfigMap>(),
        entry::<Namespace>(),
        entry::<PersistentVolumeClaim>(),
        entry::<Service>(),
        entry::<ServiceAccount>(),
        entry::<PodDisruptionBudget>(),
        entry::<ClusterRole>(),
        entry::<ClusterRoleBinding>(),
        entry::<Role>(),
        entry::<RoleBinding>(),
        entry::<CustomResourceDefinition>(),
    ];
    match all.into_iter().find(|(version, name, _)| *version == api_version && *name == kind) {
        Some((_, _, again)) => Ok(again),
        None => bail!("no type is known here for {api_version} {kind}"),
    }
}

fn entry<K: Resource + DeserializeOwned + Serialize>() -> (&'static str, &'static str, Again) {
    (K::API_VERSION, K::KIND, |object| Ok(serde_json::to_value(serde_json::from_value::<K>(object.clone())?)?))
}

fn compare(before: &Value, after: &Value, path: &str, lost: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, value) in before {
                let path = format!("{path}.{key}");
                match after.get(key) {
                    Some(kept) => compare(value, kept, &path, lost),
                    // What is empty may be left out.
                    None if matches!(value, Value::Null) => {}
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None => lost.push(path),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (n, (value, kept)) in before.iter().zip(after).enumerate() {
                compare(value, kept, &format!("{path}[{n}]"), lost);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_does_not_exist_is_found() {
        let good = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 1, targetPort: api}]}\n";
        assert_eq!(check(good).unwrap(), 1);
        let bad = good.replace("targetPort", "targtPort");
        assert!(format!("{:#}", check(&bad).unwrap_err()).contains(".spec.ports[0].targtPort"));
        assert!(check("apiVersion: v1\nkind: Sevice\n").is_err());
        assert!(check("apiVersion: v1\nkind: Service\nspec: {ports: [{port: one}]}\n").is_err());
    }
}
