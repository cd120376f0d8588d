//! `make bench-history`: what the history store takes and how soon it answers, on both back ends, beside a bare loop that
//! writes the same events with nothing around it. Prints a table; asserts no time.

mod bare;
mod feed;
mod measure;
mod report;

use anyhow::{Context, Result};
use clap::Parser;
use hearth_history::Store;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use std::process::ExitCode;
use uuid::Uuid;

/// Measures the history store.
#[derive(Parser)]
pub struct Args {
    /// Runs that lists and timelines are read among.
    #[arg(long, default_value_t = 20_000)]
    runs: u32,
    /// Event rows that the writer and the bare loop write each.
    #[arg(long, default_value_t = 400_000)]
    events: u32,
    /// Reads of each sort.
    #[arg(long, default_value_t = 1_000)]
    reads: u32,
    /// Seconds of 5,000 event rows a second, for the time from event to committed.
    #[arg(long, default_value_t = 5)]
    steady_seconds: u32,
    /// What cargo tells every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = tokio::runtime::Runtime::new().context("the runtime").and_then(|rt| rt.block_on(run(&args)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args) -> Result<()> {
    println!("seed {}; {} runs, {} event rows, {} reads of each sort", feed::SEED, args.runs, args.events, args.reads);
    let postgres = postgres(args).await.context("Postgres")?;
    let sqlite = sqlite(args).await.context("SQLite")?;
    print!("{}", report::table(&postgres, &sqlite));
    Ok(())
}

/// In a database of its own, which is dropped.
async fn postgres(args: &Args) -> Result<measure::Figures> {
    let dsn = std::env::var("HEARTH_TEST_POSTGRES")
        .context("HEARTH_TEST_POSTGRES must be the DSN of a Postgres in which databases may be made")?;
    let server: PgConnectOptions = dsn.parse()?;
    let name = format!("hearth_bench_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect_with(&server).await?;
    admin.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0"))).await?;
    let url = server.database(&name).to_url_lossy().to_string();
    let measured = async {
        let store = hearth_history::connect(&url)?;
        measure::all(args, store, bare::Bare::postgres(&url).await?).await
    }
    .await;
    admin.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await?;
    measured
}

/// In a folder of its own, beside the build: /tmp is memory on some machines, which no sync waits for.
async fn sqlite(args: &Args) -> Result<measure::Figures> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let store: Store = hearth_history::open(&folder.path().join("history.db"));
    measure::all(args, store, bare::Bare::sqlite(&folder.path().join("bare.db")).await?).await
}
