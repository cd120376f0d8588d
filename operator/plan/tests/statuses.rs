//! What whoever carries out a plan reads of a status itself.

use crate::common::RUN;
use hearth_crds::workflow::WorkflowStatus;
use hearth_plan::{Intends, Intent, Kind, kind::RunMark, workflow::WorkflowKind};
use rstest::rstest;
use serde_json::{Value, json};

fn status(fields: Value) -> WorkflowStatus {
    let mut run = json!({"id": RUN, "number": 1, "seq": 3, "revision": "r", "digest": "d", "generation": 1,
        "trigger": "Created", "startedAt": "2026-01-01T00:00:00Z",
        "steps": [{"name": "fit", "phase": "Running", "attempt": 2}]});
    run.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(json!({"phase": "Running", "run": run})).unwrap()
}

/// A pod is created for what the accepted status intends, and for nothing else.
#[rstest]
#[case("the attempt that is under way", json!({}), RUN, "fit", 2, true)]
#[case("one that is over", json!({}), RUN, "fit", 1, false)]
#[case("one of another run", json!({}), "01890a5d-ac96-774b-bcce-b302099a8056", "fit", 2, false)]
#[case("one of a step that has not begun", json!({}), RUN, "tell", 2, false)]
#[case("one of a run that is over", json!({"finishedAt": "2026-01-01T00:01:00Z"}), RUN, "fit", 2, false)]
fn only_what_is_under_way_is_intended(
    #[case] what: &str,
    #[case] run: Value,
    #[case] run_id: &str,
    #[case] step: &str,
    #[case] attempt: u32,
    #[case] intended: bool,
) {
    let intent = Intent { run_id: run_id.into(), step: step.into(), item: 0, attempt };
    assert_eq!(status(run).intends(&intent), intended, "{what}");
}

#[rstest]
#[case("True", "False", true)]
#[case("False", "True", false)]
fn a_status_says_which_run_it_is_about_and_whether_its_record_is_stored(
    #[case] stored: &str,
    #[case] other: &str,
    #[case] is_stored: bool,
) {
    let mut status = status(json!({}));
    let condition = |of: &str, status: &str| json!({"type": of, "status": status, "reason": "Stored", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    status.conditions =
        serde_json::from_value(json!([condition("HistoryStored", stored), condition("Stalled", other)])).unwrap();
    assert_eq!(WorkflowKind::mark(&status), RunMark { run_id: Some(RUN.into()), seq: 3, stored: is_stored });
    assert_eq!(WorkflowKind::mark(&WorkflowStatus::default()), RunMark::default(), "no run was there yet");
}
