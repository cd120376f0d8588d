//! One pass over a run: what it stops, deletes and starts, and what it says.

use super::{at, deleted, ended, object, phases, plan, pod, running, seen, started, written};
use crate::common::RUN;
use hearth_crds::workflow::Workflow;
use hearth_plan::{Facts, Plan, facts::PodFact};
use rstest::rstest;
use serde_json::{Value, json};

fn step(name: &str, phase: &str, attempt: u32) -> Value {
    json!({"name": name, "phase": phase, "attempt": attempt, "since": at("00:01:00"), "startedAt": at("00:01:00")})
}

fn one_step() -> Value {
    json!({"steps": [{"name": "fit", "image": "i:1"}]})
}

fn has_note<S>(plan: &Plan<S>, text: &str) -> bool {
    plan.notes.iter().any(|n| n.message.contains(text))
}

#[test]
fn nothing_is_done_for_an_object_that_nobody_holds() {
    let mut gone = object(&one_step());
    gone.metadata.finalizers = None;
    gone.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:00:30Z")).unwrap());
    let mut unstored = object(&one_step());
    unstored.metadata.uid = None;
    for cr in [gone, unstored] {
        assert_eq!(plan(&cr, &seen([]), "00:01:00"), Plan::default());
    }
}

mod a_revision_that_is_not_there {
    use super::*;

    /// A run that was last written at 00:01:00, and whose revision nobody sees.
    fn unpinned(known: &Value) -> Workflow {
        let mut run =
            json!({"revision": "demo-other", "updatedAt": at("00:01:00"), "steps": [step("fit", "Running", 1)]});
        run.as_object_mut().unwrap().extend(known.as_object().unwrap().clone());
        running(&one_step(), &run)
    }

    /// It was posted just now, perhaps, and the cache is late.
    #[test]
    fn is_waited_for_a_minute() {
        let plan = plan(&unpinned(&json!({})), &seen([pod("fit", None, 1)]), "00:01:59.999");
        assert!(has_note(&plan, "waiting for the cache to show revision demo-other"), "{:?}", plan.notes);
        assert_eq!(plan.requeue.map(|d| d.as_secs()), Some(1));
        assert!(deleted(&plan).is_empty());
    }

    /// The steps that the status lists are all that is known of it.
    #[test]
    fn stops_the_run_after_that() {
        let cr = unpinned(&json!({}));
        let running = pod("fit", None, 1);
        let stopping = plan(&cr, &seen([running.clone()]), "00:02:00");
        assert_eq!(deleted(&stopping), [(running.name.as_str(), "InvalidSpec")]);
        let over = plan(&cr, &seen([ended("fit", 1, 0, "00:01:30")]), "00:02:00");
        let status = written(&over);
        assert_eq!((phases(&status), &status["phase"]), (vec!["fit Succeeded".to_owned()], &json!("Failed")));
        let why = status["run"]["failure"]["message"].as_str().unwrap();
        assert!(why.contains("ControllerRevision demo-other that holds this run's spec is gone"), "{why}");
    }

    #[test]
    fn holds_no_run_up_that_stops_anyway() {
        let cr = unpinned(&json!({"stop": "Cancelled"}));
        let running = pod("fit", None, 1);
        assert_eq!(deleted(&plan(&cr, &seen([running.clone()]), "00:01:01")), [(running.name.as_str(), "Cancelled")]);
    }
}

mod a_stop {
    use super::*;

    fn cancel(mut cr: Workflow) -> Workflow {
        cr.spec.cancel = serde_json::from_value(json!({"run": RUN})).unwrap();
        cr
    }

    fn delete(mut cr: Workflow) -> Workflow {
        cr.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-01T00:02:00Z")).unwrap());
        cr
    }

    /// The step on exit runs, after the others were cancelled or by itself.
    fn on_exit(stop: Option<&str>) -> Workflow {
        let spec = json!({"steps": [{"name": "fit", "image": "i:1"}], "onExit": {"name": "tell", "image": "i:1"}});
        let fit = if stop.is_some() { "Cancelled" } else { "Succeeded" };
        running(&spec, &json!({"stop": stop, "steps": [step("fit", fit, 1), step("tell", "Running", 1)]}))
    }

    #[test]
    fn deletes_the_pods_in_the_pass_that_sees_it() {
        let cr = cancel(running(&one_step(), &json!({"steps": [step("fit", "Running", 1)]})));
        let live = pod("fit", None, 1);
        assert_eq!(deleted(&plan(&cr, &seen([live.clone()]), "00:02:00")), [(live.name.as_str(), "Cancelled")]);
    }

    /// What stopped the other steps lets the one on exit run; who cancels when it alone is left means it, and so does a deletion.
    #[rstest]
    #[case::cancelled_before(cancel(on_exit(Some("Cancelled"))), None)]
    #[case::cancelled_on_exit(cancel(on_exit(None)), Some("Cancelled"))]
    #[case::deleted_on_exit(delete(on_exit(None)), Some("Deleted"))]
    #[case::cancelled_and_then_deleted(delete(on_exit(Some("Cancelled"))), Some("Deleted"))]
    fn may_end_the_step_on_exit(#[case] cr: Workflow, #[case] why: Option<&str>) {
        let tell = pod("tell", None, 1);
        let plan = plan(&cr, &seen([tell.clone()]), "00:03:00");
        assert_eq!(deleted(&plan), why.map(|why| (tell.name.as_str(), why)).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn is_not_taken_for_a_timeout_when_it_lasts() {
        let spec = json!({"steps": [{"name": "fit", "image": "i:1"}], "timeout": "5m"});
        let terminating = PodFact { deleting_at: Some(at("00:04:30")), ..pod("fit", None, 1) };
        let cr = running(&spec, &json!({"stop": "Cancelled", "steps": [step("fit", "Running", 1)]}));
        let status = written(&plan(&cr, &seen([terminating]), "00:06:00"));
        assert_eq!((&status["run"]["stop"], &status["run"]["failure"]), (&json!("Cancelled"), &Value::Null));
    }
}

#[test]
fn pods_of_attempts_that_are_over_are_deleted_on_sight() {
    let cr = running(&one_step(), &json!({"steps": [step("fit", "Running", 2)]}));
    let (void, current) = (pod("fit", None, 1), pod("fit", None, 2));
    assert_eq!(deleted(&plan(&cr, &seen([void.clone(), current]), "00:02:00")), [(void.name.as_str(), "Deleted")]);
}

#[test]
fn steps_are_listed_in_the_order_of_the_spec() {
    let spec = json!({"steps": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "i:1"}]});
    let cr = running(&spec, &json!({"steps": [step("b", "Running", 1)]}));
    let plan = plan(&cr, &seen([pod("b", None, 1)]), "00:02:00");
    assert_eq!(started(&plan), ["a#1"]);
    assert_eq!(phases(&written(&plan)), ["a Running", "b Running"]);
}

/// What later steps and results read is kept in the status, as long as there is room for it.
#[test]
fn the_outputs_of_all_steps_have_one_limit() {
    let step_of = |at: usize| json!({"name": format!("s{at}"), "image": "i:1", "outputs": [{"name": "text"}]});
    let results: serde_json::Map<_, _> =
        (0..7).map(|at| (format!("r{at}"), json!(format!("${{steps.s{at}.outputs.text}}")))).collect();
    let spec = json!({"steps": (0..7).map(step_of).collect::<Vec<_>>(), "results": results});
    let text = "x".repeat(2900);
    let last = |kept: usize| {
        let steps = (0..6).map(|at| {
            let mut done = step(&format!("s{at}"), "Succeeded", 1);
            if at < kept {
                done["outputs"] = json!({"text": text});
            }
            done
        });
        let steps: Vec<_> = steps.chain([step("s6", "Running", 1)]).collect();
        let mut pod = ended("s6", 1, 0, "00:01:30");
        let hearth_plan::facts::ContainerFact::Ended { message, .. } = &mut pod.container else { panic!() };
        *message = json!({"text": text}).to_string();
        let status = written(&plan(&running(&spec, &json!({"steps": steps})), &seen([pod]), "00:02:00"));
        (phases(&status)[6].clone(), status["run"]["failure"]["reason"].clone())
    };
    assert_eq!(last(4).0, "s6 Succeeded");
    assert_eq!(last(5), ("s6 Failed".to_owned(), json!("OutputsTooLong")));
}

/// The next attempt cannot be made: the failure names the one before, if there was one.
#[rstest]
#[case::at_once(None, json!(null))]
#[case::after_an_attempt(Some(json!({"name": "fit", "phase": "Waiting", "attempt": 1, "retryAt": at("00:01:30")})), json!(1))]
fn a_step_whose_expressions_fail_is_explained(#[case] fit: Option<Value>, #[case] attempt: Value) {
    let spec = json!({"image": "i:1", "steps": [
        {"name": "count", "outputs": [{"name": "n", "type": "integer"}]},
        {"name": "fit", "needs": ["count"], "args": ["${string(100 / steps.count.outputs.n)}"], "retry": {"limit": 2}},
    ]});
    let mut count = step("count", "Succeeded", 1);
    count["outputs"] = json!({"n": 0});
    let steps: Vec<_> = [count].into_iter().chain(fit).collect();
    let run = &written(&plan(&running(&spec, &json!({"steps": steps})), &seen([]), "00:02:00"))["run"];
    assert_eq!((&run["failure"]["reason"], &run["failure"]["step"]), (&json!("ExpressionFailed"), &json!("fit")));
    assert_eq!(run["failure"]["attempt"], attempt);
}

mod the_object_says {
    use super::*;

    /// The phase after a pass over a run of which no pod had been seen to work.
    fn phase_after(known: &Value, facts: &Facts) -> Value {
        let spec = json!({"image": "i:1", "steps": [
            {"name": "clean"},
            {"name": "each", "needs": ["clean"], "forEach": {"items": [1, 2, 3]}},
            {"name": "fit", "needs": ["clean"], "when": "${false}"},
        ]});
        let mut cr = running(&spec, known);
        cr.status.as_mut().unwrap().phase = Some(hearth_crds::workflow::RunPhase::Pending);
        written(&plan(&cr, facts, "00:03:00"))["phase"].clone()
    }

    #[test]
    fn that_its_run_is_pending_until_something_has_run() {
        let cached = json!({"name": "clean", "phase": "Succeeded", "attempt": 0, "reason": "Reused"});
        assert_eq!(phase_after(&json!({}), &seen([])), "Pending");
        assert_eq!(phase_after(&json!({"steps": [cached]}), &seen([])), "Pending", "what is taken over does not run");
        assert_eq!(phase_after(&json!({"steps": [step("clean", "Succeeded", 1)]}), &seen([])), "Running");
        assert_eq!(
            phase_after(&json!({"steps": [step("clean", "Running", 1)]}), &seen([pod("clean", None, 1)])),
            "Running"
        );
        let each = |open: &str| {
            let fan = json!({"count": 3, "started": 3, "open": open, "marks": [{"below": 3, "at": at("00:01:00")}]});
            let each = json!({"name": "each", "phase": "Running", "attempt": 0, "fanOut": fan});
            phase_after(&json!({"steps": [cached, each]}), &seen([]))
        };
        assert_eq!((each("0-2"), each("2")), (json!("Pending"), json!("Running")), "two of the items are over");
    }

    #[test]
    fn that_another_run_follows_a_new_token() {
        let spec = json!({"steps": [{"name": "fit", "image": "i:1"}], "rerun": {"token": "b"}});
        let pending = |noted: &str| {
            let mut cr = running(&spec, &json!({"steps": [step("fit", "Running", 1)]}));
            cr.status.as_mut().unwrap().rerun_token = Some(noted.to_owned());
            let status = written(&plan(&cr, &seen([pod("fit", None, 1)]), "00:02:00"));
            let all = status["conditions"].as_array().unwrap();
            all.iter().find(|c| c["type"] == "ChangePending").map(|c| c["message"].clone())
        };
        assert_eq!(pending("a"), Some(json!("rerun.token changed: another run follows when this one has ended")));
        assert_eq!(pending("b"), None);
    }
}
