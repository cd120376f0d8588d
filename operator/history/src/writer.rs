//! The one task that writes: batches in, rows down, acknowledgements out after the commit.

use crate::{
    error::Error,
    flush::Flush,
    metrics::HistoryMetrics,
    refusal::{self, Written},
    retention::Retention,
    store::Store,
};
use hearth_plan::record::{Ack, RecordBatch};
use jiff::Timestamp;
use std::time::Duration;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout_at},
};

/// How many batches the channel to the writer should hold. What does not fit is derived again from the object.
pub const QUEUE: usize = 1024;

/// How the writer paces itself.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A flush is closed when it has this many records …
    pub rows: usize,
    /// … or about this many bytes …
    pub bytes: usize,
    /// … or when its first batch has waited this long.
    pub linger: Duration,
    /// The first pause after a failure; each further one is twice as long.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
    /// How often an idle writer asks whether the store is there.
    pub probe: Duration,
    /// How long the last flush is tried after all senders are gone.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rows: 1000,
            bytes: 8 << 20,
            linger: Duration::from_millis(20),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            probe: Duration::from_secs(5),
            drain: Duration::from_secs(8),
        }
    }
}

/// What the writer holds.
pub(crate) struct Writer {
    pub store: Store,
    pub batches: mpsc::Receiver<RecordBatch>,
    pub acks: mpsc::Sender<Ack>,
    pub up: watch::Sender<bool>,
    pub metrics: HistoryMetrics,
    pub retention: Retention,
    pub pace: Pace,
}

impl Writer {
    /// Runs until all senders are gone and what they sent is stored, or the store stayed away for `pace.drain`.
    pub async fn run(mut self) {
        let mut probe = interval(self.pace.probe);
        probe.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                batch = self.batches.recv() => {
                    let Some(batch) = batch else { return };
                    let flush = self.gather(batch).await;
                    if !self.store_flush(&flush).await { return }
                    self.metrics.queue_depth(self.batches.len());
                }
                _ = probe.tick() => {
                    let answer = self.store.healthy().await;
                    self.note(answer.as_ref().err());
                }
            }
        }
    }

    /// Fills a flush with what comes in while the first batch lingers.
    async fn gather(&mut self, first: RecordBatch) -> Flush {
        let mut flush = Flush::default();
        flush.add(first);
        let until = Instant::now() + self.pace.linger;
        while flush.size() < self.pace.rows && flush.bytes() < self.pace.bytes {
            match timeout_at(until, self.batches.recv()).await {
                Ok(Some(batch)) => flush.add(batch),
                Ok(None) | Err(_) => break,
            }
        }
        flush
    }

    /// Tries until the flush is stored, then acknowledges. False: the process ends and the store is away.
    async fn store_flush(&mut self, flush: &Flush) -> bool {
        let mut pause = self.pace.backoff_min;
        let mut closed_at = None;
        loop {
            self.metrics.queue_depth(self.batches.len());
            let begun = Instant::now();
            match self.write(flush).await {
                Ok(written) => {
                    self.note(None);
                    self.acknowledge(flush, &written, begun.elapsed()).await;
                    return true;
                }
                Err(e) => {
                    self.metrics.failed(e.class());
                    self.note(Some(&e));
                }
            }
            if self.batches.is_closed() && closed_at.get_or_insert_with(Instant::now).elapsed() >= self.pace.drain {
                tracing::warn!(
                    records = flush.size(),
                    "ending with records unwritten: they are derived again from the objects at the next start"
                );
                return false;
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(self.pace.backoff_max);
        }
    }

    async fn write(&self, flush: &Flush) -> Result<Written, Error> {
        for letter in flush.letters() {
            refusal::deliver(&self.store, letter).await?;
        }
        let mut written = refusal::write(&self.store, flush.rows(self.retention.cutoff(Timestamp::now()))).await?;
        written.letters.extend_from_slice(flush.letters());
        Ok(written)
    }

    async fn acknowledge(&self, flush: &Flush, written: &Written, took: Duration) {
        let acks = flush.acks(&written.minimal);
        self.metrics.flushed(written, acks.len(), took);
        for ack in acks {
            if !ack.last {
                // What it says is said by the next one too: nobody is waited for.
                let _full_or_gone = self.acks.try_send(ack);
            } else if self.acks.send(ack).await.is_err() {
                // No receiver means that the process ends; the next one writes the same again and is answered.
                return;
            }
        }
    }

    /// Says whether the store is there: to the watch, the gauge and, on a change, the log.
    fn note(&self, error: Option<&Error>) {
        let up = error.is_none();
        self.metrics.set_up(up);
        let changed = self.up.send_if_modified(|was| std::mem::replace(was, up) != up);
        match error {
            Some(e) if changed => {
                tracing::warn!(error = %e, "the history store is away; runs go on, their records wait in the objects")
            }
            Some(e) => tracing::debug!(error = %e, "the history store is still away"),
            None if changed => tracing::info!(store = %self.store, "the history store is there"),
            None => {}
        }
    }
}
