//! Questions to the history store about work that may have been done before: on their own, never in the way of a pass.

use crate::shared::Shared;
use hearth_plan::work::{Answer, Sought};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{sync::oneshot, time::timeout};

/// How long an answer may take. Looking saves work, so it must not hold work up.
const LIMIT: Duration = Duration::from_secs(3);

/// What is asked, and whom to tell. One that is dropped counts as unknown.
#[derive(Debug)]
pub struct Question {
    /// What is looked for.
    pub sought: Vec<Sought>,
    /// Takes an answer to each.
    pub answers: oneshot::Sender<BTreeMap<Sought, Answer>>,
}

/// Asks for what is not known yet; the answers are facts of the next passes. What is listed no more is forgotten.
pub(crate) fn look_up(shared: &Arc<Shared>, uid: &str, listed: &[Sought]) {
    let new = shared.world.with(uid, |o| o.start_looking(listed));
    if new.is_empty() {
        return;
    }
    let (shared, uid) = (Arc::clone(shared), uid.to_owned());
    tokio::spawn(async move {
        let answers = ask(&shared, new).await;
        for answer in answers.values() {
            shared.metrics.looked_up(answer);
        }
        shared.world.with_known(&uid, |o| o.looked_up(answers));
        shared.world.wake(&uid);
    });
}

async fn ask(shared: &Shared, sought: Vec<Sought>) -> BTreeMap<Sought, Answer> {
    let unknown = |why: String| -> BTreeMap<Sought, Answer> {
        tracing::info!(why, "whether work was done before is not known, so it is done");
        sought.iter().map(|s| (s.clone(), Answer::Unknown(why.clone()))).collect()
    };
    if !*shared.to_store.up.borrow() {
        return unknown("the history store is away".to_owned());
    }
    let (answers, answer) = oneshot::channel();
    let question = Question { sought: sought.clone(), answers };
    let asked = async {
        shared.to_store.work.send(question).await.ok()?;
        answer.await.ok()
    };
    match timeout(LIMIT, asked).await {
        Ok(Some(mut found)) => {
            let missing = || Answer::Unknown("there is no answer".to_owned());
            sought.iter().map(|s| (s.clone(), found.remove(s).unwrap_or_else(missing))).collect()
        }
        Ok(None) => unknown("nobody answers".to_owned()),
        Err(_) => unknown(format!("no answer within {LIMIT:?}")),
    }
}
