//! The pod that a step becomes: every field of the pod subset, as the kubelet gets it.

use crate::common::{RUN, env};
use hearth_crds::{
    label,
    workflow::{Workflow, WorkflowSpec, WorkflowStatus},
};
use hearth_plan::{
    Facts, Intent, Kind,
    kind::{Accepted, Env, Start},
    offer::{ArtifactService, Offer, catalog},
    workflow::{WorkflowKind, digest::spec_digest, valid::RetryPolicy, validate::validate},
};
use rstest::rstest;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The create for the second attempt of the only step, whose first attempt failed on node n1.
fn start(spec: &Value) -> Start {
    start_with(spec, json!([]), &env())
}

/// The same after other steps.
fn start_with(spec: &Value, before: Value, env: &Env) -> Start {
    let mut cr: Workflow = serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "uid-a"}, "spec": spec,
    }))
    .unwrap();
    let specs = WorkflowKind::specs(&cr, &Facts::default(), env, None);
    let mut steps = before.as_array().cloned().unwrap_or_default();
    steps.push(json!({"name": "fit", "phase": "Running", "attempt": 2, "ended": [
        {"attempt": 1, "class": "Application", "reason": "StepFailed", "node": "n1", "at": "2026-01-01T00:00:30Z"}]}));
    let status: WorkflowStatus = serde_json::from_value(json!({
        "phase": "Running",
        "run": {
            "id": RUN, "number": 1, "seq": 3, "revision": specs.current.revision, "digest": spec_digest(&cr.spec), "generation": 1,
            "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z", "params": {"window": 12},
            "steps": steps,
        },
    }))
    .unwrap();
    cr.status = Some(status.clone());
    let intent = Intent { run_id: RUN.into(), step: "fit".into(), item: 0, attempt: 2 };
    let starts = WorkflowKind::starts(&cr, &specs, &Accepted::by_server(status), &[intent], env);
    starts.into_iter().next().expect("the status intends it")
}

fn yaml(start: &Start) -> String {
    let pod = serde_yaml::to_string(start.pod()).unwrap();
    format!("{pod}--- # the placeholder\n{}", serde_yaml::to_string(start.placeholder()).unwrap())
}

#[test]
fn a_plain_step() {
    insta::assert_snapshot!(yaml(&start(&json!({"steps": [{"name": "fit", "image": "example.org/fit"}]}))));
}

#[test]
fn a_step_with_every_field_of_the_pod_subset() {
    let spec: Value = serde_yaml::from_str(include_str!("pods/full.yaml")).unwrap();
    insta::assert_snapshot!(yaml(&start(&spec)));
}

/// A step of the catalog that reads an artifact and leaves one: an init container fetches, the wrapper stores.
#[test]
fn a_step_with_artifacts() {
    let offer = Offer {
        runtimes: catalog(
            r#"{"shape": {"image": "example.org/shape@sha256:0", "command": ["/shape"], "args": ["-v"],
            "resources": {"limits": {"memory": "1Gi"}}}}"#,
        )
        .unwrap(),
        artifacts: Some(ArtifactService {
            image: "example.org/hearth-step@sha256:0".into(),
            recorder: "https://hearth.hearth-system.svc:8444".into(),
            store_ca: None,
        }),
    };
    let env = Env { offer: Arc::new(offer), ..env() };
    let spec = json!({"params": [{"name": "window", "type": "integer", "default": 12}], "steps": [
        {"name": "clean", "image": "i", "command": ["/clean"], "artifacts": {"out": [{"name": "table"}]}},
        {"name": "fit", "needs": ["clean"], "runtime": "shape",
            "with": {"window": "${params.window}", "deep": [{"text": "of ${params.window}"}]},
            "artifacts": {"in": [{"from": "clean.table", "name": "raw", "path": "raw.parquet"}], "out": [{"name": "model"}]}},
    ]});
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let before = json!([{"name": "clean", "phase": "Succeeded", "attempt": 1,
        "artifacts": {"table": {"digest": digest, "bytes": 3, "directory": true}}}]);
    insta::assert_snapshot!(yaml(&start_with(&spec, before, &env)));
}

/// A store with an authority of its own: pods mount its certificate beside the operator's, and wait for both.
#[rstest]
#[case(None, json!(["ca.crt"]))]
#[case(Some("PEM"), json!(["ca.crt", "store.crt"]))]
fn pods_get_the_certificates_of_the_store(#[case] store_ca: Option<&str>, #[case] keys: Value) {
    let service = ArtifactService {
        image: "hearth-step".into(),
        recorder: "https://recorder".into(),
        store_ca: store_ca.map(Into::into),
    };
    let env = Env { offer: Arc::new(Offer { artifacts: Some(service), ..Offer::default() }), ..env() };
    let spec = json!({"steps": [{"name": "fit", "image": "i", "command": ["/fit"], "artifacts": {"out": [{"name": "model"}]}}]});
    let pod = serde_json::to_value(start_with(&spec, json!([]), &env).pod()).unwrap();
    let volumes = pod.pointer("/spec/volumes").and_then(Value::as_array).unwrap();
    let recorder = volumes.iter().find(|v| v["name"] == "hearth-recorder").unwrap();
    let map = &recorder["projected"]["sources"][1]["configMap"];
    let projected: Vec<_> = map["items"].as_array().unwrap().iter().map(|item| item["key"].clone()).collect();
    assert_eq!((json!(projected), &map["name"]), (keys, &json!("hearth-ca")));
}

/// The pod itself says that its log is stored whole before it goes; without an artifact store there is no such step.
#[test]
fn a_step_whose_log_is_kept_whole() {
    let spec = |logs: &str| json!({"steps": [{"name": "fit", "image": "example.org/fit", "logs": logs}]});
    let full: WorkflowSpec = serde_json::from_value(spec("Full")).unwrap();
    let env = Env { offer: Arc::new(Offer::assumed(&full)), ..env() };
    let label = |logs: &str| {
        let start = start_with(&spec(logs), json!([]), &env);
        let of = |pod: &k8s_openapi::api::core::v1::Pod| pod.metadata.labels.clone().unwrap().remove(label::LOGS);
        (of(start.pod()), of(start.placeholder()))
    };
    assert_eq!(label("Full"), (Some("Full".to_owned()), None));
    assert_eq!(label("Keep"), (None, None));
    let refused = validate(&full, &Offer::default()).unwrap_err();
    assert_eq!(refused.field, "spec.steps[fit].logs");
    assert!(refused.message.contains("artifacts.s3.bucket"), "{refused}");
}

/// `memory` as node label values of at least that many MiB: the label must be greater than the number shown.
#[rstest]
#[case("80Gi", "81919")]
#[case("1", "0")]
#[case("1048577", "1")]
#[case("16G", "15258")]
#[case("500M", "476")]
#[case("1Ti", "1048575")]
#[case("3000k", "2")]
#[case("1T", "953674")]
#[case("3072Ki", "2")]
#[case("3Mi", "2")]
fn gpu_memory_is_rounded_up_to_mebibytes(#[case] memory: &str, #[case] above: &str) {
    let start =
        start(&json!({"steps": [{"name": "fit", "image": "i", "pod": {"gpu": {"count": 1, "memory": memory}}}]}));
    let pod = serde_json::to_value(start.pod()).unwrap();
    let needs = pod
        .pointer("/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions")
        .unwrap();
    assert_eq!(*needs, json!([{"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": [above]}]));
}

/// Pods of a run keep off each other as each rule says, whatever the other rules are.
#[rstest]
#[case("Required", "requiredDuringSchedulingIgnoredDuringExecution")]
#[case("Preferred", "preferredDuringSchedulingIgnoredDuringExecution")]
fn one_rule_of_anti_affinity_is_enough(#[case] mode: &str, #[case] field: &str) {
    let rule = json!({"topologyKey": "zone", "mode": mode});
    let start = start(
        &json!({"steps": [{"name": "fit", "image": "i", "pod": {"affinity": {"podAntiAffinity": [rule.clone()]}}}]}),
    );
    let pod = serde_json::to_value(start.pod()).unwrap();
    let rules = pod.pointer("/spec/affinity/podAntiAffinity").and_then(Value::as_object).unwrap();
    assert_eq!(rules.keys().collect::<Vec<_>>(), [field]);
    assert_eq!(rules[field].as_array().map(Vec::len), Some(1));
}

#[rstest]
#[case(json!({}))]
#[case(json!({"count": 0, "product": "NVIDIA-H200", "memory": "80Gi"}))]
fn no_gpus_render_nothing(#[case] gpu: Value) {
    let start = start(&json!({"steps": [{"name": "fit", "image": "i", "pod": {"gpu": gpu}}]}));
    let spec = start.pod().spec.as_ref().unwrap();
    assert!(spec.node_selector.is_none() && spec.affinity.is_none() && spec.tolerations.is_none());
    assert!(spec.containers[0].resources.is_none());
}

#[test]
fn the_pause_grows_by_its_factor_up_to_its_limit() {
    let policy = RetryPolicy {
        limit: 9,
        base: Duration::from_secs(5),
        factor: 2,
        max: Duration::from_secs(60),
        exit_codes: BTreeSet::new(),
        avoid_node: false,
    };
    let pauses: Vec<u64> = [0, 1, 2, 3, 4, 5, u32::MAX].map(|n| policy.pause(n).as_secs()).into();
    assert_eq!(pauses, [5, 5, 10, 20, 40, 60, 60]);
}
