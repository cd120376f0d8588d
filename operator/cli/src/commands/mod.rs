//! What each command does.

mod api;
mod artifact;
mod audit;
mod compare;
mod completion;
mod delete;
mod describe;
mod lineage;
mod logs;
mod runs;
mod tree;
mod trend;
mod trigger;
mod usage;
mod watch;

use crate::{
    args::{Args, Command},
    connect::connect,
    day2,
    error::CliError,
    lint,
    terminal::{put, show},
};
use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use std::process::ExitCode;

/// Does what the command line says.
pub async fn run(args: Args) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Lint(lint) => return lint::run(&lint),
        Command::Completion(completion) => completion::completion(&completion)?,
        Command::Change(change) => show(&day2::apply(&args.target, &change).await?)?,
        Command::Trigger(asked) => return trigger::trigger(&args.target, &asked).await,
        Command::Watch(watch) => return watch::watch(&args.target, &watch).await,
        // What is wrong with the command line is said before anything is reached.
        Command::Runs(runs) => {
            runs::since(runs.since.as_deref(), Timestamp::now())?;
            runs::list(&mut connect(&args.target).await?, &runs).await?;
        }
        Command::Trend(trend) => {
            runs::since(trend.since.as_deref(), Timestamp::now())?;
            trend::trend(&mut connect(&args.target).await?, &trend).await?;
        }
        Command::Usage(usage) => {
            runs::since(Some(&usage.since), Timestamp::now())?;
            usage::usage(&mut connect(&args.target).await?, &usage).await?;
        }
        Command::Audit(audit) => {
            runs::since(audit.since.as_deref(), Timestamp::now())?;
            audit::audit(&mut connect(&args.target).await?, &audit, args.target.namespace.as_deref()).await?;
        }
        Command::Api(asked) => api::api(&mut connect(&args.target).await?, &asked).await?,
        Command::Delete(delete) => delete::delete(&mut connect(&args.target).await?, &delete).await?,
        Command::Describe(describe) => {
            describe::describe(&mut connect(&args.target).await?, &describe).await?;
        }
        Command::Tree(tree) => tree::tree(&mut connect(&args.target).await?, &tree).await?,
        Command::Lineage(wanted) => lineage::lineage(&mut connect(&args.target).await?, &wanted).await?,
        Command::Artifact(wanted) => artifact::artifact(&mut connect(&args.target).await?, &wanted).await?,
        Command::Logs(logs) => logs::logs(&mut connect(&args.target).await?, &logs).await?,
        Command::Compare(compare) => compare::compare(&mut connect(&args.target).await?, &compare).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A value as JSON for programs.
fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    put(&(serde_json::to_string_pretty(value).context("JSON")? + "\n"))
}

/// A value as YAML for programs.
fn yaml<T: Serialize>(value: &T) -> Result<(), CliError> {
    put(&serde_yaml::to_string(value).context("YAML")?)
}
