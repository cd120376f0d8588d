//! `describe`: one run in full.

use super::{json, logs::log_of, yaml};
use crate::{
    args::{DescribeArgs, Output},
    connect::Connected,
    error::CliError,
    record::{all, find, path, steps},
    render::{self, Described},
    terminal::{Terminal, put, show},
};
use hearth_wire::{Event, Log};
use jiff::Timestamp;

pub async fn describe(connected: &mut Connected, args: &DescribeArgs) -> Result<(), CliError> {
    let (namespace, api) = (connected.namespace.clone(), &mut connected.api);
    let run = find(api, &namespace, &args.run).await?;
    if args.output == Output::Name {
        return put(&format!("run/{}\n", run.summary.id));
    }
    let steps = steps(api, &run).await?;
    let events: Vec<Event> = all(api, &format!("{}/events", path(&run)), &[], u32::MAX).await?;
    let log = match render::culprit(&run, &steps) {
        Some(step) if step.has_log => explain_log(log_of(api, &run, step).await)?,
        Some(_) | None => None,
    };
    let described = Described { run, steps, events, log };
    let width = Terminal::of_stdout().width;
    match args.output {
        Output::Table | Output::Name => show(&render::describe(&described, false, width, Timestamp::now())),
        Output::Wide => show(&render::describe(&described, true, width, Timestamp::now())),
        Output::Json => json(&described),
        Output::Yaml => yaml(&described),
    }
}

/// Whoever may see a run but not its logs still gets the rest.
fn explain_log(log: Result<Log, CliError>) -> Result<Option<Log>, CliError> {
    match log {
        Ok(log) => Ok(Some(log)),
        Err(CliError::Forbidden(_) | CliError::NotFound(_)) => Ok(None),
        Err(other) => Err(other),
    }
}
