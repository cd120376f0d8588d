//! The pass over a table: one thread reads, and the columns are shared out among the others.

use crate::{check::Broken, column::Column, profile::ColumnProfile};
use hearth_runtime::Failure;
use hearth_table::{Batch, Source};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

/// How many batches may wait for a thread.
const WAITING: usize = 2;
/// More threads than this wait for the one that reads.
const THREADS_MAX: usize = 8;

/// What a pass found.
#[derive(Debug)]
pub struct Pass {
    /// How many rows.
    pub rows: u64,
    /// The columns, in the order of the table.
    pub columns: Vec<ColumnProfile>,
    /// What does not hold of columns.
    pub broken: Vec<Broken>,
}

/// Rows, and the names of the columns so far.
type Work = (Arc<Batch>, Arc<Vec<String>>);

/// Makes a column, with its expectations, from its name.
pub trait Begin: Fn(&str) -> Result<Column, Failure> + Sync {}
impl<F: Fn(&str) -> Result<Column, Failure> + Sync> Begin for F {}

/// Reads a table to its end.
///
/// # Errors
///
/// Those of the source and of `begin`.
pub fn run(source: &mut dyn Source, begin: &impl Begin) -> Result<Pass, Failure> {
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS_MAX);
    thread::scope(|scope| {
        let (senders, workers): (Vec<_>, Vec<_>) = (0..threads)
            .map(|number| {
                let (sender, receiver) = sync_channel(WAITING);
                (sender, scope.spawn(move || work(&receiver, number, threads, begin)))
            })
            .unzip();
        let read = read(source, senders);
        let mut shares = Vec::with_capacity(threads);
        for worker in workers {
            shares.push(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        finish(read?, source.columns(), shares, begin)
    })
}

/// Hands all batches to all threads; gives how many rows there are.
fn read(source: &mut dyn Source, senders: Vec<SyncSender<Work>>) -> Result<u64, Failure> {
    let mut rows = 0;
    let mut names = Arc::new(source.columns().to_vec());
    while let Some(batch) = source.next_batch()? {
        rows += batch.rows as u64;
        if names.len() < source.columns().len() {
            names = Arc::new(source.columns().to_vec());
        }
        let batch = Arc::new(batch);
        for sender in &senders {
            // A thread that takes no more has failed, and says so when it is joined.
            if sender.send((batch.clone(), names.clone())).is_err() {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

/// Every `threads`-th column is this thread's.
fn work(batches: &Receiver<Work>, number: usize, threads: usize, begin: &impl Begin) -> Result<Vec<Column>, Failure> {
    let mut columns: Vec<Column> = Vec::new();
    for (batch, names) in batches {
        for name in names.iter().skip(number).step_by(threads).skip(columns.len()) {
            columns.push(begin(name)?);
        }
        for (place, column) in columns.iter_mut().enumerate() {
            column.add_batch(&batch, number + place * threads);
        }
    }
    Ok(columns)
}

fn finish(
    rows: u64,
    names: &[String],
    shares: Vec<Result<Vec<Column>, Failure>>,
    begin: &impl Begin,
) -> Result<Pass, Failure> {
    let mut shares: Vec<_> = shares.into_iter().collect::<Result<Vec<_>, _>>()?;
    shares.iter_mut().for_each(|share| share.reverse());
    let mut pass = Pass { rows, columns: Vec::with_capacity(names.len()), broken: Vec::new() };
    let threads = shares.len();
    for (place, name) in names.iter().enumerate() {
        let column = shares.get_mut(place % threads).and_then(Vec::pop);
        // A table without rows has columns all the same.
        let column = column.map_or_else(|| begin(name), Ok)?;
        let (profile, broken) = column.profile(rows)?;
        pass.columns.push(profile);
        pass.broken.extend(broken);
    }
    Ok(pass)
}
