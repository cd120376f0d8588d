//! Runs of more steps than a status lists by name: those that are over are told by place.

use super::{
    at, ended, phases, plan, pod,
    rows::{records, spans},
    running, seen, started, written,
};
use crate::common::RUN;
use hearth_crds::workflow::{Workflow, WorkflowStatus};
use hearth_plan::{Facts, Record, facts::PodFact};
use rstest::rstest;
use serde_json::{Value, json};

/// That many steps of their own; `other` says what some of them are instead.
fn steps(count: usize, other: impl Fn(&str) -> Option<Value>) -> Value {
    let step = |at: usize| {
        let mut step = json!({"name": format!("s{at:03}")});
        let what = other(&format!("s{at:03}")).unwrap_or_else(|| json!({"image": "i:1"}));
        step.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        step
    };
    json!({"suspend": true, "steps": (0..count).map(step).collect::<Vec<_>>()})
}

fn over(name: &str, phase: &str) -> Value {
    json!({"name": name, "phase": phase, "attempt": 1, "since": at("00:01:00"), "startedAt": at("00:01:00"), "finishedAt": at("00:02:00")})
}

fn runs(name: &str) -> Value {
    json!({"name": name, "phase": "Running", "attempt": 1, "since": at("00:01:00"), "startedAt": at("00:01:00")})
}

/// The store has all that was written so far, and the step `ends` has just succeeded.
fn stored(ends: &str) -> Facts {
    Facts { recorded: [(RUN.to_owned(), 3)].into(), ..seen([ended(ends, 1, 0, "00:03:00")]) }
}

#[rstest]
#[case::listed(128, json!(null))]
#[case::long(129, json!([{"phase": "Succeeded", "attempt": 1, "places": "0"}]))]
fn a_run_of_more_than_128_steps_is_long(#[case] count: usize, #[case] told: Value) {
    let cr = running(&steps(count, |_| None), &json!({"steps": [over("s000", "Succeeded"), runs("s001")]}));
    let status = written(&plan(&cr, &stored("s001"), "00:03:01"));
    assert_eq!(status["run"]["over"], told);
    assert_eq!(phases(&status).last().unwrap(), "s001 Succeeded", "its row is not stored yet");
}

#[test]
fn steps_that_are_told_by_place_do_not_run_again() {
    let spec = json!({"suspend": false, "steps": steps(129, |name| {
        (name == "s128").then(|| json!({"image": "i:1", "needs": (0..128).map(|at| format!("s{at:03}")).collect::<Vec<_>>()}))
    })["steps"]});
    let cr = running(&spec, &json!({"over": [{"phase": "Succeeded", "attempt": 1, "places": "0-127"}]}));
    let plan = plan(&cr, &seen([]), "00:03:00");
    assert_eq!(started(&plan), ["s128#1"]);
    let status = written(&plan);
    assert_eq!((&status["progress"], &status["run"]["over"][0]["places"]), (&json!("128/129"), &json!("0-127")));
}

/// Steps under way, fan-outs, and the first twenty that failed: people look for these.
#[test]
fn some_steps_stay_listed_by_name() {
    let spec = steps(130, |name| (name == "s024").then(|| json!({"image": "i:1", "forEach": {"items": [1]}})));
    let mut fan_out = over("s024", "Succeeded");
    fan_out["fanOut"] = json!({"count": 1, "started": 1});
    // The first failed step is told by place already, as nothing but that is known of it.
    let failed = (1..=22).map(|at| over(&format!("s{at:03}"), "Failed"));
    let steps: Vec<_> = failed.chain([over("s023", "Succeeded"), fan_out, runs("s025"), runs("s026")]).collect();
    let told = json!([{"phase": "Failed", "attempt": 1, "places": "0"}]);
    let facts = stored("s026");
    let mut facts =
        Facts { pods: [facts.pods, seen([pod("s025", None, 1)]).pods].into_iter().flatten().collect(), ..facts };
    let cr = running(&spec, &json!({"steps": steps, "over": told}));
    let status = written(&plan(&cr, &facts, "00:03:01"));
    assert_eq!(
        status["run"]["over"],
        json!([
            {"phase": "Succeeded", "attempt": 1, "places": "23"},
            {"phase": "Failed", "attempt": 1, "places": "0,20-22"},
        ])
    );
    let listed = (1..=19).map(|at| format!("s{at:03} Failed"));
    let others = ["s024 Succeeded", "s025 Running", "s026 Succeeded"].map(str::to_owned);
    assert_eq!(phases(&status), listed.chain(others).collect::<Vec<_>>());

    facts.recorded.clear();
    let unstored = written(&plan(&cr, &facts, "00:03:01"));
    assert_eq!(unstored["run"]["over"], told, "what is not stored stays as well");
}

/// What history is told of a run whose steps are told by place.
mod rows {
    use super::*;

    fn spec() -> Value {
        steps(129, |name| match name {
            "s004" => Some(json!({"approval": {"message": "now?"}})),
            "s005" => Some(json!({"workflow": {"ref": "report"}})),
            _ => None,
        })
    }

    /// Steps 0, 1, 2 and 5 have ended and are told by place, and so is 4, which somebody approved. The third is listed.
    fn new() -> Workflow {
        running(
            &spec(),
            &json!({"updatedAt": at("00:09:00"), "steps": [over("s003", "Succeeded"), runs("s006")],
                "over": [{"phase": "Succeeded", "attempt": 1, "places": "0-2,5"},
                    {"phase": "Succeeded", "reason": "Approved", "attempt": 0, "places": "4"}]}),
        )
    }

    /// Before that, the first and the last of them ran, the second had ended, and the next was told by place already.
    fn old() -> WorkflowStatus {
        let mut asks = runs("s004");
        asks["attempt"] = json!(0);
        asks["reason"] = json!("WaitingForApproval");
        let mut calls = runs("s005");
        calls["workflow"] = json!("report");
        let steps = [runs("s000"), over("s001", "Succeeded"), runs("s003"), asks, calls, runs("s006")];
        let known = json!({"steps": steps, "over": [{"phase": "Succeeded", "attempt": 1, "places": "2"}]});
        running(&spec(), &known).status.unwrap()
    }

    fn pods() -> Facts {
        let first = PodFact { created_at: Some(at("00:01:05")), ..ended("s000", 1, 0, "00:03:00") };
        let sixth = PodFact { created_at: Some(at("00:01:05")), ..pod("s006", None, 1) };
        seen([first, sixth])
    }

    #[test]
    fn tell_what_was_not_told_before() {
        let records = records(&new(), Some(&old()), &pods());
        assert_eq!(
            spans(&records),
            [
                "s000[0]#1 Succeeded from 00:01:00 to 00:03:00",
                "s003[0]#1 Succeeded from 00:01:00 to 00:02:00",
                "s004[0]#0 Succeeded from 00:01:00 to 00:09:00",
                "s005[0]#1 Succeeded from 00:01:00 to 00:09:00",
            ]
        );
        let pods = records.iter().filter_map(|r| match r {
            Record::Step(row) => Some((row.step.as_str(), row.pod.is_some() && row.image.is_some())),
            _ => None,
        });
        assert_eq!(
            pods.collect::<Vec<_>>(),
            [("s000", true), ("s003", true), ("s004", false), ("s005", false)],
            "an approval and a step that runs a Workflow have no pod"
        );
    }

    #[test]
    fn tell_all_when_nobody_knows_what_was_told() {
        assert_eq!(
            spans(&records(&new(), None, &pods())),
            [
                "s000[0]#1 Succeeded from 00:01:05 to 00:03:00",
                "s001[0]#1 Succeeded from - to 00:09:00",
                "s002[0]#1 Succeeded from - to 00:09:00",
                "s003[0]#1 Succeeded from 00:01:00 to 00:02:00",
                "s004[0]#0 Succeeded from - to 00:09:00",
                "s005[0]#1 Succeeded from - to 00:09:00",
                "s006[0]#1 Running from 00:01:00 to -",
            ]
        );
    }
}
