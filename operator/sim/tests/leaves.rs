//! Every leaf of the Workflow's schema does something: changing it changes what is written or done, beyond the name and the
//! digest of the revision. A field that is added needs a place in a story below.

use crate::common::Workflows;
use hearth_crds::{trigger, workflow::Workflow};
use hearth_sim::{act::Act, clock::secs, lens, outcome::Outcome, samples::key};
use kube::CustomResourceExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Texts for people: they change nothing, and that is right.
const FOR_PEOPLE: [&str; 1] = ["spec.params[].description"];

/// Leaves whose other values are refused where the story's own runs: that is their effect.
const REFUSED: [&str; 4] = [
    // There is one runtime in the simulated catalog.
    "spec.steps[].runtime",
    "spec.onExit.runtime",
    "spec.params[].maximum",
    "spec.params[].minimum",
];

/// What the schema does not let the step on exit have, and the check refuses: it follows all others, once.
const NOT_ON_EXIT: [&str; 5] = [
    "{needs: [a]}",
    "{after: {a: [Failed]}}",
    "{approval: {message: publish}}",
    "{forEach: {items: [1]}}",
    "{cache: {maxAge: 1h}}",
];

/// Stands for the id of the first run.
const RUN: &str = "RUN-ID";

/// What happens to a Workflow.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    /// Its spec.
    spec: &'static str,
    /// What is merged into its spec ten minutes later.
    later: &'static str,
    /// How pods fare: step, which of its pods, seconds, exit code, outputs.
    pods: &'static [(&'static str, usize, u64, i32, &'static str)],
    /// It is the run object of a trigger of this template.
    triggered: bool,
    /// The same of the step on exit: the first step becomes it.
    on_exit: bool,
    /// How long it is looked at, in hours.
    hours: u64,
}

const PLAIN: Story = Story { name: "", spec: "", later: "{}", pods: &[], triggered: false, on_exit: false, hours: 3 };

/// What `from` and nested steps run.
const TEMPLATE: &str = r#"
runPolicy: Manual
image: example.org/inner:1
params: [{name: window, type: integer}]
steps: [{name: inner, args: ["${string(params.window)}"], outputs: [{name: n, type: integer}]}]
results: {n: "${steps.inner.outputs.n}"}
"#;

const POD: &str = r#"
  affinity:
    nodePreferred: [{weight: 5, require: {key: zone, operator: In, values: [a]}}]
    nodeRequired: [{key: zone, operator: In, values: [a]}]
    podAntiAffinity: [{topologyKey: kubernetes.io/hostname, mode: Required}]
  annotations: {example.org/a: b}
  envFrom: [{configMap: m, prefix: P_, optional: true}, {secret: s}]
  fsGroup: 1000
  gpu: {count: 1, resource: nvidia.com/gpu, product: NVIDIA-H200, memory: 80Gi}
  imagePullSecrets: [pull]
  labels: {team: a}
  nodeSelector: {disk: fast}
  priorityClassName: high
  resources: {limits: {cpu: "2"}, requests: {cpu: "1"}}
  runAsUser: 1000
  runtimeClassName: gvisor
  schedulerName: other
  shm: 1Gi
  terminationGracePeriodSeconds: 30
  tolerations: [{key: k, operator: Equal, value: v, effect: NoExecute, tolerationSeconds: 60}, {key: l, operator: Exists}]
  topologySpread: [{topologyKey: zone, maxSkew: 2, whenUnsatisfiable: DoNotSchedule}]
  volumes:
  - {name: spare, emptyDir: {}}
  - {name: map, configMap: {name: m, optional: true}}
  - {name: sec, secret: {name: s, optional: true}}
  - {name: dir, emptyDir: {medium: Memory, sizeLimit: 1Gi}}
  - {name: own, ephemeral: {size: 1Gi, storageClass: fast}}
  - name: all
    projected: {sources: [{configMap: {name: m, optional: true}}, {secret: {name: s, optional: true}}]}
  - {name: claim, pvc: {claim: c, readOnly: true}}
  volumeMounts:
  - {name: map, mountPath: /map, readOnly: true, subPath: sub}
  - {name: sec, mountPath: /sec}
  - {name: dir, mountPath: /dir}
  - {name: own, mountPath: /own}
  - {name: all, mountPath: /all}
  - {name: claim, mountPath: /claim}
"#;

const PROGRAM: &str = r#"
image: example.org/a:1
env:
- {name: SHARED, value: a}
- {name: SHARED_MAP, valueFrom: {configMapKeyRef: {name: m, key: k, optional: true}}}
- {name: SHARED_SECRET, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
- {name: SHARED_FIELD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
steps:
- name: work
  image: example.org/b:1
  command: [/work]
  args: [one]
  env:
  - {name: OWN, value: a}
  - {name: OWN_MAP, valueFrom: {configMapKeyRef: {name: m, key: k, optional: true}}}
  - {name: OWN_SECRET, valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}}
  - {name: OWN_FIELD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
  timeout: 1h
  logs: Keep
  outputs: [{name: n, type: integer}]
- {name: plain}
"#;

fn stories() -> Vec<Story> {
    vec![
        Story { name: "program", spec: PROGRAM, pods: &[("work", 1, 2, 0, r#"{"n": 7}"#)], on_exit: true, ..PLAIN },
        Story {
            name: "retry",
            spec: r#"
image: example.org/a:1
steps:
- name: work
  retry: {limit: 3, backoff: {base: 10s, factor: 3, max: 60s}, exitCodes: [1], avoidNode: true}
"#,
            pods: &[("work", 1, 2, 1, "")],
            on_exit: true,
            ..PLAIN
        },
        Story { name: "pods", spec: "POD of the spec", ..PLAIN },
        Story { name: "pod", spec: "POD of the step", on_exit: true, ..PLAIN },
        Story {
            name: "flow",
            spec: r#"
image: example.org/a:1
parallelism: 2
params:
- {name: window, type: integer, default: 12, minimum: 12, maximum: 12, description: months}
- {name: spare, default: "1"}
results: {w: "${params.window}"}
steps:
- {name: a}
- {name: b}
- {name: c, needs: [a], when: "${params.window > 6}"}
- {name: d, needs: [b]}
- {name: clean, after: {c: [Failed]}}
- {name: ask, approval: {message: "publish?"}}
approve: [{step: ask, run: RUN-ID}]
"#,
            pods: &[("b", 1, 9, 0, "")],
            ..PLAIN
        },
        Story {
            name: "when",
            spec: r#"{image: example.org/a:1, steps: [{name: work, when: "${run.number > 0}"}]}"#,
            on_exit: true,
            ..PLAIN
        },
        Story {
            name: "listed",
            spec: r#"
image: example.org/a:1
steps: [{name: each, forEach: {items: [1, 2, 3], maxParallel: 2}, args: ["${string(item)}"]}]
"#,
            ..PLAIN
        },
        Story {
            name: "given",
            spec: r#"
image: example.org/a:1
steps: [{name: each, forEach: {expression: "${[1, 2]}"}, args: ["${string(item)}"]}]
"#,
            ..PLAIN
        },
        Story {
            name: "fail fast",
            spec: "{image: example.org/a:1, failFast: true, steps: [{name: bad}, {name: long}]}",
            pods: &[("bad", 1, 2, 65, ""), ("long", 1, 60, 0, "")],
            ..PLAIN
        },
        Story {
            name: "timeout",
            spec: "{image: example.org/a:1, timeout: 1m, steps: [{name: long}]}",
            pods: &[("long", 1, 3600, 0, "")],
            ..PLAIN
        },
        Story {
            name: "pending",
            spec: "{image: example.org/a:1, pendingTimeout: 1m, steps: [{name: stuck}]}",
            ..PLAIN
        },
        Story {
            name: "kept pods",
            spec: "{image: example.org/a:1, keepPods: {failed: 1h}, steps: [{name: bad}]}",
            pods: &[("bad", 1, 2, 65, "")],
            ..PLAIN
        },
        Story {
            name: "schedule",
            spec: r#"
image: example.org/a:1
runPolicy: OnSchedule
concurrency: Forbid
schedules: [{cron: "0 6 * * *", timeZone: Europe/Vienna, startingDeadline: 1h}]
steps: [{name: long}]
"#,
            // The slot of the next day comes while it runs, and it ends an hour and a half later.
            pods: &[("long", 1, 25 * 3600 + 1800, 0, "")],
            hours: 80,
            ..PLAIN
        },
        Story {
            name: "cancel",
            spec: "{image: example.org/a:1, cancel: {run: RUN-ID}, steps: [{name: long}]}",
            pods: &[("long", 1, 60, 0, "")],
            ..PLAIN
        },
        Story {
            name: "rerun",
            spec: "{image: example.org/a:1, suspend: false, steps: [{name: good}, {name: bad}]}",
            later: "{rerun: {token: again, from: Failed}}",
            pods: &[("bad", 1, 2, 65, ""), ("bad", 2, 2, 0, "")],
            ..PLAIN
        },
        Story {
            name: "cached",
            spec: r#"
steps:
- name: a
  image: example.org/a@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
  command: [/a]
  outputs: [{name: n, type: integer}]
  cache: {maxAge: 5m}
"#,
            later: "{rerun: {token: again}}",
            pods: &[("a", 1, 2, 0, r#"{"n": 1}"#)],
            ..PLAIN
        },
        Story {
            name: "from",
            spec: "{from: {workflow: report, params: {window: 24}}}",
            pods: &[("inner", 1, 2, 0, r#"{"n": 3}"#)],
            ..PLAIN
        },
        Story {
            name: "triggered",
            spec: "{from: {workflow: report, params: {window: 24}}, ttl: 1h}",
            pods: &[("inner", 1, 2, 0, r#"{"n": 3}"#)],
            triggered: true,
            ..PLAIN
        },
        Story {
            name: "nested",
            spec: r#"
image: example.org/a:1
steps:
- name: sub
  workflow: {ref: report, params: {window: 3}}
  outputs: [{name: n, type: integer}]
"#,
            pods: &[("inner", 1, 2, 0, r#"{"n": 3}"#)],
            on_exit: true,
            ..PLAIN
        },
        Story {
            name: "artifacts",
            spec: r#"
image: example.org/a:1
steps:
- name: use
  command: [/use]
  needs: [make]
  artifacts: {in: [{from: make.table, name: data, path: d.csv}], out: [{name: plot, path: p.png}]}
- {name: make, command: [/make], artifacts: {out: [{name: table, path: t.csv}, {name: other, path: o.csv}]}}
"#,
            on_exit: true,
            ..PLAIN
        },
        Story {
            name: "runtime",
            spec: "{steps: [{name: smooth, runtime: shape, with: {window: 3, of: x}}]}",
            on_exit: true,
            ..PLAIN
        },
    ]
}

/// Values that another kind of change would not find, by the end of the path.
fn others(path: &str) -> Vec<Value> {
    let found: &[&str] = match path {
        p if p.ends_with("fieldPath") => &["metadata.namespace"],
        p if p.ends_with("volumeMounts[].name") => &["sec"],
        // The second run begins ten minutes after the first.
        p if p.ends_with("maxAge") => &["20m"],
        p if p.ends_with("cron") => &["0 7 * * *"],
        p if p.ends_with("timeZone") => &["Asia/Tokyo"],
        p if p.ends_with("needs[]") => &["b"],
        p if p.ends_with("artifacts.in[].from") => &["make.other"],
        p if p.ends_with(".when") => &["${params.window > 60}", "${run.number > 1}"],
        p if p.ends_with("forEach.expression") => &["${[1, 2, 3]}"],
        _ => &[],
    };
    found.iter().map(|text| json!(text)).collect()
}

/// Other values of a leaf: by its schema, else by its looks.
fn changed(path: &str, value: &Value, schema: &Value) -> Vec<Value> {
    let mut found = others(path);
    if let Some(words) = schema["enum"].as_array() {
        found.extend(words.iter().filter(|w| *w != value && !w.is_null()).cloned());
        return found;
    }
    match value {
        Value::Bool(yes) => found.push(json!(!yes)),
        Value::Number(n) => found.extend([json!(n.as_i64().unwrap_or(0) + 1), json!(n.as_i64().unwrap_or(0) - 1)]),
        Value::String(text) => {
            // Durations, quantities and versions: the first digit that can grow does.
            if let Some(at) = text.find(|c: char| ('0'..='8').contains(&c)) {
                let digit = char::from(text.as_bytes()[at] + 1);
                found.push(json!(format!("{}{digit}{}", &text[..at], &text[at + 1..])));
            }
            found.push(json!(format!("{text}x")));
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {}
    }
    found
}

/// Every leaf below a schema: its path, as `spec.steps[].name` or `spec.results{}`, and its schema.
fn leaves(path: &str, schema: &Value, found: &mut BTreeMap<String, Value>) {
    if let Some(fields) = schema["properties"].as_object() {
        fields.iter().for_each(|(name, field)| leaves(&format!("{path}.{name}"), field, found));
    } else if schema["items"].is_object() {
        leaves(&format!("{path}[]"), &schema["items"], found);
    } else if schema["additionalProperties"].is_object() {
        leaves(&format!("{path}{{}}"), &schema["additionalProperties"], found);
    } else {
        found.insert(path.to_owned(), schema.clone());
    }
}

/// Where the leaf of a path is in a value, as JSON pointers.
fn places(path: &str, value: &Value, at: &str, found: &mut Vec<String>) {
    if path.is_empty() {
        found.push(at.to_owned());
    } else if let Some(rest) = path.strip_prefix("[]") {
        for (index, element) in value.as_array().into_iter().flatten().enumerate() {
            places(rest, element, &format!("{at}/{index}"), found);
        }
    } else if let Some(rest) = path.strip_prefix("{}") {
        for (name, field) in value.as_object().into_iter().flatten() {
            places(rest, field, &format!("{at}/{}", name.replace('/', "~1")), found);
        }
    } else if let Some(rest) = path.strip_prefix('.') {
        let end = rest.find(['.', '[', '{']).unwrap_or(rest.len());
        if let Some(field) = value.get(&rest[..end]) {
            places(&rest[end..], field, &format!("{at}/{}", &rest[..end]), found);
        }
    }
}

/// A story with its spec as a value, and what is merged into it later.
struct Told {
    story: Story,
    spec: Value,
    later: Value,
}

fn told(story: Story) -> Vec<Told> {
    let pod: Value = serde_yaml::from_str(POD).unwrap();
    let step = json!({"name": "work", "image": "example.org/a:1"});
    let spec: Value = match story.name {
        "pods" => json!({"pod": pod, "steps": [step]}),
        "pod" => {
            let mut step = step;
            step["pod"] = pod;
            json!({"steps": [step]})
        }
        _ => serde_yaml::from_str(story.spec).unwrap(),
    };
    let later = serde_yaml::from_str(story.later).unwrap();
    let mut all = Vec::new();
    if story.on_exit {
        let mut spec = spec.clone();
        let mut exit = spec["steps"].as_array_mut().unwrap().remove(0);
        exit.as_object_mut().unwrap().remove("needs");
        spec["onExit"] = exit;
        if spec["steps"].as_array().unwrap().is_empty() {
            spec["steps"] = json!([{"name": "before", "image": "example.org/a:1"}]);
        }
        all.push(Told { story, spec, later: json!({}) });
    }
    all.push(Told { story, spec, later });
    all
}

/// All that is written and done in a story, in order. The names and digests of revisions are left out.
fn trace(told: &Told) -> Vec<String> {
    let mut world = Workflows::new(lens::workflow(), 1);
    for (step, nth, seconds, code, outputs) in told.story.pods {
        let outcome = if *code == 0 { Outcome::outputs(outputs) } else { Outcome::exit(*code) };
        world.kubelet.outcomes.set(step, *nth, outcome.after(secs(*seconds)));
    }
    if told.story.name == "pending" {
        let pending = hearth_sim::outcome::Pending::Image(None);
        world.kubelet.outcomes.set("stuck", 1, Outcome { pending, ..Outcome::default() });
    }
    let object = |spec: &Value| json!({"apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow", "spec": spec});
    let template: Value = serde_yaml::from_str(TEMPLATE).unwrap();
    world.act(Act::Create(key("report"), object(&template)));
    let (mut demo, mut name) = (object(&told.spec), "demo".to_owned());
    if told.story.triggered {
        let uid = world.server.cr(&key("report")).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        name = trigger::name("report", &uid, "monday");
        demo["metadata"] = json!({"annotations": trigger::annotations(&uid, "monday", "ada")});
    }
    world.act(Act::Create(key(&name), demo));
    world.at(world.now.after(secs(600)), Act::Edit(key(&name), json!({ "spec": told.later })));
    let (mut seen, mut lines) = (BTreeMap::<String, String>::new(), Vec::new());
    let mut note = |world: &Workflows| {
        let mut now = BTreeMap::new();
        let (mut names, statuses) = (BTreeSet::new(), world.server.crs());
        for (key, raw) in statuses {
            let run = &raw["status"]["run"];
            names.extend([&run["revision"], &run["digest"]].into_iter().filter_map(Value::as_str).map(str::to_owned));
            // The spec of a run object is written by the operator.
            let written = if *key.1 == *name { Value::Null } else { raw["spec"].clone() };
            now.insert(format!("object {}", key.1), json!([raw["status"], written]).to_string());
        }
        for (key, pod) in world.server.pods() {
            now.insert(format!("pod {}", key.1), serde_json::to_string(&**pod).unwrap());
        }
        for row in world.store.steps.values() {
            now.insert(format!("row {} {} {}", row.step, row.item, row.attempt), format!("{row:?}"));
        }
        for (what, text) in &mut now {
            for name in &names {
                *text = text.replace(name.as_str(), "");
            }
            if seen.get(what) != Some(text) {
                lines.push(format!("{} {what} {text}", world.now));
            }
        }
        seen.keys()
            .filter(|what| !now.contains_key(*what))
            .for_each(|gone| lines.push(format!("{} {gone} gone", world.now)));
        seen = now;
    };
    let end = world.now.after(secs(told.story.hours * 3600));
    world.run_until(end, |world| {
        note(world);
        false
    });
    note(&world);
    assert_eq!(world.violations(), &[] as &[String], "{}: {}", told.story.name, told.spec);
    lines
}

/// A story in which the first run's id stands where it must.
fn settle(told: &mut Told) {
    if told.spec.to_string().contains(RUN) {
        let lines = trace(told);
        let id = lines.iter().find_map(|line| {
            let (_, after) = line.split_once(" object demo ")?;
            let status: Value = serde_json::from_str(after).ok()?;
            status[0]["run"]["id"].as_str().map(str::to_owned)
        });
        told.spec = serde_json::from_str(&told.spec.to_string().replace(RUN, &id.unwrap())).unwrap();
    }
}

fn is_refused(lines: &[String]) -> bool {
    lines.iter().any(|line| line.contains("InvalidSpec"))
}

/// Whether some other value of the leaf makes the story another one.
fn matters(leaf: &str, schema: &Value, told: &Told, plain: &[String]) -> bool {
    let path = leaf.strip_prefix("spec").unwrap();
    for later in [false, true] {
        let of = if later { &told.later } else { &told.spec };
        let mut pointers = Vec::new();
        places(path, of, "", &mut pointers);
        for pointer in pointers {
            let value = of.pointer(&pointer).unwrap();
            for other in changed(leaf, value, schema) {
                let (mut spec, mut merged) = (told.spec.clone(), told.later.clone());
                *(if later { &mut merged } else { &mut spec }).pointer_mut(&pointer).unwrap() = other;
                let lines = trace(&Told { story: told.story, spec, later: merged });
                if lines != plain && (!is_refused(&lines) || REFUSED.contains(&leaf)) {
                    return true;
                }
            }
        }
    }
    false
}

#[test]
fn every_leaf_of_the_schema_changes_what_is_done() {
    let crd = serde_json::to_value(Workflow::crd()).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut all = BTreeMap::new();
    leaves("spec", spec, &mut all);
    assert!(all.len() > 200, "the schema has {} leaves", all.len());
    let mut told: Vec<Told> = stories().into_iter().flat_map(told).collect();
    told.iter_mut().for_each(settle);
    let plain: Vec<Vec<String>> = told.iter().map(trace).collect();
    for (told, lines) in told.iter().zip(&plain) {
        assert!(!is_refused(lines), "{} is refused: {}", told.story.name, lines.last().unwrap());
        assert_eq!(trace(told), *lines, "{} differs when it is told again", told.story.name);
    }
    let dead: Vec<&String> = all
        .iter()
        .filter(|(leaf, _)| !FOR_PEOPLE.contains(&leaf.as_str()))
        .filter(|(leaf, schema)| !told.iter().zip(&plain).any(|(told, lines)| matters(leaf, schema, told, lines)))
        .map(|(leaf, _)| leaf)
        .collect();
    assert!(dead.is_empty(), "leaves that change nothing, or are in no story: {dead:#?}");
    for field in NOT_ON_EXIT {
        let mut spec = json!({"image": "example.org/a:1", "steps": [{"name": "a"}], "onExit": {"name": "z"}});
        let fields: BTreeMap<String, Value> = serde_yaml::from_str(field).unwrap();
        assert!(fields.keys().all(|name| !all.keys().any(|leaf| leaf.starts_with(&format!("spec.onExit.{name}")))));
        spec["onExit"].as_object_mut().unwrap().extend(fields);
        let story = Story { name: field, ..PLAIN };
        assert!(is_refused(&trace(&Told { story, spec, later: json!({}) })), "{field} is not refused");
    }
    println!("{} leaves, each of which changes what is done", all.len() - FOR_PEOPLE.len());
}
