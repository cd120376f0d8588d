//! What came of what, as the rows of a status say.

use crate::common::{RUN, env};
use hearth_crds::workflow::Workflow;
use hearth_plan::{
    Facts, Kind, Record,
    facts::{ContainerFact, PodFact, PodPhase},
    kind::{Accepted, Env},
    offer::{ArtifactService, Offer},
    record::Relation,
    workflow::{WorkflowKind, digest::pod_name},
};
use serde_json::{Value, json};
use std::sync::Arc;

const TABLE: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const IMAGE: &str = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";
const LAST: &str = "01890a5d-ac96-774b-bcce-b302099a8056";

fn offering() -> Env {
    let artifacts =
        ArtifactService { image: "hearth-step".into(), recorder: "https://recorder".into(), store_ca: None };
    Env { offer: Arc::new(Offer { artifacts: Some(artifacts), ..Offer::default() }), ..env() }
}

/// `RELATION FROM -> TO by STEP#ATTEMPT as NAME` of each row, this run as `run`.
fn lineage(spec: &Value, steps: &Value, facts: &Facts) -> Vec<String> {
    let mut cr: Workflow = serde_json::from_value(json!({
        "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
        "metadata": {"name": "demo", "namespace": "lab", "uid": "uid-a"}, "spec": spec,
    }))
    .unwrap();
    let env = offering();
    let specs = WorkflowKind::specs(&cr, facts, &env, None);
    cr.status = serde_json::from_value(json!({
        "phase": "Running",
        "lastRun": {"id": LAST, "number": 1, "phase": "Failed", "finishedAt": "2025-12-31T00:00:00Z"},
        "run": {"id": RUN, "number": 2, "seq": 3, "revision": specs.current.revision, "digest": specs.current.digest,
            "generation": 1, "trigger": "Rerun", "startedAt": "2026-01-01T00:00:00Z", "steps": steps},
    }))
    .unwrap();
    let specs = WorkflowKind::specs(&cr, facts, &env, None);
    let accepted = Accepted::by_server(cr.status.clone().unwrap());
    let batch = WorkflowKind::records(&cr, &specs, None, &accepted, facts, &env).unwrap();
    let told = |record: Record| {
        let Record::Lineage(l) = record else { return None };
        assert_eq!((l.run_id.as_str(), l.seq), (RUN, 3));
        let end = |id: String| if id == RUN { "run".to_owned() } else { id };
        let by = if l.step.is_empty() { String::new() } else { format!(" by {}#{} as {}", l.step, l.attempt, l.name) };
        Some(format!("{} {} -> {}{by}", l.relation.as_str(), end(l.from), end(l.to)))
    };
    batch.records.into_iter().filter_map(told).collect()
}

fn pod(step: &str, item: Option<u32>, attempt: u32, image: Option<&str>) -> (String, Arc<PodFact>) {
    let name = pod_name("demo", "uid-a", RUN, step, item, attempt);
    let fact = PodFact {
        name: name.clone(),
        owned: true,
        phase: PodPhase::Running,
        container: ContainerFact::Running { at: None },
        image_id: image.map(|digest| format!("example.org/i@{digest}")),
        ..PodFact::default()
    };
    (name, fact.into())
}

fn steps() -> Value {
    json!({"steps": [
        {"name": "clean", "image": "i:1", "command": ["/clean"], "artifacts": {"out": [{"name": "table"}]}},
        {"name": "fit", "needs": ["clean"], "image": "i:1", "command": ["/fit"],
            "artifacts": {"in": [{"from": "clean.table", "name": "raw"}]}, "retry": {"limit": 2}},
        {"name": "each", "needs": ["clean"], "image": "i:1", "command": ["/each"], "forEach": {"items": [1, 2, 3]},
            "artifacts": {"in": [{"from": "clean.table"}]}},
    ]})
}

fn cleaned() -> Value {
    json!({"name": "clean", "phase": "Succeeded", "attempt": 1, "artifacts": {"table": {"digest": TABLE, "bytes": 3, "directory": false}}})
}

#[test]
fn attempts_that_began_read_wrote_and_ran() {
    let ended = json!([{"attempt": 1, "class": "Application", "reason": "StepFailed", "exitCode": 1, "at": "2026-01-01T00:00:30Z"},
        {"attempt": 2, "class": "Void", "reason": "PodDeleted", "at": "2026-01-01T00:00:40Z"}]);
    let fit = json!({"name": "fit", "phase": "Running", "attempt": 3, "since": "2026-01-01T00:01:00Z", "ended": ended});
    let pods = [pod("clean", None, 1, Some(IMAGE)), pod("fit", None, 1, Some(IMAGE)), pod("fit", None, 3, None)];
    let facts = Facts { pods: pods.into(), ..Facts::default() };
    assert_eq!(
        lineage(&steps(), &json!([cleaned(), fit]), &facts),
        [
            format!("Read {TABLE} -> run by fit#1 as raw"),
            format!("Wrote run -> {TABLE} by clean#1 as table"),
            format!("RanImage {IMAGE} -> run by clean#1 as i:1"),
            format!("RanImage {IMAGE} -> run by fit#1 as i:1"),
        ],
        "not the void attempt, nor the one that has not begun"
    );
}

#[test]
fn items_of_a_step_read_as_one() {
    let each = json!({"name": "each", "phase": "Running", "attempt": 0, "startedAt": "2026-01-01T00:01:00Z",
        "fanOut": {"count": 3, "started": 3, "open": "0-2", "marks": [{"below": 3, "at": "2026-01-01T00:01:00Z"}]}});
    let facts = Facts { pods: (0..3).map(|i| pod("each", Some(i), 1, Some(IMAGE))).collect(), ..Facts::default() };
    assert_eq!(
        lineage(&steps(), &json!([cleaned(), each]), &facts),
        [
            format!("Read {TABLE} -> run by each#1 as table"),
            format!("Wrote run -> {TABLE} by clean#1 as table"),
            format!("RanImage {IMAGE} -> run by each#1 as i:1"),
        ]
    );
}

#[test]
fn what_was_taken_over_was_written_by_the_earlier_run() {
    let mut clean = cleaned();
    clean["attempt"] = json!(0);
    clean["reason"] = json!("Reused");
    let fit = json!({"name": "fit", "phase": "Succeeded", "attempt": 1});
    assert_eq!(
        lineage(&steps(), &json!([clean, fit]), &Facts::default()),
        [format!("Read {TABLE} -> run by fit#1 as raw"), format!("RerunOf {LAST} -> run")]
    );
    assert_eq!(lineage(&steps(), &json!([]), &Facts::default()), [""; 0], "a rerun from the start takes nothing over");
}

#[test]
fn work_that_an_earlier_run_did_is_named_with_it() {
    let hit = |name: &str, from: &str| json!({"name": name, "phase": "Succeeded", "attempt": 0, "reason": "Cached", "cache": {"found": "Hit", "run": from}});
    assert_eq!(
        lineage(&steps(), &json!([hit("clean", LAST), hit("fit", RUN)]), &Facts::default()),
        [format!("Cached {LAST} -> run by clean#0 as ")],
        "work of another step of the same run came from no other run"
    );
}

#[test]
fn a_run_of_a_template_names_it() {
    let template = json!({"steps": [{"name": "a", "image": "i"}], "runPolicy": "Manual"});
    let fact = hearth_plan::facts::Peer { uid: "t".into(), generation: 1, spec: template, ..Default::default() };
    let facts = Facts { peers: [("base".to_owned(), fact)].into(), ..Facts::default() };
    let from = json!({"from": {"workflow": "base"}});
    assert_eq!(lineage(&from, &json!([]), &facts), ["RanTemplate workflow/base -> run"]);
    assert_eq!(Relation::RanTemplate.as_str(), "RanTemplate");
}
