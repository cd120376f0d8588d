//! CustomResourceDefinitions: as plain manifests, and as templates of the chart.

use super::{Files, HEADER};
use anyhow::{Context, Result};
use hearth_crds::registry::{KINDS, KindEntry};
use serde_json::{Value, json};

/// `manifests/crds/*.yaml`.
pub fn manifests() -> Result<Files> {
    KINDS
        .iter()
        .map(|entry| {
            Ok((format!("manifests/crds/{}", file_name(entry)), format!("{HEADER}{}", yaml(&definition(entry)?)?)))
        })
        .collect()
}

/// `charts/hearth/templates/crds/*.yaml`, behind `crds.install`, kept on uninstall by `crds.keep`.
pub fn chart_templates() -> Result<Files> {
    KINDS
        .iter()
        .map(|entry| Ok((format!("charts/hearth/templates/crds/{}", file_name(entry)), chart_template(entry)?)))
        .collect()
}

fn chart_template(entry: &KindEntry) -> Result<String> {
    let mut crd = definition(entry)?;
    let name = crd.pointer("/metadata/name").and_then(Value::as_str).context("a CRD without a name")?.to_owned();
    let body = crd.as_object_mut().context("a CRD is an object")?;
    body.remove("metadata");
    body.remove("apiVersion");
    body.remove("kind");
    // Braces of our own texts must reach the API server as they are.
    let rest = yaml(&crd)?.replace("{{", "{{ \"{{\" }}");
    Ok(format!(
        "{HEADER}{{{{- if .Values.crds.install }}}}\n\
         apiVersion: apiextensions.k8s.io/v1\n\
         kind: CustomResourceDefinition\n\
         metadata:\n\
         \x20 name: {name}\n\
         \x20 labels:\n\
         \x20   {{{{- include \"hearth.labels\" . | nindent 4 }}}}\n\
         \x20 {{{{- if .Values.crds.keep }}}}\n\
         \x20 annotations:\n\
         \x20   helm.sh/resource-policy: keep\n\
         \x20 {{{{- end }}}}\n\
         {rest}{{{{- end }}}}\n"
    ))
}

/// The definition of a kind as JSON, without the empty status that the types carry.
pub fn definition(entry: &KindEntry) -> Result<Value> {
    let mut crd = serde_json::to_value((entry.crd)()).context("a CRD as JSON")?;
    let body = crd.as_object_mut().context("a CRD is an object")?;
    body.remove("status");
    body.insert("apiVersion".into(), json!("apiextensions.k8s.io/v1"));
    body.insert("kind".into(), json!("CustomResourceDefinition"));
    Ok(crd)
}

/// The OpenAPI schema of the served version.
pub fn schema(entry: &KindEntry) -> Result<Value> {
    definition(entry)?.pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().context("a CRD without a schema")
}

fn file_name(entry: &KindEntry) -> String {
    format!("hearth.dev_{}.yaml", entry.plural)
}

fn yaml(value: &Value) -> Result<String> {
    serde_yaml::to_string(value).context("YAML of a CRD")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plain `kubectl apply` keeps the whole object in an annotation of at most 256 KiB.
    #[test]
    fn every_crd_is_under_100_kb_of_json() {
        for entry in KINDS {
            let bytes = definition(entry).unwrap().to_string().len();
            println!("{}: {bytes} bytes", entry.kind);
            assert!(bytes < 100_000, "{} is {bytes} bytes", entry.kind);
        }
    }
}
