//! Answers to questions about work that may have been done before: the record says what it came to, and the artifact store
//! whether that is still there.

use futures::{StreamExt, stream};
use hearth_artifacts::{Artifacts, BlobKey};
use hearth_crds::{artifacts::StoredArtifact, time::Time};
use hearth_driver::Question;
use hearth_history::Store;
use hearth_plan::work::{Answer, Sought, Work};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio::sync::{mpsc, watch};

/// How many questions may wait.
pub const QUEUE: usize = 64;
/// Blobs of one question that are looked at side by side.
const AT_ONCE: usize = 16;

/// Answers each question on its own, until nobody can ask any more.
pub async fn answer(
    mut questions: mpsc::Receiver<Question>,
    store: Store,
    artifacts: watch::Receiver<Option<Artifacts>>,
) {
    while let Some(Question { sought, answers }) = questions.recv().await {
        let (store, artifacts) = (store.clone(), artifacts.borrow().clone());
        tokio::spawn(async move {
            // Nobody waits any more for an answer that took too long.
            let _late = answers.send(look_up(&store, artifacts.as_ref(), sought).await);
        });
    }
}

/// All that is sought is sought by one object, so in one namespace.
async fn look_up(store: &Store, artifacts: Option<&Artifacts>, sought: Vec<Sought>) -> BTreeMap<Sought, Answer> {
    let namespace = sought.first().map_or("", |s| s.namespace_uid.as_str());
    let keys: Vec<String> = sought.iter().map(|s| s.key.clone()).collect();
    let done = match store.work(namespace, &keys).await {
        Ok(done) => done,
        Err(error) => {
            let why = error.to_string();
            return sought.into_iter().map(|s| (s, Answer::Unknown(why.clone()))).collect();
        }
    };
    stream::iter(sought)
        .map(|sought| {
            let work = done.get(&sought.key);
            async move {
                let answer = judge(artifacts, &sought, work).await;
                (sought, answer)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

async fn judge(artifacts: Option<&Artifacts>, sought: &Sought, work: Option<&Work>) -> Answer {
    let now = Time::new(Timestamp::now());
    let Some(work) = work.filter(|w| w.is_fresh(sought.max_age, now)) else { return Answer::Nothing };
    for artifact in work.artifacts.values() {
        match is_there(artifacts, &sought.namespace_uid, artifact).await {
            Ok(true) => {}
            Ok(false) => return Answer::Nothing,
            Err(why) => return Answer::Unknown(why),
        }
    }
    Answer::Done(Box::new(work.clone()))
}

async fn is_there(store: Option<&Artifacts>, namespace_uid: &str, artifact: &StoredArtifact) -> Result<bool, String> {
    let Some(store) = store else { return Err("the artifact store is not open".to_owned()) };
    let digest = artifact.digest.parse();
    let Some(key) = digest.ok().and_then(|digest| BlobKey::new(namespace_uid, digest).ok()) else { return Ok(false) };
    let found = store.stat(&key).await.map_err(|e| e.to_string())?;
    Ok(found.is_some_and(|blob| i64::try_from(blob.bytes) == Ok(artifact.bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_artifacts::volume::{Limits, UrlKeys, Volume, VolumeConfig};
    use hearth_history::{HistoryMetrics, ObjectKey, RecordBatch, Retention};
    use hearth_plan::record::{Record, RunRow, StepRow};
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};
    use std::{path::Path, time::Duration};

    const NAMESPACE: &str = "6f1c2c1e-5a8e-4d0c-9f43-0c1f2d3e4a5b";
    const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn volume(folder: &Path) -> Artifacts {
        let config = VolumeConfig {
            folder: folder.to_owned(),
            endpoint: "https://recorder".into(),
            keys: UrlKeys::derive(b"test", None),
            keep_free: 0,
            limits: Limits::default(),
        };
        Artifacts::volume(Volume::open(config).unwrap())
    }

    fn row(step: &str, ended: Time, artifacts: Value) -> Record {
        let row = json!({
            "run_id": RUN, "run_started_at": ended, "step": step, "item": 0, "attempt": 1, "seq": 1, "phase": "Succeeded",
            "terminal": true, "outputs": {"n": 7}, "artifacts": artifacts, "finished_at": ended, "work_key": format!("v1:{step}"),
        });
        let row: StepRow = serde_json::from_value(row).unwrap();
        Record::Step(Box::new(row))
    }

    /// A store with those rows of one run.
    async fn store(file: &Path, steps: Vec<Record>) -> Store {
        let store = hearth_history::open(file);
        store.migrate().await.unwrap();
        let object =
            ObjectKey { kind: "Workflow".into(), namespace: "lab".into(), name: "demo".into(), uid: "u".into() };
        let run: RunRow = serde_json::from_value(json!({
            "id": RUN, "cluster": "c", "object": object, "namespace_uid": NAMESPACE, "number": 1, "seq": 1, "phase": "Succeeded",
            "terminal": true, "trigger": "Created", "revision": "r", "digest": "d", "spec": {}, "params": {}, "results": {},
            "labels": {}, "owner": "", "started_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        let records = std::iter::once(Record::Run(Box::new(run))).chain(steps).collect();
        let (batches, queue) = mpsc::channel(4);
        let (acks, mut acked) = mpsc::channel(4);
        let metrics = HistoryMetrics::register(&mut Registry::default());
        store.spawn_writer(queue, acks, watch::channel(true).0, metrics, Retention::default());
        batches.send(RecordBatch { object, run_id: RUN.into(), seq: 1, last: true, records }).await.unwrap();
        acked.recv().await.unwrap();
        store
    }

    fn sought(step: &str) -> Sought {
        Sought {
            run_id: "another".into(),
            step: step.into(),
            item: 0,
            namespace_uid: NAMESPACE.into(),
            key: format!("v1:{step}"),
            max_age: Duration::from_secs(3600),
        }
    }

    #[tokio::test]
    async fn work_is_done_when_it_is_young_and_all_that_it_left_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("blobs")).unwrap();
        let blobs = volume(&folder.path().join("blobs"));
        let kept = blobs.write(NAMESPACE, "abc".into()).await.unwrap().digest().to_string();
        let gone = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34";
        let now = Time::new(Timestamp::now());
        let old = Time::from_millis(now.millis() - 3_700_000);
        let left = |digest: &str, bytes: i64| json!({"model": {"digest": digest, "bytes": bytes}});
        let rows = vec![
            row("plain", now, json!({})),
            row("old", old, json!({})),
            row("there", now, left(&kept, 3)),
            row("gone", now, left(gone, 3)),
            row("longer", now, left(&kept, 4)),
            row("odd", now, left("sha512:1", 3)),
        ];
        let store = store(&folder.path().join("history.db"), rows).await;
        let names = ["plain", "old", "there", "gone", "longer", "odd", "never"];
        let all = || names.iter().map(|n| sought(n)).collect::<Vec<_>>();
        let answers = look_up(&store, Some(&blobs), all()).await;
        let told = |answers: &BTreeMap<Sought, Answer>, name: &str| match answers.get(&sought(name)) {
            Some(Answer::Done(work)) => format!("done by {} {}", work.run_id, json!(work.outputs)),
            other => format!("{other:?}"),
        };
        let done = format!("done by {RUN} {{\"n\":7}}");
        assert_eq!((told(&answers, "plain"), told(&answers, "there")), (done.clone(), done.clone()));
        for name in ["old", "gone", "longer", "odd", "never"] {
            assert_eq!(told(&answers, name), "Some(Nothing)", "{name}");
        }
        // Without the artifact store nothing is known of what it holds.
        let answers = look_up(&store, None, all()).await;
        assert_eq!(told(&answers, "plain"), done);
        assert!(told(&answers, "there").contains("Unknown"), "{}", told(&answers, "there"));
        // And without the record, nothing at all.
        let nowhere = hearth_history::open(Path::new("/proc/none/history.db"));
        let answers = look_up(&nowhere, Some(&blobs), all()).await;
        assert!(
            answers.len() == names.len() && answers.values().all(|a| matches!(a, Answer::Unknown(_))),
            "{answers:?}"
        );
    }

    #[tokio::test]
    async fn questions_are_answered_until_nobody_asks() {
        let folder = tempfile::tempdir().unwrap();
        let store =
            store(&folder.path().join("history.db"), vec![row("fit", Time::new(Timestamp::now()), json!({}))]).await;
        let (ask, questions) = mpsc::channel(QUEUE);
        let answering = tokio::spawn(answer(questions, store, watch::channel(None).1));
        let (answers, answered) = tokio::sync::oneshot::channel();
        ask.send(Question { sought: vec![sought("fit")], answers }).await.unwrap();
        assert!(matches!(answered.await.unwrap().get(&sought("fit")), Some(Answer::Done(_))));
        drop(ask);
        answering.await.unwrap();
    }
}
