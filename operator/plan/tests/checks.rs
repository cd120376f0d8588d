//! What is refused before anything runs, and where the borders are.

use hearth_crds::workflow::{Workflow, WorkflowSpec};
use hearth_plan::{
    Facts, Kind,
    offer::{Offer, Runtime},
    workflow::{WorkflowKind, validate::validate},
};
use serde_json::{Value, json};

/// The field that a spec with these fields beside its one step is refused for.
fn refused(fields: Value) -> Option<String> {
    let mut spec = json!({"image": "example.org/a:1", "steps": [{"name": "a"}]});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let spec: WorkflowSpec = serde_json::from_value(spec).unwrap();
    validate(&spec, &Offer::default()).err().map(|e| e.field)
}

/// The field below `pod` that pod settings are refused for.
fn pod_refused(pod: Value) -> Option<String> {
    let field = refused(json!({"pod": pod}))?;
    Some(field.strip_prefix("spec.steps[a].pod.").unwrap_or_else(|| panic!("{field}")).to_owned())
}

/// Kubernetes would refuse every pod with other keys, and ours tell our pods from others.
#[test]
fn keys_of_labels_and_annotations_are_keys_of_kubernetes_and_not_ours() {
    let longest = "k".repeat(63);
    let too_long = "k".repeat(64);
    for field in ["labels", "annotations"] {
        let of = |key: &str| pod_refused(json!({field: {key: "v"}}));
        for key in
            ["team", "example.org/team", "a.b_c-d", "9", "nothearth.dev/x", "app.kubernetes.io/name", longest.as_str()]
        {
            assert_eq!(of(key), None, "{field} {key}");
        }
        for key in [
            // Ours, or those of what runs beside us.
            "hearth.dev/run-id",
            "sub.hearth.dev/x",
            "batch.kubernetes.io/job-name",
            "kueue.x-k8s.io/queue-name",
            "app.kubernetes.io/managed-by",
            // No keys.
            "",
            "example.org/",
            "a b",
            "-a",
            "a-",
            "a/b/c",
            too_long.as_str(),
        ] {
            assert_eq!(of(key), Some(format!("{field}[{key}]")));
        }
    }
}

#[test]
fn values_of_labels_are_values_of_kubernetes() {
    let of = |value: &str| pod_refused(json!({"labels": {"team": value}}));
    for value in ["", "a", "A.b_c-9", &"v".repeat(63)] {
        assert_eq!(of(value), None, "{value:?}");
    }
    for value in ["a b", "-a", "a-", "_", "ä", &"v".repeat(64)] {
        assert_eq!(of(value).as_deref(), Some("labels[team]"), "{value:?}");
    }
    assert_eq!(pod_refused(json!({"annotations": {"note": "any text: -"}})), None);
}

#[test]
fn a_volume_has_one_source_and_a_name_of_its_own() {
    let of = |volume: Value| pod_refused(json!({"volumes": [volume]}));
    assert_eq!(of(json!({"name": "v", "emptyDir": {}})), None);
    assert_eq!(of(json!({"name": "v"})).as_deref(), Some("volumes[v]"));
    assert_eq!(of(json!({"name": "v", "emptyDir": {}, "pvc": {"claim": "c"}})).as_deref(), Some("volumes[v]"));
    assert_eq!(of(json!({"name": "hearth-in", "emptyDir": {}})).as_deref(), Some("volumes[hearth-in].name"));
}

#[test]
fn bounds_are_for_numbers() {
    for bounds in [json!({"minimum": 1}), json!({"maximum": 9}), json!({"minimum": 1, "maximum": 9})] {
        for (of, value, expected) in [
            (Some("integer"), json!(5), None),
            (Some("number"), json!(5.5), None),
            (Some("string"), json!("5"), Some("spec.params[p]")),
            (None, json!("5"), Some("spec.params[p]")),
        ] {
            let mut param = json!({"name": "p", "type": of, "default": value});
            param.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
            assert_eq!(refused(json!({"params": [param]})).as_deref(), expected, "{param}");
        }
    }
}

/// They stand in the status of every run.
#[test]
fn params_are_at_most_8_kib_of_json() {
    let of = |bytes: usize| {
        let text = "x".repeat(bytes - r#"{"p":""}"#.len());
        refused(json!({"params": [{"name": "p", "default": text}]}))
    };
    assert_eq!(of(8192), None);
    for bytes in [8193, 9000] {
        assert_eq!(of(bytes).as_deref(), Some("spec.params"), "{bytes}");
    }
}

/// Whoever asked for a run must have time to read how it ended.
#[test]
fn a_run_object_stays_for_ten_minutes_at_least() {
    use hearth_crds::trigger::{annotations, name};
    let of = |ttl: &str| {
        let cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": name("t", "s", "1"), "namespace": "lab", "uid": "u", "annotations": annotations("s", "1", "ada")},
            "spec": {"from": {"workflow": "t"}, "ttl": ttl},
        }))
        .unwrap();
        let template = json!({"runPolicy": "Manual", "steps": [{"name": "a", "image": "example.org/a:1"}]});
        let peer = hearth_plan::facts::Peer { uid: "s".into(), generation: 1, spec: template, ..Default::default() };
        let facts = Facts { peers: [("t".to_owned(), peer)].into(), ..Facts::default() };
        let specs = WorkflowKind::specs(&cr, &facts, &crate::common::env(), None);
        specs.current.checked.as_ref().err().map(|e| e.field.clone())
    };
    assert_eq!(of("9m59s").as_deref(), Some("spec.ttl"));
    for ttl in ["10m", "11m"] {
        assert_eq!(of(ttl), None, "{ttl}");
    }
}

#[test]
fn a_kind_of_gpu_needs_a_count() {
    let of = |gpu: Value| pod_refused(json!({"gpu": gpu}));
    let missing = Some("gpu.count".to_owned());
    assert_eq!(of(json!({"product": "h200"})), missing);
    assert_eq!(of(json!({"memory": "80Gi"})), missing);
    for fine in [json!({}), json!({"count": 0, "product": "h200"}), json!({"count": 1, "memory": "80Gi"})] {
        assert_eq!(of(fine.clone()), None, "{fine}");
    }
}

#[test]
fn paths_of_ours_are_taken() {
    let of = |path: &str| {
        pod_refused(
            json!({"volumes": [{"name": "data", "emptyDir": {}}], "volumeMounts": [{"name": "data", "mountPath": path}]}),
        )
    };
    for path in ["/tmp", "/hearth/in", "/dev/shm"] {
        assert_eq!(of(path), Some(format!("volumeMounts[{path}].mountPath")));
    }
    for path in ["/data", "/tmpfs", "/data/tmp"] {
        assert_eq!(of(path), None, "{path}");
    }
}

#[test]
fn values_of_a_node_requirement_fit_its_operator() {
    let of = |operator: &str, values: Value| {
        let need = json!({"key": "zone", "operator": operator, "values": values});
        pod_refused(json!({"affinity": {"nodeRequired": [need]}}))
    };
    let odd = Some("affinity[zone]".to_owned());
    for (operator, fits, does_not) in [
        ("In", json!(["a", "b"]), json!([])),
        ("NotIn", json!(["a"]), json!([])),
        ("Exists", json!([]), json!(["a"])),
        ("DoesNotExist", json!([]), json!(["a"])),
        ("Gt", json!(["3"]), json!(["many"])),
        ("Lt", json!(["3"]), json!(["3", "4"])),
    ] {
        assert_eq!((of(operator, fits), of(operator, does_not)), (None, odd.clone()), "{operator}");
    }
}

#[test]
fn an_image_is_one_word() {
    let of = |image: &str| refused(json!({"image": image}));
    assert_eq!(of("example.org/a:1"), None);
    for image in ["", " ", "a b", "a\n"] {
        assert_eq!(of(image), Some("spec.steps[a].image".to_owned()), "{image:?}");
    }
}

/// Expressions that cannot work on the items are refused before the first one runs.
#[test]
fn items_of_one_type_are_checked_as_such() {
    let of = |items: Value, expression: &str| {
        let step = json!({"name": "a", "args": [expression], "forEach": {"items": items}});
        refused(json!({ "steps": [step] })).is_some()
    };
    for (items, fits, does_not) in [
        (json!([1, 2]), "${item + 1}", "${item + 'x'}"),
        (json!([1.5, 2.5]), "${item + 1.5}", "${item + 'x'}"),
        (json!(["x", "y"]), "${item + 'x'}", "${item + 1}"),
    ] {
        assert_eq!((of(items.clone(), fits), of(items.clone(), does_not)), (false, true), "{items}");
    }
    assert!(!of(json!([1, "x"]), "${item + 'x'}"), "only the run can tell");
    assert!(of(json!([1, 2]), "${item.startsWith('x')}") && !of(json!([1.5]), "${item > 1.0}"));
}

#[test]
fn what_a_runtime_is_told_has_a_length() {
    let shape = Runtime { image: "shape:1".into(), ..Runtime::default() };
    let offer = Offer { runtimes: [("shape".to_owned(), shape)].into(), ..Offer::default() };
    let of = |bytes: usize| {
        let with = json!({"text": "x".repeat(bytes - json!({"text": ""}).to_string().len())});
        let spec = json!({"steps": [{"name": "a", "runtime": "shape", "with": with}]});
        validate(&serde_json::from_value(spec).unwrap(), &offer).err().map(|e| e.field)
    };
    assert_eq!((of(8192), of(8193)), (None, Some("spec.steps[a].with".to_owned())));
}
