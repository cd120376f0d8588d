use super::*;
use crate::work::look_up;
use hearth_plan::work::{Answer, Sought};

fn sought(item: u32) -> Sought {
    Sought {
        run_id: "run-1".into(),
        step: "fit".into(),
        item,
        namespace_uid: "ns-uid".into(),
        key: format!("v1:{item}"),
        max_age: Duration::from_secs(3600),
    }
}

async fn known(b: &Bench, sought: &Sought) -> Answer {
    loop {
        let mark = hearth_plan::kind::RunMark::default();
        if let Some(answer) = b.shared.world.facts("uid-a", "ns", &mark, true).work.remove(sought) {
            return answer;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_is_a_fact_and_nothing_is_asked_twice() {
    let mut b = bench();
    let listed = [sought(0), sought(1)];
    look_up(&b.shared, "uid-a", &listed);
    look_up(&b.shared, "uid-a", &listed);
    let question = b.questions.recv().await.unwrap();
    assert_eq!(question.sought, listed);
    question.answers.send([(sought(0), Answer::Nothing)].into()).unwrap();
    assert_eq!(known(&b, &sought(0)).await, Answer::Nothing);
    assert!(matches!(known(&b, &sought(1)).await, Answer::Unknown(_)), "what was left out is not known");
    look_up(&b.shared, "uid-a", &listed);
    assert!(b.questions.try_recv().is_err(), "what is known is not asked again");

    look_up(&b.shared, "uid-a", &[sought(0), sought(2)]);
    let question = b.questions.recv().await.unwrap();
    assert_eq!(question.sought, [sought(2)], "what is new is");
    question.answers.send([(sought(2), Answer::Nothing)].into()).unwrap();
    known(&b, &sought(2)).await;
    look_up(&b.shared, "uid-a", &listed);
    let question = b.questions.recv().await.unwrap();
    assert_eq!(question.sought, [sought(1)], "what was listed no more is forgotten");
    let mut text = String::new();
    let mut registry = prometheus_client::registry::Registry::default();
    b.shared.metrics.register(&mut registry);
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("hearth_cache_lookups_total{outcome=\"miss\"} 2"), "{text}");
    assert!(text.contains("hearth_cache_lookups_total{outcome=\"unknown\"} 1"), "{text}");
}

#[tokio::test]
async fn a_store_that_is_away_is_not_asked() {
    let mut b = bench();
    b.store_up.send(false).unwrap();
    look_up(&b.shared, "uid-a", &[sought(0)]);
    assert_eq!(known(&b, &sought(0)).await, Answer::Unknown("the history store is away".into()));
    assert!(b.questions.try_recv().is_err());
}

#[tokio::test]
async fn nobody_waits_for_an_answer_that_does_not_come() {
    let mut b = bench();
    look_up(&b.shared, "uid-a", &[sought(0)]);
    drop(b.questions.recv().await.unwrap());
    assert_eq!(known(&b, &sought(0)).await, Answer::Unknown("nobody answers".into()));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_an_answer_that_comes_too_late() {
    let mut b = bench();
    look_up(&b.shared, "uid-a", &[sought(0)]);
    let held = b.questions.recv().await.unwrap();
    // Time passes by itself when nothing else can be done.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(known(&b, &sought(0)).await, Answer::Unknown("no answer within 3s".into()));
    drop(held);
}
