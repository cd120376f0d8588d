//! What the end of a pod means: who is to blame, what is said, and whether another attempt follows.

use hearth_crds::{
    condition::Reason,
    json::ValueType,
    workflow::FailureClass::{self, Application, Infrastructure, Stopped, UserError, Void},
};
use hearth_plan::{
    facts::{ContainerFact, PodFact, PodPhase},
    workflow::{
        outcome::{FREE_INFRASTRUCTURE, Failed, MAX_OUTPUTS, Outcome, conclude, tries_again},
        valid::{RetryPolicy, ValidStep},
    },
};

fn ended(exit_code: i32, reason: &str, message: &str) -> ContainerFact {
    let (reason, message) = (reason.to_owned(), message.to_owned());
    ContainerFact::Ended { exit_code, reason, message, started_at: None, finished_at: None }
}

/// The failure that is concluded from a pod that failed.
fn failure(pod: PodFact) -> Failed {
    match conclude(&PodFact { phase: PodPhase::Failed, ..pod }, &ValidStep::default(), None) {
        Outcome::Failed(failed) => failed,
        Outcome::Succeeded(_) => panic!("it failed"),
    }
}

fn means(failed: &Failed) -> (FailureClass, Reason) {
    (failed.class, failed.reason)
}

#[test]
fn a_node_without_room_is_nobodys_fault() {
    for word in ["OutOfcpu", "OutOfmemory", "OutOfnvidia.com/gpu"] {
        let pod = PodFact { reason: Some(word.into()), message: Some("2 asked, 1 left".into()), ..PodFact::default() };
        let end = failure(pod);
        assert_eq!(means(&end), (Infrastructure, Reason::NodeLost), "{word}");
        assert_eq!(end.message, "the node had no room any more: 2 asked, 1 left", "{word}");
    }
}

#[test]
fn a_word_of_the_pod_that_is_not_known_leaves_it_to_the_exit_code() {
    let pod = PodFact { reason: Some("Odd".into()), container: ended(1, "Error", ""), ..PodFact::default() };
    assert_eq!(means(&failure(pod)), (Application, Reason::ExitCode));
}

#[test]
fn what_the_container_says_tells_whether_it_began() {
    let of = |code, word| failure(PodFact { container: ended(code, word, "no such file"), ..PodFact::default() });
    for word in ["StartError", "ContainerCannotRun"] {
        let end = of(128, word);
        assert_eq!(means(&end), (UserError, Reason::ContainerCannotRun), "{word}");
        assert!(end.message.contains("no such file"), "{}", end.message);
    }
    assert_eq!(means(&of(137, "OOMKilled")), (Application, Reason::OutOfMemory));
    assert_eq!(means(&of(137, "Error")), (Application, Reason::ExitCode));
}

/// The command has not begun, so its exit codes and limits say nothing.
#[test]
fn inputs_that_cannot_be_fetched_are_tried_again_unless_they_never_can() {
    for (code, word, class) in [
        (75, "Error", Infrastructure),
        (137, "OOMKilled", Infrastructure),
        (128, "StartError", Infrastructure),
        (128, "ContainerCannotRun", Infrastructure),
        (66, "Error", UserError),
        (1, "Error", UserError),
    ] {
        let end = failure(PodFact { fetching: true, container: ended(code, word, "gone"), ..PodFact::default() });
        assert_eq!(means(&end), (class, Reason::ArtifactMissing), "{code} {word}");
        assert_eq!(end.message, "the input artifacts could not be fetched: gone");
    }
}

#[test]
fn outputs_may_be_as_long_as_is_promised() {
    let step = ValidStep { outputs: [("text".to_owned(), ValueType::String)].into(), ..ValidStep::default() };
    let written = |length: usize| {
        let around = r#"{"text":""}"#.len();
        let message = format!(r#"{{"text":"{}"}}"#, "x".repeat(length - around));
        assert_eq!(message.len(), length);
        conclude(
            &PodFact { phase: PodPhase::Succeeded, container: ended(0, "Completed", &message), ..PodFact::default() },
            &step,
            None,
        )
    };
    assert!(matches!(written(MAX_OUTPUTS), Outcome::Succeeded(_)));
    assert!(matches!(written(MAX_OUTPUTS + 1), Outcome::Failed(Failed { reason: Reason::OutputsTooLong, .. })));
}

#[test]
fn the_class_of_a_failure_and_the_policy_say_whether_another_attempt_follows() {
    let free = FREE_INFRASTRUCTURE;
    let again = |class, exit_code, application, infrastructure, exit_codes: &[i32]| {
        let end = Failed { class, reason: Reason::ExitCode, exit_code, message: String::new() };
        let policy =
            RetryPolicy { limit: 2, exit_codes: exit_codes.iter().copied().collect(), ..RetryPolicy::default() };
        tries_again(&end, application, infrastructure, &policy)
    };
    assert!(again(Void, None, 9, 9, &[]), "it never ran");
    assert!(!again(Stopped, None, 0, 0, &[]), "it was stopped on purpose");
    // The infrastructure's failures are free, but not for ever, and use up no retries.
    assert!(again(Infrastructure, None, 9, free, &[]));
    assert!(!again(Infrastructure, None, 0, free + 1, &[]));
    // The program's own failures are tried again as often as the policy says, unless it lists other exit codes.
    for (code, exit_codes, tried) in [(1, &[][..], true), (1, &[1, 75], true), (2, &[1, 75], false)] {
        assert_eq!(again(Application, Some(code), 2, 0, exit_codes), tried, "{code} of {exit_codes:?}");
        assert!(!again(Application, Some(code), 3, 0, exit_codes), "the limit is 2");
    }
    assert!(!again(Application, None, 1, 0, &[1]), "no exit code is none of those");
    // Bad input stays bad: it is tried again only where the policy lists its exit code.
    for (exit_codes, tried) in [(&[][..], false), (&[65], true), (&[1], false)] {
        assert_eq!(again(UserError, Some(65), 2, 0, exit_codes), tried, "{exit_codes:?}");
        assert!(!again(UserError, Some(65), 3, 0, exit_codes), "the limit is 2");
    }
}
