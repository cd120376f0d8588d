//! Pods of attempts that are over and recorded leave in mid-run, once there are more than 200 of them.

use crate::common::{RUN, ended_pod, env_with_artifacts, plan, with_log};
use hearth_crds::label;
use hearth_plan::{
    Action, Facts,
    facts::{PodFact, PodPhase},
    selection::{Ended, RunPods},
};
use serde_json::{Value, json};

/// How many of them a run holds.
const MANY: u32 = 200;

/// A run in mid-fan-out, and its pods. `each` has begun the first `started` items, and the last ten of these are open;
/// `one` and `two` are over, `busy` runs.
struct Scene {
    object: Value,
    facts: Facts,
}

impl Scene {
    fn new(started: u32) -> Self {
        let items: Vec<u32> = (0..started + 10).collect();
        let time = "2026-01-01T00:00:00Z";
        let over = |name: &str| json!({"name": name, "phase": "Succeeded", "attempt": 1, "since": time, "startedAt": time, "finishedAt": time});
        let object = json!({
            "apiVersion": "hearth.dev/v1alpha1", "kind": "Workflow",
            "metadata": {"name": "demo", "namespace": "lab", "uid": "u", "generation": 1, "finalizers": ["hearth.dev/record"]},
            "spec": {"image": "example.org/a:1", "steps": [
                {"name": "one"}, {"name": "two"}, {"name": "busy"}, {"name": "each", "forEach": {"items": items}}]},
            "status": {"observedGeneration": 1, "phase": "Running", "run": {
                "id": RUN, "number": 1, "seq": 8, "revision": "", "digest": "", "generation": 1, "trigger": "Created", "startedAt": time,
                "steps": [
                    over("one"), over("two"),
                    {"name": "busy", "phase": "Running", "attempt": 1, "since": time, "startedAt": time},
                    {"name": "each", "phase": "Running", "attempt": 1, "since": time, "startedAt": time, "fanOut": {
                        "count": items.len(), "started": started, "open": format!("{}-{}", started - 10, started - 1),
                        "marks": [{"below": started, "at": time}]}}]}},
        });
        Self { object, facts: Facts { store_up: true, recorded: [(RUN.to_owned(), 8)].into(), ..Facts::default() } }
    }

    /// With the pods of that many items that are over and recorded.
    fn with_items(started: u32, items: u32) -> Self {
        let mut scene = Self::new(started);
        (0..items).for_each(|item| scene.add(ended_pod("demo", "each", Some(item))));
        scene
    }

    fn add(&mut self, pod: PodFact) {
        self.facts.pods.insert(pod.name.clone(), pod.into());
    }

    fn keep_failed(&mut self) {
        self.object["spec"]["keepPods"] = json!({"failed": "1h"});
    }

    /// What goes, each with one request.
    fn leave(&self) -> Vec<RunPods> {
        let plan = plan(&self.object, &self.facts, &env_with_artifacts(), "2026-01-01T00:01:00Z");
        let leave = plan.actions.into_iter().filter_map(|(action, _)| match action {
            Action::DeleteRunPods(pods) => Some(pods),
            _ => None,
        });
        let leave: Vec<RunPods> = leave.collect();
        assert!(leave.is_empty() || plan.requeue.is_some(), "what one request left goes with another one");
        leave
    }
}

fn ended(steps: &[&str], items: impl IntoIterator<Item = u32>, failed: bool) -> RunPods {
    let steps = steps.iter().map(|&s| s.to_owned()).collect();
    RunPods { run_id: RUN.into(), only: Some(Ended { steps, items: items.into_iter().collect(), failed }) }
}

#[test]
fn pods_leave_once_there_are_many_in_one_request_for_each_fan_out_and_one_for_all_other_steps() {
    assert_eq!(Scene::with_items(260, MANY).leave(), []);
    assert_eq!(Scene::with_items(260, MANY + 1).leave(), [ended(&["each"], 0..=MANY, true)]);
    let mut scene = Scene::with_items(260, MANY);
    ["two", "one"].into_iter().for_each(|step| scene.add(ended_pod("demo", step, None)));
    assert_eq!(scene.leave(), [ended(&["one", "two"], [], true), ended(&["each"], 0..MANY, true)]);
}

#[test]
fn no_pod_leaves_that_somebody_may_still_need() {
    let item = |item| ended_pod("demo", "each", Some(item));
    let labelled = |key: &str, value: &str| {
        let mut pod = item(MANY);
        pod.labels.insert(key.to_owned(), value.to_owned());
        pod
    };
    let unlabelled = |key: &str| {
        let mut pod = item(MANY);
        pod.labels.remove(key);
        pod
    };
    for (what, pod) in [
        ("of another run", labelled(label::RUN, "another")),
        ("of no run", unlabelled(label::RUN)),
        ("of no step", unlabelled(label::STEP)),
        ("a placeholder by its label", labelled(label::ROLE, label::ROLE_PLACEHOLDER)),
        ("of an item that is none", labelled(label::ITEM, "odd")),
        ("not ours", PodFact { owned: false, ..item(MANY) }),
        ("gone", PodFact { gone: true, ..item(MANY) }),
        ("still running", PodFact { phase: PodPhase::Running, ..item(MANY) }),
        ("of an item that is open", item(250)),
        ("of an item that the stored status does not know", item(260)),
        ("of a step that is not over", ended_pod("demo", "busy", None)),
        ("with a log that is still to be stored", with_log(item(MANY))),
    ] {
        let mut scene = Scene::with_items(260, MANY);
        scene.add(pod);
        assert_eq!(scene.leave(), [], "{what}");
    }
    let mut scene = Scene::with_items(260, MANY);
    scene.add(PodFact { deleting_at: Some(hearth_crds::time::Time::from_millis(0)), ..item(MANY) });
    assert_eq!(scene.leave(), [], "it goes already");
}

#[test]
fn failed_pods_stay_where_the_object_says_so() {
    let failed = |at| PodFact { phase: PodPhase::Failed, ..ended_pod("demo", "each", Some(at)) };
    let mut scene = Scene::with_items(260, MANY);
    scene.add(failed(MANY));
    assert_eq!(scene.leave(), [ended(&["each"], 0..=MANY, true)]);
    scene.keep_failed();
    assert_eq!(scene.leave(), [], "200 may go");
    scene.add(ended_pod("demo", "each", Some(MANY + 1)));
    let but_one = (0..MANY).chain([MANY + 1]);
    assert_eq!(scene.leave(), [ended(&["each"], but_one, false)]);
}

/// Rows are made from pods: until the store has those of the status, nobody may lose them.
#[test]
fn pods_stay_until_the_store_has_what_the_status_says() {
    let mut scene = Scene::with_items(260, MANY + 1);
    for (recorded, leave) in [(None, false), (Some(7), false), (Some(8), true), (Some(9), true)] {
        scene.facts.recorded = recorded.map(|seq| (RUN.to_owned(), seq)).into_iter().collect();
        assert_eq!(!scene.leave().is_empty(), leave, "{recorded:?}");
    }
}

/// A selector is part of an address, and proxies take addresses of 8 KiB.
#[test]
fn a_request_names_as_many_items_as_an_address_takes() {
    let leave = Scene::with_items(5000, 4990).leave();
    let [request] = leave.as_slice() else { panic!("{leave:?}") };
    let encoded = |c: char| if c.is_ascii_alphanumeric() || "-._~".contains(c) { 1 } else { 3 };
    let length: usize = request.labels().chars().map(encoded).sum();
    let items = request.only.as_ref().unwrap().items.len();
    assert!(items >= 700 && length < 6 * 1024, "{items} items in {length} bytes");
}
