//! What makes work the same, and what a step that may be taken over is told.

use crate::common::{RUN, env};
use hearth_crds::{annotation, time::Time, workflow::Workflow};
use hearth_plan::{
    Action, Facts, Kind, Plan,
    kind::{Accepted, Env},
    offer::{ArtifactService, Offer},
    work::{Answer, Sought, Work},
    workflow::WorkflowKind,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

const TABLE: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const OTHER: &str = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";
/// 2026-01-01T00:05:00Z.
const NOW: i64 = 1_767_225_900_000;

/// A run in which `clean` has succeeded and the step after it could begin.
#[derive(Clone)]
struct Scene {
    namespace_uid: String,
    name: String,
    run: String,
    spec: Value,
    params: Value,
    table: String,
}

impl Scene {
    fn new() -> Self {
        let spec = json!({
            "params": [{"name": "window", "type": "integer", "default": 12}, {"name": "title", "default": "none"}],
            "env": [{"name": "SHARED", "value": "s"}],
            "steps": [
                {"name": "clean", "image": "i:1", "command": ["/clean"], "artifacts": {"out": [{"name": "table"}]}},
                {"name": "fit", "needs": ["clean"], "image": format!("example.org/fit@{OTHER}"), "command": ["/fit"],
                    "args": ["--window", "${string(params.window)}"],
                    "env": [{"name": "MODE", "value": "fast"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "door", "key": "t"}}}],
                    "artifacts": {"in": [{"from": "clean.table", "name": "raw", "path": "raw.csv"}], "out": [{"name": "model"}]},
                    "outputs": [{"name": "rmse", "type": "number"}],
                    "pod": {"resources": {"requests": {"cpu": "1"}}},
                    "cache": {"maxAge": "1h"}},
            ],
        });
        Self {
            namespace_uid: "ns-uid-1".into(),
            name: "demo".into(),
            run: RUN.into(),
            spec,
            params: json!({"window": 12, "title": "none"}),
            table: TABLE.into(),
        }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other
    }

    /// With one field of the step changed.
    fn fit(&self, pointer: &str, value: Value) -> Self {
        self.with(|s| {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let parent = s.spec.pointer_mut(&format!("/steps/1{parent}")).unwrap();
            parent.as_object_mut().unwrap().insert(field.to_owned(), value);
        })
    }

    fn env(&self) -> Env {
        let artifacts =
            ArtifactService { image: "hearth-step".into(), recorder: "https://recorder".into(), store_ca: None };
        let offer = Arc::new(Offer { artifacts: Some(artifacts), ..Offer::default() });
        Env { offer, namespace_uids: [("lab".to_owned(), self.namespace_uid.clone())].into(), ..env() }
    }

    fn object(&self) -> Workflow {
        let mut cr: Workflow = serde_json::from_value(json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": self.name, "namespace": "lab", "uid": "uid-a", "generation": 1, "finalizers": ["hearth.dev/record"]},
            "spec": self.spec,
        }))
        .unwrap();
        let specs = WorkflowKind::specs(&cr, &Facts::default(), &self.env(), None);
        let artifacts = json!({"table": {"digest": self.table, "bytes": 3}});
        cr.status = serde_json::from_value(json!({
            "observedGeneration": 1, "phase": "Running",
            "run": {"id": self.run, "number": 2, "seq": 3, "revision": specs.current.revision, "digest": specs.current.digest,
                "generation": 1, "trigger": "Rerun", "params": self.params, "startedAt": "2026-01-01T00:00:00Z",
                "steps": [{"name": "clean", "phase": "Succeeded", "attempt": 1, "artifacts": artifacts}]},
        }))
        .unwrap();
        cr
    }

    fn plan(&self, facts: &Facts) -> Plan<hearth_crds::workflow::WorkflowStatus> {
        let (cr, env) = (self.object(), self.env());
        let specs = WorkflowKind::specs(&cr, facts, &env, None);
        if let Err(e) = &specs.current.checked {
            panic!("{e}");
        }
        WorkflowKind::plan(&cr, &specs, facts, &env, Time::from_millis(NOW))
    }

    fn sought(&self) -> Sought {
        let plan = self.plan(&Facts::default());
        assert!(plan.intents.is_empty(), "nothing starts before the answer is there");
        let sought = plan.actions.into_iter().find_map(|(action, _)| {
            let Action::LookUp { sought } = action else { return None };
            Some(sought)
        });
        let [sought] = sought.expect("a question").try_into().expect("one question");
        sought
    }

    fn key(&self) -> String {
        self.sought().key
    }
}

#[test]
fn other_inputs_are_other_work() {
    let scene = Scene::new();
    let secret = json!([{"name": "MODE", "value": "fast"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "gate", "key": "t"}}}]);
    let others = [
        ("namespace", scene.with(|s| s.namespace_uid = "ns-uid-2".into())),
        ("image", scene.fit("/image", json!(format!("example.org/fit@{TABLE}")))),
        ("command", scene.fit("/command", json!(["/fit", "-v"]))),
        ("args", scene.fit("/args", json!(["${string(params.window)}", "--window"]))),
        ("a param that is read", scene.with(|s| s.params = json!({"window": 13, "title": "none"}))),
        ("env", scene.fit("/env", json!([{"name": "MODE", "value": "slow"}]))),
        ("env of all steps", scene.with(|s| s.spec["env"][0]["value"] = json!("t"))),
        ("the Secret that is named", scene.fit("/env", secret)),
        ("envFrom", scene.fit("/pod/envFrom", json!([{"secret": "door"}]))),
        ("an input", scene.with(|s| s.table = OTHER.into())),
        ("its path", scene.with(|s| s.spec["steps"][1]["artifacts"]["in"][0]["path"] = json!("other.csv"))),
        ("its name", scene.with(|s| s.spec["steps"][1]["artifacts"]["in"][0]["name"] = json!("cooked"))),
        (
            "outputs",
            scene.fit("/outputs", json!([{"name": "rmse", "type": "number"}, {"name": "n", "type": "integer"}])),
        ),
        ("artifacts", scene.fit("/artifacts/out", json!([{"name": "model", "path": "m.bin"}]))),
    ];
    let mut keys = BTreeSet::from([scene.key()]);
    for (what, other) in others {
        assert!(keys.insert(other.key()), "{what} makes no other work");
    }
    assert!(keys.iter().all(|k| k.starts_with("v1:") && k.len() == 67), "{keys:?}");
}

#[test]
fn the_same_inputs_are_the_same_work() {
    let scene = Scene::new();
    let key = scene.key();
    for (what, same) in [
        ("the Workflow", scene.with(|s| s.name = "other".into())),
        ("the step", scene.fit("/name", json!("tune"))),
        ("the run", scene.with(|s| s.run = "01890a5d-ac96-774b-bcce-b302099a8058".into())),
        ("where the image lies", scene.fit("/image", json!(format!("mirror.example.org/x/fit:3@{OTHER}")))),
        ("resources", scene.fit("/pod/resources", json!({"requests": {"cpu": "2"}}))),
        ("labels", scene.fit("/pod/labels", json!({"team": "carbon"}))),
        ("retry", scene.fit("/retry", json!({"limit": 3}))),
        ("timeout", scene.fit("/timeout", json!("20m"))),
        ("when", scene.fit("/when", json!("${params.title != ''}"))),
        ("logs", scene.fit("/logs", json!("Keep"))),
        ("a param that is not read", scene.with(|s| s.params = json!({"window": 12, "title": "other"}))),
        ("maxAge", scene.fit("/cache/maxAge", json!("30d"))),
    ] {
        assert_eq!(same.key(), key, "{what} makes other work");
    }
}

/// A new version of the operator finds what the last one did.
#[test]
fn the_key_of_work_never_changes() {
    insta::assert_snapshot!(Scene::new().key());
}

fn work() -> Work {
    Work {
        run_id: "01890a5d-ac96-774b-bcce-b302099a8000".into(),
        step: "tidy".into(),
        item: 0,
        finished_at: Time::from_millis(NOW - 60_000),
        outputs: serde_json::from_value(json!({"rmse": 0.5})).unwrap(),
        artifacts: serde_json::from_value(json!({"model": {"digest": OTHER, "bytes": 9}})).unwrap(),
    }
}

#[test]
fn a_hit_ends_the_step_and_the_run() {
    let scene = Scene::new();
    let facts = Facts { work: [(scene.sought(), Answer::Done(Box::new(work())))].into(), ..Facts::default() };
    let plan = scene.plan(&facts);
    assert!(plan.intents.is_empty());
    let run = plan.status.unwrap().run.unwrap();
    assert!(run.finished_at.is_some());
    let step = serde_json::to_value(&run.steps[1]).unwrap();
    assert_eq!((&step["phase"], &step["reason"], &step["attempt"]), (&json!("Succeeded"), &json!("Cached"), &json!(0)));
    assert_eq!(
        step["cache"],
        json!({"found": "Hit", "run": work().run_id, "step": "tidy", "finishedAt": "2026-01-01T00:04:00.000Z"})
    );
    assert_eq!((&step["outputs"], &step["artifacts"]["model"]["digest"]), (&json!({"rmse": 0.5}), &json!(OTHER)));
}

#[test]
fn a_step_that_may_be_taken_over_knows_what_its_key_covers() {
    let scene = Scene::new();
    let told = |answer: Answer| {
        let facts = Facts { work: [(scene.sought(), answer)].into(), ..Facts::default() };
        let plan = scene.plan(&facts);
        let (cr, env) = (scene.object(), scene.env());
        let specs = WorkflowKind::specs(&cr, &facts, &env, None);
        let status = plan.status.unwrap();
        let found = serde_json::to_value(&status.run.as_ref().unwrap().steps[1]).unwrap()["cache"].clone();
        let starts = WorkflowKind::starts(&cr, &specs, &Accepted::by_server(status), &plan.intents, &env);
        let text = starts[0].pod().metadata.annotations.as_ref().unwrap()[annotation::SPEC].clone();
        (found, serde_json::from_str::<Value>(&text).unwrap()["params"].clone())
    };
    let given = json!({"window": 12});
    assert_eq!(told(Answer::Nothing), (json!({"found": "Missed"}), given.clone()));
    assert_eq!(told(Answer::Unknown("away".into())), (json!({"found": "Unknown"}), given));
}

#[test]
fn work_is_fresh_for_as_long_as_is_asked() {
    let now = Time::from_millis(NOW);
    assert!(work().is_fresh(Duration::from_secs(60), now));
    assert!(!work().is_fresh(Duration::from_millis(59_999), now));
    assert!(work().is_fresh(Duration::from_secs(60), Time::from_millis(NOW - 600_000)), "a clock that is behind");
}
