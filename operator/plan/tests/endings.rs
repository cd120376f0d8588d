//! The end of a run and of its object: what is kept until the record is stored, and what goes then.

use crate::common::{
    RUN,
    scene::{Scene, before, looks_again_in, outputs},
};
use hearth_crds::{
    condition::{ConditionType, Reason},
    label,
    workflow::{RunPhase, WorkflowStatus},
};
use hearth_plan::{Action, OnDelete, Plan, PodFact, RevisionFact, RunPods};
use rstest::rstest;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const EARLIER: &str = "01890a5d-ac96-774b-bcce-b302099a8000";
const MINUTES: i64 = 60_000;

fn spec() -> Value {
    json!({"steps": [{"name": "a", "image": "i"}]})
}

/// A run that has ended; whether the store has its record.
fn ended(stored: bool) -> Scene {
    let a = json!({"name": "a", "phase": "Succeeded", "attempt": 1});
    Scene::ended(spec(), json!([a])).with(|s| {
        if stored {
            s.facts.stored.insert(RUN.into(), 9);
        }
    })
}

fn add_revision(scene: &mut Scene, name: &str, role: &str, data: Value) {
    let (uid, role, data) = (format!("uid-{name}"), role.to_owned(), data.to_string().into());
    let revision = RevisionFact { name: name.into(), uid, role, created_at: None, data };
    scene.facts.revisions.insert(name.into(), revision.into());
}

/// The record of an earlier run waits for the store beside the object.
fn add_spool(scene: &mut Scene, run: &str) {
    let data = json!({"run_id": run, "seq": 5, "records": []});
    add_revision(scene, &format!("spool-{run}"), label::REVISION_SPOOL, data);
}

fn delete(scene: &mut Scene, millis_ago: i64) {
    scene.metadata["deletionTimestamp"] = json!(before(millis_ago));
}

/// Names of the revisions that go.
fn dropped(plan: &Plan<WorkflowStatus>) -> Vec<&str> {
    let names = plan.actions.iter().filter_map(|(action, _)| match action {
        Action::DeleteRevision { name, .. } => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

fn does(plan: &Plan<WorkflowStatus>, wanted: &Action) -> bool {
    plan.actions.iter().any(|(action, _)| action == wanted)
}

fn message(plan: &Plan<WorkflowStatus>, kind: ConditionType) -> Option<&str> {
    let conditions = &plan.status.as_ref()?.conditions;
    conditions.iter().find(|c| c.type_ == kind).map(|c| c.message.as_str())
}

#[rstest]
#[case::as_long_as_may_be(8 * 1024, RunPhase::Succeeded)]
#[case::too_long(8 * 1024 + 1, RunPhase::Failed)]
fn results_have_a_limit(#[case] bytes: usize, #[case] phase: RunPhase) {
    let spec = json!({"steps": [{"name": "a", "image": "i", "outputs": [{"name": "r"}]}],
        "results": {"r": "${steps.a.outputs.r}"}});
    let a = json!({"name": "a", "phase": "Succeeded", "attempt": 1, "outputs": outputs("r", bytes)});
    let status = Scene::new(spec, json!([a])).plan().status.unwrap();
    let failure = status.run.unwrap().failure.map(|f| f.reason);
    let expected = (phase == RunPhase::Failed).then_some(Reason::ResultsTooLong);
    assert_eq!((status.phase, failure), (Some(phase), expected));
}

#[test]
fn a_suspended_schedule_says_how_it_goes_on() {
    let scene = ended(true).with(|s| {
        s.spec["schedules"] = json!([{"cron": "0 6 * * *"}]);
        s.spec["suspend"] = json!(true);
    });
    assert_eq!(
        message(&scene.plan(), ConditionType::Ready),
        Some("suspended: scheduled times pass unused: set spec.suspend to false to go on with the next one")
    );
}

#[rstest]
#[case::stored(true, &["older"])]
#[case::not_stored(false, &[])]
fn specs_that_no_run_names_go_when_the_record_is_stored(#[case] stored: bool, #[case] gone: &[&str]) {
    let scene = ended(stored).with(|s| {
        // The spec has changed since the run, and a run of it may not start yet.
        s.spec["suspend"] = json!(true);
        s.run["revision"] = json!("of-the-run");
        let current = s.specs().current.revision.clone();
        for name in ["of-the-run", "older", current.as_str()] {
            add_revision(s, name, label::REVISION_SPEC, json!({"spec": spec()}));
        }
        add_spool(s, EARLIER);
    });
    assert_eq!(dropped(&scene.plan()), gone);
}

#[rstest]
#[case::its_own(Some(EARLIER), true)]
#[case::of_another_run(Some(RUN), false)]
#[case::none(None, false)]
fn a_spool_goes_when_it_is_stored_and_takes_the_pods_of_its_run(#[case] pod_of: Option<&str>, #[case] go: bool) {
    // The run is under way; the one before it was stored just now.
    let a = json!({"name": "a", "phase": "Running", "attempt": 1, "since": before(MINUTES)});
    let scene = Scene::new(spec(), json!([a])).with(|s| {
        s.posted("a", None);
        add_spool(s, EARLIER);
        s.facts.stored.insert(EARLIER.into(), 5);
        if let Some(run) = pod_of {
            s.succeeded("old", None, &json!({}));
            s.facts
                .pods
                .values_mut()
                .for_each(|p| _ = Arc::make_mut(p).labels.insert(label::RUN.into(), run.to_owned()));
        }
    });
    let plan = scene.plan();
    assert_eq!(dropped(&plan), [format!("spool-{EARLIER}")]);
    let pods: Vec<_> = plan.actions.iter().filter(|(a, _)| matches!(a, Action::DeleteRunPods(_))).collect();
    let wanted = (Action::DeleteRunPods(RunPods::all(EARLIER)), Reason::Stored);
    assert_eq!(pods, go.then_some(&wanted).into_iter().collect::<Vec<_>>());
}

/// The runs whose loss is counted as the object goes; None while it stays.
fn lost(plan: &Plan<WorkflowStatus>) -> Option<Vec<&str>> {
    let lost = plan.actions.iter().filter_map(|(action, _)| match action {
        Action::CountLostRecord { run_id } => Some(run_id.as_str()),
        _ => None,
    });
    let lost: Vec<_> = lost.collect();
    let goes = does(plan, &Action::RemoveFinalizer);
    assert!(goes || lost.is_empty(), "nothing is lost while the object stays");
    goes.then_some(lost)
}

const RELEASE: OnDelete = OnDelete::Release(Duration::from_secs(600));

#[rstest]
#[case::stored(true, None, OnDelete::Hold, MINUTES, Some(vec![]))]
#[case::not_stored(false, None, OnDelete::Hold, 1000 * MINUTES, None)]
#[case::to_be_released(false, None, RELEASE, 10 * MINUTES - 1, None)]
#[case::released(false, None, RELEASE, 10 * MINUTES, Some(vec![RUN]))]
#[case::long_released(false, None, RELEASE, 11 * MINUTES, Some(vec![RUN]))]
#[case::a_spool_waits(true, Some(false), OnDelete::Hold, 1000 * MINUTES, None)]
#[case::a_spool_is_stored(true, Some(true), OnDelete::Hold, MINUTES, Some(vec![]))]
#[case::a_spool_is_released(true, Some(false), RELEASE, 10 * MINUTES, Some(vec![EARLIER]))]
#[case::both_are_released(false, Some(false), RELEASE, 10 * MINUTES, Some(vec![EARLIER, RUN]))]
fn a_deleted_object_stays_until_its_records_are_stored_or_released(
    #[case] run_stored: bool,
    #[case] spool_stored: Option<bool>,
    #[case] on_delete: OnDelete,
    #[case] deleted_ago: i64,
    #[case] expected: Option<Vec<&str>>,
) {
    let scene = ended(run_stored).with(|s| {
        delete(s, deleted_ago);
        s.env.on_delete = on_delete;
        if let Some(stored) = spool_stored {
            add_spool(s, EARLIER);
            s.facts.stored.extend(stored.then(|| (EARLIER.to_owned(), 5)));
        }
    });
    let plan = scene.plan();
    assert_eq!(lost(&plan), expected);
    // Only what is released later looks at the clock.
    let waits = expected.is_none() && on_delete == RELEASE;
    assert_eq!(plan.requeue.is_some(), waits, "{:?}", plan.requeue);
    assert!(!waits || looks_again_in(&plan, 1));
}

/// A create that is under way would bring a pod back, which a placeholder of its name refuses for so long.
#[rstest]
#[case::young(24_999, |p: &mut PodFact| p.placeholder = true, true)]
#[case::old_enough(25_000, |p: &mut PodFact| p.placeholder = true, false)]
#[case::old(26_000, |p: &mut PodFact| p.placeholder = true, false)]
#[case::gone(1000, |p: &mut PodFact| (p.placeholder, p.gone) = (true, true), false)]
#[case::of_a_stranger(1000, |p: &mut PodFact| (p.placeholder, p.owned) = (true, false), false)]
#[case::a_pod_that_worked(1000, |_: &mut PodFact| {}, false)]
fn a_deleted_object_stays_while_a_placeholder_is_young(
    #[case] age: i64,
    #[case] change: fn(&mut PodFact),
    #[case] stays: bool,
) {
    let scene = ended(true).with(|s| {
        delete(s, MINUTES);
        s.succeeded("a", None, &json!({}));
        s.facts.pods.values_mut().map(Arc::make_mut).for_each(|pod| {
            pod.created_at = Some(before(age));
            change(pod);
        });
    });
    let plan = scene.plan();
    assert_eq!(lost(&plan).is_none(), stays);
    assert!(!stays || looks_again_in(&plan, 1), "{:?}", plan.requeue);
}

#[rstest]
#[case::room_for_one_more(9, false)]
#[case::full(10, true)]
fn ten_records_wait_beside_their_object_and_the_next_run_says_so(#[case] spools: u32, #[case] full: bool) {
    let scene = ended(false).with(|s| {
        s.facts.store_up = false;
        s.spec["rerun"] = json!({"token": "again"});
        (0..spools).for_each(|n| add_spool(s, &format!("run-{n}")));
    });
    let plan = scene.plan();
    let posts =
        plan.actions.iter().any(|(action, why)| matches!((action, why), (Action::PostRevision(_), Reason::Backlog)));
    assert_eq!(posts, !full);
    assert!(plan.intents.is_empty(), "neither starts a run before the record is safe");
    let said = "10 records wait for the history store: the next run starts when the history store is back";
    assert_eq!(message(&plan, ConditionType::ChangePending), full.then_some(said));
    assert_eq!(plan.notes.iter().any(|n| n.reason == Reason::SpoolFull && n.message == said), full);
}

#[test]
fn only_logs_of_our_pods_that_are_there_are_asked_for() {
    let asked = |owned: bool, gone: bool| {
        let done = json!({"name": "a", "phase": "Running", "attempt": 1, "since": before(90_000)});
        let scene =
            Scene::new(json!({"steps": [{"name": "a", "image": "i", "logs": "Full"}]}), json!([done])).with(|s| {
                s.succeeded("a", None, &json!({}));
                s.facts.pods.values_mut().map(Arc::make_mut).for_each(|pod| {
                    pod.labels.insert(label::LOGS.into(), label::LOGS_FULL.into());
                    (pod.owned, pod.gone) = (owned, gone);
                });
            });
        scene.plan().actions.iter().any(|(action, _)| matches!(action, Action::KeepLog { .. }))
    };
    assert!(asked(true, false));
    assert!(!asked(true, true) && !asked(false, false));
}
