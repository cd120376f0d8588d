//! The figures of one back end.

use crate::{Args, bare::Bare, feed};
use anyhow::{Context, Result, ensure};
use hearth_history::{Ack, HistoryMetrics, Order, QUEUE, RecordBatch, Retention, RunFilter, Store};
use prometheus_client::registry::Registry;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

/// Writer and bare loop take turns so many times, so that what else the machine does falls on both.
const TURNS: usize = 4;
/// Event rows a second of the steady part.
const STEADY: u32 = 5_000;

/// What was measured.
pub struct Figures {
    /// Event rows a second through the writer, acknowledged.
    pub writer: f64,
    /// Event rows a second of the bare loop.
    pub bare: f64,
    /// Rows of whole runs a second: runs, attempts and events.
    pub whole: f64,
    /// From an event to its acknowledgement.
    pub committed: Vec<Duration>,
    /// The newest 50 runs.
    pub newest: Vec<Duration>,
    /// The newest 50 of one namespace.
    pub narrowed: Vec<Duration>,
    /// One run with its attempts and events.
    pub timeline: Vec<Duration>,
}

/// The writer with both ends of its channels.
struct Writer {
    batches: mpsc::Sender<RecordBatch>,
    acks: mpsc::Receiver<Ack>,
    _up: watch::Receiver<bool>,
}

impl Writer {
    fn start(store: &Store) -> Self {
        let (batches, rx) = mpsc::channel(QUEUE);
        let (tx, acks) = mpsc::channel(QUEUE);
        let (up_tx, up) = watch::channel(true);
        let metrics = HistoryMetrics::register(&mut Registry::default());
        store.spawn_writer(rx, tx, up_tx, metrics, Retention::default());
        Self { batches, acks, _up: up }
    }

    /// Sends as fast as the channel takes it, and waits for all acknowledgements.
    async fn write(&mut self, batches: Vec<RecordBatch>) -> Result<Duration> {
        let wanted = batches.len();
        let sender = self.batches.clone();
        let begun = Instant::now();
        let sending = tokio::spawn(async move {
            for batch in batches {
                sender.send(batch).await?;
            }
            anyhow::Ok(())
        });
        for _ in 0..wanted {
            let ack = self.acks.recv().await.context("the writer ended")?;
            ensure!(!ack.minimal, "a row was refused");
        }
        let took = begun.elapsed();
        sending.await??;
        Ok(took)
    }
}

/// All figures of a store, which is empty.
pub async fn all(args: &Args, store: Store, mut bare: Bare) -> Result<Figures> {
    store.migrate().await?;
    println!("{store}");
    let mut writer = Writer::start(&store);
    let (through, beside) = events(args, &mut writer, &mut bare).await?;
    let committed = steady(args, &mut writer).await?;
    let ids: Vec<Uuid> = (0..args.runs).map(|n| feed::id(n, args.runs)).collect();
    let whole = fill(&ids, &mut writer).await?;
    let mut dice = feed::Dice::default();
    let any = RunFilter::default();
    let mut figures = Figures {
        writer: through,
        bare: beside,
        whole,
        committed,
        newest: Vec::new(),
        narrowed: Vec::new(),
        timeline: Vec::new(),
    };
    for _ in 0..args.reads {
        figures.newest.push(list(&store, &any).await?);
        let one = RunFilter { namespaces: Some(vec![format!("team-{}", dice.roll(20))]), ..RunFilter::default() };
        figures.narrowed.push(list(&store, &one).await?);
        let id = *ids.get(dice.roll(ids.len())).context("no runs to read")?;
        figures.timeline.push(timeline(&store, id).await?);
    }
    Ok(figures)
}

/// Event rows a second, of the writer and of the bare loop.
async fn events(args: &Args, writer: &mut Writer, bare: &mut Bare) -> Result<(f64, f64)> {
    let runs = args.events / feed::EVENTS;
    let ids: Vec<Uuid> = (0..runs).map(|n| feed::id(n, runs)).collect();
    let (mut through, mut beside) = (Duration::ZERO, Duration::ZERO);
    for turn in ids.chunks(ids.len().div_ceil(TURNS).max(1)) {
        beside += bare.write(turn).await?;
        through += writer.write(turn.iter().map(|id| feed::events(*id)).collect()).await?;
    }
    let rows = f64::from(runs * feed::EVENTS);
    Ok((rows / through.as_secs_f64(), rows / beside.as_secs_f64()))
}

/// Time from event to committed, at a steady pace.
async fn steady(args: &Args, writer: &mut Writer) -> Result<Vec<Duration>> {
    let runs = args.steady_seconds * STEADY / feed::EVENTS;
    let mut tick = tokio::time::interval(Duration::from_secs(1) * feed::EVENTS / STEADY);
    let (mut sent, mut took) = (BTreeMap::new(), Vec::new());
    let mut next = 0;
    while took.len() < usize::try_from(runs)? {
        tokio::select! {
            _ = tick.tick(), if next < runs => {
                let batch = feed::events(feed::id(next, runs));
                sent.insert(batch.run_id.clone(), Instant::now());
                writer.batches.send(batch).await?;
                next += 1;
            }
            ack = writer.acks.recv() => {
                let begun = sent.remove(&ack.context("the writer ended")?.run_id).context("an acknowledgement of nothing")?;
                took.push(begun.elapsed());
            }
        }
    }
    Ok(took)
}

/// Rows of whole runs a second.
async fn fill(ids: &[Uuid], writer: &mut Writer) -> Result<f64> {
    let mut took = Duration::ZERO;
    // Not all at once: a million runs would fill the memory.
    for some in ids.chunks(10_000) {
        took += writer.write(some.iter().map(|id| feed::whole(*id)).collect()).await?;
    }
    Ok(f64::from(u32::try_from(ids.len())? * (1 + 2 * feed::EVENTS)) / took.as_secs_f64())
}

async fn list(store: &Store, filter: &RunFilter) -> Result<Duration> {
    let begun = Instant::now();
    store.list_runs(filter, Order::NewestFirst, None, 50).await?;
    Ok(begun.elapsed())
}

async fn timeline(store: &Store, id: Uuid) -> Result<Duration> {
    let begun = Instant::now();
    let run = store.get_run(id).await?;
    let (steps, events) = (store.list_steps(id, None, 100).await?, store.list_events(id, None, 100).await?);
    let took = begun.elapsed();
    ensure!(run.is_some() && steps.items.len() == 10 && events.items.len() == 10, "a run is not there in full");
    Ok(took)
}
