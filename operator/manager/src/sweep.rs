//! Runs that the store believes to be running although their object is gone or has gone on.

use hearth_driver::{
    Shared,
    fate::{self, Fate},
};
use hearth_history::{Store, Unfinished};
use hearth_plan::{Kind, workflow::WorkflowKind};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Looks every `age` for runs that have not moved for `age`, and ends those whose object a live GET does not find.
pub async fn sweep(shared: Arc<Shared>, store: Store, age: Duration) {
    let mut tick = interval_at(Instant::now() + age, age);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = once(&shared, &store, age).await {
            tracing::warn!(%error, "looking for vanished runs failed, trying again later");
        }
    }
}

async fn once(shared: &Shared, store: &Store, age: Duration) -> anyhow::Result<()> {
    let mut vanished = Vec::new();
    for run in store.running(&shared.cluster_id(), age).await? {
        if !shared.watches(&run.object.namespace) {
            continue;
        }
        match fate(shared, &run).await? {
            Some(Fate::Gone | Fate::LaterRun) => vanished.push(run.run_id),
            Some(Fate::Current) | None => {}
        }
    }
    if !vanished.is_empty() {
        let runs = store.vanish(&vanished).await?;
        tracing::warn!(runs, "runs whose objects are gone end as Vanished");
    }
    Ok(())
}

/// None for a kind that this binary does not know: its runs are somebody else's.
async fn fate(shared: &Shared, run: &Unfinished) -> Result<Option<Fate>, hearth_driver::Error> {
    let id = run.run_id.to_string();
    match run.object.kind.as_str() {
        WorkflowKind::KIND => fate::of::<WorkflowKind>(shared, &run.object, &id).await.map(Some),
        _ => Ok(None),
    }
}
