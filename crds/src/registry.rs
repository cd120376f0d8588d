//! The list of kinds. Everything generated (CRDs, RBAC, docs, examples) iterates it.

use crate::workflow::Workflow;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

/// What the rest of the product needs to know of a kind.
pub struct KindEntry {
    /// The kind's name.
    pub kind: &'static str,
    /// The plural, as in URLs.
    pub plural: &'static str,
    /// Its CustomResourceDefinition.
    pub crd: fn() -> CustomResourceDefinition,
    /// What the operator may do to the children of this kind.
    pub children: &'static [Rule],
    /// The example that the reference shows, below `examples/`.
    pub example: &'static str,
}

/// Verbs that the operator needs on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// API group; empty for core.
    pub group: &'static str,
    /// Resource, with its subresource if any.
    pub resource: &'static str,
    /// Verbs, in alphabetical order.
    pub verbs: &'static [&'static str],
    /// The only objects, by name; empty for all.
    pub names: &'static [&'static str],
    /// Why: printed beside the rule in the chart.
    pub why: &'static str,
}

/// The kinds, in the order in which people read them.
pub const KINDS: &[KindEntry] = &[KindEntry {
    kind: "Workflow",
    plural: "workflows",
    crd: definition::<Workflow>,
    children: &[
        Rule {
            group: "",
            resource: "pods",
            verbs: &["create", "delete", "deletecollection", "get", "list", "patch", "watch"],
            names: &[],
            why: "one pod per attempt of a step",
        },
        Rule { group: "", resource: "pods/log", verbs: &["get"], names: &[], why: "logs of ended attempts" },
        Rule {
            group: "apps",
            resource: "controllerrevisions",
            verbs: &["create", "delete", "list", "watch"],
            names: &[],
            why: "the pinned spec of a run",
        },
    ],
    example: "hello/workflow.yaml",
}];

/// What the operator needs whatever the kinds are.
pub const COMMON_RULES: &[Rule] = &[
    Rule {
        group: "",
        resource: "namespaces",
        verbs: &["get", "list", "watch"],
        names: &[],
        why: "the UID of a namespace, and whether it is going",
    },
    Rule {
        group: "",
        resource: "configmaps",
        verbs: &["create"],
        names: &[],
        why: "the operator's certificate authority, where pods talk to the operator: a create cannot be limited to a name",
    },
    Rule {
        group: "",
        resource: "configmaps",
        verbs: &["get", "patch"],
        names: &[crate::CA_CONFIG_MAP],
        why: "the same, once it is there",
    },
    Rule {
        group: "",
        resource: "events",
        verbs: &["create"],
        names: &[],
        why: "at most one Event per run, at its end",
    },
    Rule {
        group: "authentication.k8s.io",
        resource: "tokenreviews",
        verbs: &["create"],
        names: &[],
        why: "who calls the API, and which pod calls the Recorder",
    },
    Rule {
        group: "authorization.k8s.io",
        resource: "subjectaccessreviews",
        verbs: &["create"],
        names: &[],
        why: "what the caller may do",
    },
];

/// The definition of a kind, without the integer formats that the API server does not know.
fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let crd = K::crd();
    let Ok(mut json) = serde_json::to_value(&crd) else { return crd };
    drop_unknown_formats(&mut json);
    serde_json::from_value(json).unwrap_or(crd)
}

fn drop_unknown_formats(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("format").and_then(Value::as_str).is_some_and(|f| f.starts_with("uint")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(drop_unknown_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_unknown_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Rules on each kind itself: `workflows`, its status and its finalizers.
#[must_use]
pub fn own_rules(entry: &KindEntry) -> Vec<(String, Vec<&'static str>, &'static str)> {
    vec![
        (
            entry.plural.to_owned(),
            vec!["create", "delete", "get", "list", "patch", "watch"],
            "the kind itself; patch adds and removes the finalizer; objects that ask for one run are made, and go when it is recorded",
        ),
        (
            format!("{}/status", entry.plural),
            vec!["patch", "update"],
            "what the operator has seen and decided, and what was asked of it",
        ),
    ]
}
